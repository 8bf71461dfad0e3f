"""A host that takes its time, is busy, or fails: what is told, and what is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from manor.testing import Client, House
from manor_hostservices.helper.server import Helper
from manor_hostservices.refusals import Conflicting, Failed, Missing, NotHere
from manor_hostservices.verbs import (
    DeleteUser,
    Job,
    ReadJobs,
    SetSsh,
    SetTimezone,
    SshSettings,
    StartJob,
    SwitchService,
    Verb,
)
from tests.host_clock import jumping
from tests.host_helper import OURSELVES, listening
from tests.host_jobs import NOON, job_id
from tests.host_stand_ins import Answers

ZONES = {"Europe/Kyiv": Failed("systemd says no"), "Europe/Berlin": Conflicting("not now"), "UTC": Missing("none")}

RUNNING = [Job(job_id(1), "rollback", "running", NOON), Job(job_id(2), "upgrade", "running", NOON, dry_run=True)]


async def answer(verb: Verb[Any]) -> Any:
    match verb:
        case SwitchService() | DeleteUser():
            await trio.sleep(95)
            return None
        case SetSsh():
            await trio.sleep(95)
            return SshSettings()
        case ReadJobs():
            return RUNNING
        case StartJob():
            raise Conflicting("A job is running: rollback")
        case SetTimezone() if verb.zone in ZONES:
            raise ZONES[verb.zone]
        case SetTimezone():
            await trio.sleep(95)
            return None
    raise NotHere("not of this host")


@pytest.fixture
async def host_table(tmp_path: Path) -> AsyncIterator[Mapping[str, Any]]:
    path = tmp_path / "host.sock"
    with listening(path) as socket:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket.dup()))
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(Helper(Answers(answer), OURSELVES).serve, listener)
            yield {"backend": "systemd", "root": "", "helper_socket": str(path)}
            nursery.cancel_scope.cancel()


async def noted(house: House) -> list[tuple[str, str, str | None]]:
    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    return [(row.action, row.target, row.detail) for row in rows if row.action.startswith("hostservices.")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/services/gitea/disable", None),
        ("DELETE", "/users/eve_1", None),
        ("PUT", "/services/ssh", {"enable": False}),
    ],
)
async def test_a_change_that_takes_its_time_is_answered_when_it_is_done(
    phone: Client, mock_clock: trio.testing.MockClock, method: str, path: str, body: Any
) -> None:
    with jumping(mock_clock):
        answer = await phone.request(method, path, json=body)

    assert answer.status == 200


async def test_a_change_that_nobody_waits_for_is_written_down_all_the_same(
    house: House, phone: Client, mock_clock: trio.testing.MockClock
) -> None:
    with jumping(mock_clock):
        answer = await phone.put("/system/configuration/timezone", json={"timezone": "Africa/Cairo"})

    assert answer.status == 503
    assert await noted(house) == [("hostservices.timezone.set", "Africa/Cairo", '{"outcome":"unknown"}')]


async def test_what_fails_is_written_down_and_what_is_refused_is_not(house: House, phone: Client) -> None:
    statuses = [(await phone.put("/system/configuration/timezone", json={"timezone": zone})).status for zone in ZONES]

    assert statuses == [503, 409, 404]
    assert await noted(house) == [("hostservices.timezone.set", "Europe/Kyiv", '{"outcome":"failed"}')]


@pytest.mark.parametrize(("kind", "status"), [("rollback", 200), ("upgrade", 409), ("apply", 409)])
async def test_what_runs_already_is_begun_and_a_rehearsal_is_not(phone: Client, kind: str, status: int) -> None:
    assert (await phone.get(f"/system/configuration/{kind}")).status == status
