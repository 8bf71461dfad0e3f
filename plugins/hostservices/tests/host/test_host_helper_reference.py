"""The page about the root helper says what it may do, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from manor_hostservices.helper.server import LINE_SECONDS, MOST_CONNECTIONS
from manor_hostservices.helper.wire import LINE_LIMIT, seconds_for
from manor_hostservices.jobs.ledger import KEPT, LOG_LIMIT
from manor_hostservices.refusals import REFUSALS
from manor_hostservices.verbs import (
    ChangeVerb,
    DeleteUser,
    Job,
    JobKind,
    Pull,
    ReadTimezone,
    ReadVerb,
    SetBackupStore,
    SwitchService,
)

PAGE = (Path(__file__).parents[4] / "docs/reference/hostservices-helper.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> dict[str, set[str]]:
    """The first cell of each row of a table, and the names that its second cell has."""
    found = re.findall(r"^\| `([\w.]+)` \|([^|]*)\|", text, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+\??)`", cell)) for name, cell in found}


@pytest.mark.parametrize(("title", "verbs"), [("Reading", ReadVerb), ("Changing", ChangeVerb)])
def test_every_verb_is_there_with_its_members_and_no_other(title: str, verbs: object) -> None:
    declared = {
        str(verb.__struct_config__.tag): {
            info.name if info.required else f"{info.name}?" for info in msgspec.structs.fields(verb)
        }
        for verb in get_args(verbs)
    }

    assert rows(section(title)) == declared


def test_every_refusal_and_every_state_of_a_job_is_there() -> None:
    assert set(rows(section("The line"))) == set(REFUSALS)
    [states] = [info.type for info in msgspec.structs.fields(Job) if info.name == "state"]
    assert [word for word in (*get_args(states), *get_args(JobKind)) if f"`{word}`" not in section("Jobs")] == []


def test_its_bounds_are_those_of_the_code() -> None:
    line = section("The line")
    assert f"{LINE_LIMIT:,} bytes" in line
    assert f"within {LINE_SECONDS:.0f} seconds" in line
    assert f"{MOST_CONNECTIONS} connections" in " ".join(line.split())
    assert f"has {seconds_for(ReadTimezone()):.0f} seconds" in line
    for verb in (
        SwitchService("gitea", True), DeleteUser("eve"), SetBackupStore("a", "b", "bucket"), Pull()
    ):  # fmt: skip
        assert f"`{verb.__struct_config__.tag}` {seconds_for(verb):.0f}" in " ".join(line.split())
    assert f"newest {KEPT}" in section("Jobs")
    assert f"{LOG_LIMIT >> 20} MiB" in section("Jobs")
