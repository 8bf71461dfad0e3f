"""Announcements: other plugins' events, told on topics for certain, and once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
import structlog.testing
import tomli_w
import trio.testing
from click.testing import CliRunner

from manor import SYSTEM_ID, Event, NoConfig, PluginContext, Transaction, hookimpl
from manor.assembly import check, read
from manor.clock import Clock
from manor.discovery import Found, discover
from manor.errors import AdminFault
from manor.house import House, open_house
from manor.testing import SetClock
from manor.testing.houses import QUICK
from manor_topics import store
from manor_topics.announcement import REFUSED, fill
from manor_topics.announcing import Announcing
from tests.topic_people import asking_as, make_topic, person, texts

RING = {"event": "doorbell.door_rang", "topic": "doors", "message": "{door} rang"}


class DoorRang(Event, frozen=True):
    """Someone pressed a bell."""

    name: ClassVar[str] = "doorbell.door_rang"
    door: str
    times: int = 1
    by: str | None = None
    loud: bool = True
    tunes: tuple[str, ...] = ()
    more: dict[str, Any] = msgspec.field(default_factory=dict)


class StreamStarted(Event, frozen=True):
    """Somebody can be watched."""

    name: ClassVar[str] = "stream.started"
    name_: str


class Streaming:
    """Tells that streams start."""

    Config = NoConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[NoConfig]) -> None:
        pass

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        return [StreamStarted]


class Doorbell:
    """Tells that doors ring."""

    Config = NoConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[NoConfig]) -> None:
        pass

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        return [DoorRang]


def installed(*more: Found) -> list[Found]:
    topics = next(found for found in discover() if found.name == "topics")
    return [topics, Found("doorbell", "a test", lambda: Doorbell), *more]


def written(folder: Path, announcements: Sequence[Mapping[str, Any]], **topics: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "config.toml"
    tables = {**QUICK, "plugins": {"topics": {"announcements": announcements, **topics}}}
    path.write_text(tomli_w.dumps(tables))
    return path


@asynccontextmanager
async def announcing(
    folder: Path, clock: Clock, *announcements: Mapping[str, Any], more: Sequence[Found] = (), **topics: Any
) -> AsyncIterator[House]:
    """A house with a doorbell, and with these announcements."""
    found = installed(*more)
    loaded = read(written(folder, announcements, **topics), {"MANOR_SERVER__DATA_DIR": str(folder / "data")}, found)
    async with open_house(loaded, clock=clock, inline=True, strict=True, found=found, synchronous="NORMAL") as house:
        yield house


async def ring(house: House, *events: Event) -> None:
    def work(transaction: Transaction) -> None:
        for event in events:
            transaction.emit(event)

    await house.storage.write(work)
    await trio.testing.wait_all_tasks_blocked()


async def told(house: House, topic: str = "doors") -> list[str]:
    return await texts(asking_as(house, SYSTEM_ID, is_admin=True), topic)


def problems(folder: Path, *announcements: Mapping[str, Any]) -> list[str]:
    """What a start and a check refuse."""
    found = installed()
    with pytest.raises(AdminFault) as caught:
        check(read(written(folder, announcements), {}, found), found)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


async def test_an_event_is_told_on_its_topic(tmp_path: Path, clock: SetClock) -> None:
    async with announcing(tmp_path, clock, RING | {"title": "At {by}", "priority": 1, "tags": ["bell"]}) as house:
        await ring(house, DoorRang("front", by="noon"), DoorRang("back"))
        answer = await asking_as(house, SYSTEM_ID, is_admin=True).get("/doors/json?since=all")

    first, second = answer.json()["messages"]
    assert (first["message"], first["title"], first["priority"], first["tags"]) == (
        "front rang",
        "At noon",
        1,
        ["bell"],
    )
    assert (second["message"], second["title"]) == ("back rang", "At")


async def test_a_topic_that_is_missing_is_a_private_one_of_the_server(tmp_path: Path, clock: SetClock) -> None:
    async with announcing(tmp_path, clock, RING) as house:
        topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "doors"))
        ann = asking_as(house, await person(house, "ann"))
        assert (await ann.get("/doors/json?since=all")).status == 403
        await asking_as(house, SYSTEM_ID, is_admin=True).delete("/api/topics/doors")
        await ring(house, DoorRang("front"))
        assert await told(house) == ["front rang"]

    assert topic is not None
    assert (topic.owner_id, topic.access_level) == (SYSTEM_ID, "private")


async def test_somebodys_topic_is_used_and_their_plan_is_not(tmp_path: Path, clock: SetClock) -> None:
    async with announcing(tmp_path, clock) as house:
        await make_topic(asking_as(house, await person(house, "ann")), "doors")
    async with announcing(tmp_path, clock, RING) as house:
        await ring(house, *(DoorRang(str(number)) for number in range(300)))
        topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "doors"))
        assert topic is not None
        assert topic.owner_id != SYSTEM_ID
        answer = await asking_as(house, SYSTEM_ID, is_admin=True).get("/api/topics/doors")
        assert answer.json()["message_count"] == 300


async def test_the_name_that_an_event_says_is_not_the_events_own(tmp_path: Path, clock: SetClock) -> None:
    live = {"event": "stream.started", "topic": "live", "message": "{name} is live", "title": "{{name}} {name_}"}
    streaming = Found("stream", "a test", lambda: Streaming)
    async with announcing(tmp_path, clock, live, more=[streaming]) as house:
        await ring(house, StreamStarted("Ann's garden"))
        answer = await asking_as(house, SYSTEM_ID, is_admin=True).get("/live/json?since=all")

    (message,) = answer.json()["messages"]
    assert (message["message"], message["title"]) == ("Ann's garden is live", "{name} Ann's garden")


async def test_one_event_may_be_told_on_several_topics(tmp_path: Path, clock: SetClock) -> None:
    more = RING | {"topic": "counts", "message": "{times}, {{times}}, {loud}, {tunes}, {more}"}
    async with announcing(tmp_path, clock, RING, more, RING | {"message": "{by}"}) as house:
        await ring(house, DoorRang("{by}", times=2, tunes=("a", "b"), more={"x": 1}))

        assert await told(house) == ["{by} rang"]
        assert await told(house, "counts") == ['2, {times}, true, a, b, {"x":1}']


async def test_what_is_long_is_cut_between_characters(tmp_path: Path, clock: SetClock) -> None:
    titled = RING | {"message": "{door}", "title": "{by}"}
    async with announcing(tmp_path, clock, titled, max_message_bytes=10) as house:
        await ring(house, DoorRang("äöüäöüäöü", by="x\r\n" * 200))
        answer = await asking_as(house, SYSTEM_ID, is_admin=True).get("/doors/json?since=all")

    (message,) = answer.json()["messages"]
    assert message["message"] == "äöüäö"
    assert message["title"].startswith("x x x")
    assert len(message["title"]) <= 250


async def test_an_event_that_waits_outlives_the_house(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise OSError("the power goes")

    with monkeypatch.context() as patched:
        patched.setattr(Announcing, "_announce", fail)
        async with announcing(tmp_path, clock, RING) as house:
            await ring(house, DoorRang("front"))
            assert await told(house) == []
    clock.set(clock.now() + timedelta(seconds=10))
    async with announcing(tmp_path, clock, RING) as house:
        await trio.testing.wait_all_tasks_blocked()
        assert await told(house) == ["front rang"]


@pytest.mark.parametrize("message", ["{door} rang", "other words: {door}"])
async def test_what_is_delivered_again_is_told_once(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    announce = Announcing._announce
    attempts = []

    async def announce_and_fail(self: Announcing, *arguments: Any) -> None:
        attempts.append(arguments)
        await announce(self, *arguments)
        raise OSError("the power goes")

    with monkeypatch.context() as patched:
        patched.setattr(Announcing, "_announce", announce_and_fail)
        async with announcing(tmp_path, clock, RING) as house:
            await ring(house, DoorRang("front"), DoorRang("front"))
    clock.set(clock.now() + timedelta(seconds=10))
    async with announcing(tmp_path, clock, RING | {"message": message}) as house:
        await trio.testing.wait_all_tasks_blocked()
        first, *_ = await told(house)
        assert len(attempts) == 1
        assert first == "front rang"
        assert len(await told(house)) == 2


@pytest.mark.parametrize(
    "text", ["{a.__class__}", "{0}", "{a[b]}", "{a!r}", "{a:>9}", "{}", "{a", "a}", "{{a}", "{ a }", "{a{b}}", "{ä}"]
)
@pytest.mark.parametrize("key", ["message", "title"])
def test_a_template_has_plain_names_only(tmp_path: Path, text: str, key: str) -> None:
    (problem,) = problems(tmp_path, RING | {key: text})

    assert problem.startswith(f"config.toml: plugins.topics.announcements[0].{key}: expected plain names of fields")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"event": "rang"}, ".event: expected an event's name, such as 'doorbell.door_rang', got 'rang'"),
        ({"topic": "No"}, ".topic: a topic's name is 3 to 64 lower-case letters"),
        ({"topic": "api"}, ".topic: a topic's name 'api' is reserved"),
        ({"message": " "}, ".message: expected a text, got nothing"),
        ({"priority": 6}, ".priority: expected int <= 5"),
        ({"tags": ["x" * 51]}, ": tags is at most 20 words"),
        ({"to": "x"}, ".to: unknown key"),
        *(({"event": event}, f".event: '{event}' cannot be announced: ") for event in REFUSED),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path: Path, changed: dict[str, Any], problem: str) -> None:
    (found,) = problems(tmp_path, RING | changed)

    assert found.startswith(f"config.toml: plugins.topics.announcements[0]{problem}")


@pytest.mark.parametrize("key", ["event", "topic", "message"])
def test_what_is_missing_is_named(tmp_path: Path, key: str) -> None:
    found = problems(tmp_path, RING, {name: value for name, value in RING.items() if name != key})

    assert found == [f"config.toml: plugins.topics.announcements[1]: {key} is missing"]


async def test_a_field_that_the_event_has_not_stops_the_start(tmp_path: Path, clock: SetClock) -> None:
    wrong = RING | {"message": "{window} rang"}
    expected = "plugins.topics.announcements: hears 'doorbell.door_rang', which has no field 'window'"

    assert problems(tmp_path, RING, wrong) == [f"config.toml: {expected}"]
    with pytest.raises(AdminFault, match=r"which has no field 'window'"):
        async with announcing(tmp_path, clock, wrong):
            pass


async def test_an_event_that_nobody_tells_is_a_warning(tmp_path: Path, clock: SetClock) -> None:
    live = {"event": "radio.started", "topic": "live", "message": "{name} is live"}
    found = installed()
    path = written(tmp_path, [live])

    (warning,) = check(read(path, {}, found), found)
    with structlog.testing.capture_logs() as logs:
        async with announcing(tmp_path, clock, live):
            pass

    reason = "plugins.topics.announcements: no installed plugin tells 'radio.started'"
    assert str(warning) == f"{path}: {reason}"
    (logged,) = (entry for entry in logs if entry["event"] == "nobody tells this event")
    assert (logged["log_level"], logged["where"], logged["reason"]) == ("warning", str(path), reason)


def test_the_command_warns_and_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from manor.cli.config import check as command

    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MANOR_")]:
        monkeypatch.delenv(name)
    path = written(tmp_path, [{"event": "radio.started", "topic": "live", "message": "x"}])
    result = CliRunner().invoke(command, ["--config", str(path)])

    assert result.exit_code == 0
    assert f"warning: {path}: plugins.topics.announcements: no installed plugin tells 'radio.started'" in result.stderr


async def test_what_the_plugin_hears_for_certain_already_is_refused(tmp_path: Path, clock: SetClock) -> None:
    async with announcing(tmp_path, clock) as house:
        heard = {owned.subscription.event for owned in house.bus.durable() if owned.owner == "topics"}

    assert heard == set(REFUSED) - {"topics.message_published"}


async def test_an_announcement_that_says_nothing_is_skipped(tmp_path: Path, clock: SetClock) -> None:
    async with announcing(tmp_path, clock, RING | {"message": "{by}"}) as house:
        with structlog.testing.capture_logs() as logs:
            await ring(house, DoorRang("front"), DoorRang("back", by="ann"))
        assert await told(house) == ["ann"]

    assert [entry["topic"] for entry in logs if entry["event"] == "an announcement says nothing"] == ["doors"]


def test_values_are_not_looked_into() -> None:
    assert fill("{a}{{b}}{b}", {"a": "{b} {{ {b.__class__}", "b": None}) == "{b} {{ {b.__class__}{b}"
