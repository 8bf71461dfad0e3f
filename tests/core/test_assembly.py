"""One look at the configuration names everything an admin has to mend, whoever reads the part it stands in."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from manor import (
    PUBLIC,
    Api,
    Job,
    JobHandler,
    PersonalData,
    PluginContext,
    Request,
    Route,
    Subscription,
    TierLimit,
    hookimpl,
)
from manor.assembly import check, choose, read
from manor.discovery import Found
from manor.errors import AdminFault

BELLS = Api("bells")


class BellConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rings: int = 2


class StrictConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    times: int = 1


class Nothing(msgspec.Struct, frozen=True):
    """What a job needs to know."""


class Loud(msgspec.Struct, frozen=True):
    """What no event of the core has."""

    decibels: int


async def listen(payload: object) -> None:
    """Do nothing about it."""


async def nothing_of(user_id: UUID) -> AsyncGenerator[tuple[str, msgspec.Struct], None]:
    """Keep nothing."""
    rows: list[msgspec.Struct] = []
    for row in rows:
        yield "", row


class Bell:
    """Rings."""

    Config = BellConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[BellConfig]) -> None:
        if context.config.rings == 13:
            raise ValueError("thirteen rings")

    @hookimpl
    def manor_routes(self) -> list[Route]:
        return [Route("GET", "/ring", ring, api=BELLS, access=PUBLIC)]

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        return [TierLimit("max_bells", {"": 3}, "bells")]


class Gong(Bell):
    """Wants a key, and the bell's route."""

    Config = StrictConfig  # type: ignore[assignment]  # another table
    enabled_by_default = False

    def __init__(self, context: PluginContext[StrictConfig]) -> None:
        pass

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        return []


def ring(request: Request) -> None:
    """Ring."""


FOUND = [Found("bell", "a test", lambda: Bell), Found("gong", "a test", lambda: Gong)]


def told(folder: Path, text: str) -> list[str]:
    """What is wrong, as at a start and at a check: the same."""
    (folder / "config.toml").write_text(text)
    with pytest.raises(AdminFault) as caught:
        check(read(folder / "config.toml", {}, FOUND), FOUND)
    return [str(problem).replace(f"{folder}/", "").removeprefix("config.toml: ") for problem in caught.value.problems]


def test_problems_of_the_core_hide_none_of_a_plugin(tmp_path: Path) -> None:
    problems = told(
        tmp_path,
        """
        [server]
        pin_cpu = 3
        [plugins.bell]
        rings = "many"
        colour = "red"
        [plugins.bel]
        [tiers.FREE]
        max_bels = 3
        """,
    )

    assert [problem.partition(":")[0] for problem in problems] == [
        "server.pin_cpu",
        "plugins.bel",
        "plugins.bell.rings",
        "plugins.bell.colour",
        "tiers.FREE.max_bels",
    ]


def test_problems_of_plugins_hide_no_tier_and_no_collision(tmp_path: Path) -> None:
    problems = told(tmp_path, "plugins.bell.rings = 'x'\nplugins.gong = {enabled = true, key = 'a'}\ntiers.FREE.no = 1")

    assert [problem.partition(":")[0] for problem in problems] == ["plugins.bell.rings", "routes", "tiers.FREE.no"]
    assert "GET /ring is served by both 'bell' and 'gong'" in problems[1]


def test_a_start_that_is_refused_tells_what_a_check_tells(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("plugins.bell.rings = 'x'\ntiers.FREE.no = 1")
    loaded = read(tmp_path / "config.toml", {}, FOUND)

    with pytest.raises(AdminFault) as start:
        choose(loaded, FOUND)
    with pytest.raises(AdminFault) as checked:
        check(loaded, FOUND)

    assert start.value.problems == checked.value.problems
    assert len(start.value.problems) == 2


def test_a_table_that_is_none_hides_no_other(tmp_path: Path) -> None:
    problems = told(tmp_path, "plugins.gong = 3\nplugins.bell.rings = 'x'")

    assert [problem.partition(":")[0] for problem in problems] == ["plugins.gong", "plugins.bell.rings"]


def test_nothing_is_told_missing_that_may_stand_in_a_file_which_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/10-gong.toml").write_text("plugins.gong.key =")

    problems = told(tmp_path, "plugins.gong = {enabled = true, times = 'x'}")

    assert [problem.partition(":")[0] for problem in problems] == ["conf.d/10-gong.toml", "plugins.gong.times"]


def test_a_limit_is_not_called_unknown_while_its_plugin_cannot_be_asked(tmp_path: Path) -> None:
    problems = told(tmp_path, "plugins.gong = {enabled = true}\ntiers.FREE.max_gongs = 1")

    assert problems == ["plugins.gong: key is missing"]


def test_what_a_plugin_makes_of_defaults_in_place_of_a_wrong_value_is_not_its_fault(tmp_path: Path) -> None:
    alone = told(tmp_path, "plugins.bell.rings = 13")

    assert [problem.partition(" (")[0] for problem in alone] == ["plugin 'bell': ValueError: thirteen rings"]
    assert told(tmp_path, "plugins.bell = {rings = 13, colour = 'red'}") == ["plugins.bell.colour: unknown key"]


class Chime:
    """Puts off what is another's, keeps a section that the core has, and reads of an event what it has not."""

    enabled_by_default = True

    def __init__(self, context: PluginContext[None]) -> None:
        pass


class Late(Chime):
    """The first of these."""

    @hookimpl
    def manor_jobs(self) -> list[JobHandler[Nothing]]:
        return [JobHandler(Job("bell.ring", Nothing), listen)]


class Nosy(Chime):
    """The second."""

    @hookimpl
    def manor_personal_data(self) -> PersonalData:
        return PersonalData(("sessions",), export=nothing_of, erase=lambda transaction, user_id, limit: 0)


class Deaf(Chime):
    """The third."""

    @hookimpl
    def manor_subscriptions(self) -> list[Subscription[Loud]]:
        return [Subscription("identity.user_erased", Loud, listen)]


@pytest.mark.parametrize(
    ("chime", "reason"),
    [
        (Late, "'chime' handles the job 'bell.ring': its name must begin with 'chime.'"),
        (Nosy, "'chime' exports the section 'sessions', which is there already"),
        (Deaf, "hears 'identity.user_erased', "),
    ],
)
def test_what_would_quarantine_a_plugin_while_the_house_is_opened_is_found_by_a_check(
    tmp_path: Path, chime: type[Chime], reason: str
) -> None:
    (tmp_path / "config.toml").write_text("")
    found = [Found("chime", "a test", lambda: chime)]

    with pytest.raises(AdminFault) as caught:
        check(read(tmp_path / "config.toml", {}, found), found)

    assert [problem.where for problem in caught.value.problems] == ["plugin 'chime'"]
    assert caught.value.problems[0].what.startswith(reason)


def test_wrong_plugin_folders_leave_open_what_is_installed(tmp_path: Path) -> None:
    problems = told(tmp_path, "server.plugin_folders = 3\nplugins.other.rings = 1")

    assert [problem.partition(":")[0] for problem in problems] == ["server.plugin_folders"]
