"""The border to the root helper, on a real socket: what does not get through."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog.testing
import trio
import trio.testing

from manor_hostservices.helper.client import MOST_AT_ONCE, HelperHost
from manor_hostservices.helper.server import MOST_CONNECTIONS
from manor_hostservices.helper.wire import LINE_LIMIT
from manor_hostservices.refusals import NotHere
from manor_hostservices.verbs import (
    AddUser,
    ReadKeys,
    ReadTimezone,
    ReadUsers,
    SetTimezone,
    Verb,
)
from tests.host_helper import open_helper, tell
from tests.host_jobs import job_id
from tests.host_stand_ins import HASH, KEY, Answers, Nobody, at, line, sandbox

# --- What does not -------------------------------------------------------------------------------------------------


HOSTILE = {
    "nothing": b"",
    "an empty line": b"\n",
    "half a line": b'{"verb":"timezone.read"}',
    "no JSON": b"timezone.read\n",
    "no UTF-8": b'{"verb":"keys.read","user":"\xff\xfe"}\n',
    "a lone surrogate": b'{"verb":"keys.read","user":"\\ud800"}\n',
    "a NUL": b"\x00" * 100 + b"\n",
    "an array": b'["timezone.read"]\n',
    "null": b"null\n",
    "deep nesting": b"[" * 50_000 + b"\n",
    "deep nesting before the verb": b'{"x":' + b"[" * 50_000 + b"\n",
    "no verb": b"{}\n",
    "an unknown verb": line(verb="shell.run", argv=["id"]),
    "a verb that is none": line(verb=["timezone.read"]),
    "a verb in capitals": line(verb="TIMEZONE.READ"),
    "another member": line(verb="timezone.read", root="/"),
    "two verbs": line(verb="timezone.read") + line(verb="timezone.read"),
    "a huge line": b'{"verb":"keys.add","user":"eve","key":"' + b"x" * (4 << 20) + b'"}\n',
    "a huge line without an end": b"x" * (4 << 20),
    "a unit in place of a key": line(verb="services.switch", key="gitea.service", on=True),
    "a path in place of a key": line(verb="services.switch", key="../../etc/shadow", on=True),
    "an option in place of a key": line(verb="services.switch", key="-x", on=True),
    "a key of two lines": line(verb="services.switch", key="gitea\nssh", on=True),
    "a key with an end of line": line(verb="services.switch", key="gitea\n", on=True),
    "a key that is unknown": line(verb="services.switch", key="sshd", on=True),
    "a text in place of a claim": line(verb="services.switch", key="gitea", on="true"),
    "a zone that is a path": line(verb="timezone.set", zone="../../etc/shadow"),
    "a zone of two lines": line(verb="timezone.set", zone="Europe/Berlin\n"),
    "a zone that is an option": line(verb="timezone.set", zone="-x"),
    "an account that is an option": line(verb="users.add", name="-x", password_hash=HASH),
    "an account of the system": line(verb="users.add", name="root", password_hash=HASH),
    "an account of two lines": line(verb="users.add", name="eve\nroot::0:0", password_hash=HASH),
    "an account with a colon": line(verb="users.add", name="eve:x", password_hash=HASH),
    "an account that is a path": line(verb="users.delete", name="../../etc"),
    "a hash that is none": line(verb="users.add", name="eve", password_hash="secret"),
    "a hash of two lines": line(verb="users.add", name="eve", password_hash=f"{HASH}\nroot::0:0"),
    "a hash with a colon": line(verb="users.add", name="eve", password_hash=f"{HASH}:0:0"),
    "the system's account's removal": line(verb="users.delete", name="root"),
    "keys of a system account": line(verb="keys.add", user="daemon", key=KEY),
    "keys of a path": line(verb="keys.read", user="../../root"),
    "a key of two": line(verb="keys.add", user="root", key=f"{KEY}\n{KEY}"),
    "a key with options": line(verb="keys.add", user="root", key=f'command="id" {KEY}'),
    "a journal of a unit": line(verb="services.journal", key="ssh.service"),
    "a journal's cursor that is an option": line(verb="services.journal", key="gitea", after="--since=0"),
    "a job that is a path": line(verb="jobs.log", id="../../../etc/shadow"),
    "a job of an unknown kind": line(verb="jobs.start", id=job_id(1), kind="shell"),
    "a job with an id of its own making": line(verb="jobs.start", id="-x", kind="apply"),
    "a job with arguments": line(verb="jobs.start", id=job_id(1), kind="apply", argv=["id"]),
    "a backup that is an option": line(verb="jobs.start", id=job_id(1), kind="restore", snapshot="--target=/"),
    "a bucket that is a path": line(verb="backups.store", account="a", secret="b", bucket="../../etc"),
    "a bucket that is an option": line(verb="backups.store", account="a", secret="b", bucket="-o"),
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_is_no_verb_is_refused_and_nothing_is_changed(tmp_path: Path, data: bytes) -> None:
    root = tmp_path / "root"
    async with open_helper(at(tmp_path), sandbox(root)):
        with structlog.testing.capture_logs() as logs:
            said = await tell(at(tmp_path), data)
        assert await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadUsers()) == []

    refused = msgspec.json.decode(said)["refused"]
    assert refused["kind"] in ("invalid", "missing", "conflict")
    assert len(refused["detail"]) <= 2000
    assert not (root / "var/lib/manor-host/state.json").exists()
    assert [(entry["event"], entry["result"], entry["log_level"]) for entry in logs] == [
        ("asked", refused["kind"], "info")
    ]


async def test_somebody_else_is_refused_before_he_says_a_word(tmp_path: Path) -> None:
    async with open_helper(at(tmp_path), Nobody(), peers=[os.getuid() + 1]):
        with structlog.testing.capture_logs() as logs:
            said = await tell(at(tmp_path), b"", is_over=False)
        with pytest.raises(NotHere, match="Only root and Manor's own user"):
            await HelperHost(str(at(tmp_path)), Nobody()).ask(SetTimezone("Europe/Berlin"))

    assert msgspec.json.decode(said)["refused"]["kind"] == "unavailable"
    assert [(entry["uid"], entry["pid"], entry["verb"]) for entry in logs] == [(os.getuid(), os.getpid(), "?")]


async def test_a_client_that_says_nothing_is_not_waited_for(tmp_path: Path) -> None:
    async with open_helper(at(tmp_path), Nobody(), line_seconds=0.05):
        said = await tell(at(tmp_path), b'{"verb":', is_over=False)

    assert msgspec.json.decode(said)["refused"]["kind"] == "invalid"


async def test_a_line_that_is_too_long_is_not_heard_to_its_end(tmp_path: Path) -> None:
    async with open_helper(at(tmp_path), Nobody(), line_seconds=3600):
        said = await tell(at(tmp_path), b"x" * (LINE_LIMIT + 1), is_over=False)

    assert msgspec.json.decode(said)["refused"]["kind"] == "invalid"


async def test_a_client_that_takes_no_answer_is_not_waited_for(tmp_path: Path) -> None:
    async def answer(verb: Verb[Any]) -> str:
        return "x" * (1 << 20)

    async with open_helper(at(tmp_path), Answers(answer), line_seconds=0.5, most_connections=1):
        stream = await trio.open_unix_socket(str(at(tmp_path)))
        async with stream:
            await stream.send_all(line(verb="timezone.read"))
            # There is room for one connection only: this one is served once that one was given up.
            assert len(await tell(at(tmp_path), line(verb="timezone.read"))) > 1 << 20


async def test_a_hundred_connections_at_once_hold_nobody_up_for_long(tmp_path: Path) -> None:
    async with open_helper(at(tmp_path), sandbox(tmp_path / "root"), line_seconds=0.1):
        idle = [await trio.open_unix_socket(str(at(tmp_path))) for _ in range(100)]
        assert await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadUsers()) == []
        for stream in idle:
            await stream.aclose()


async def test_many_ask_at_once_and_each_gets_his_answer(tmp_path: Path) -> None:
    answers: list[list[str]] = []

    async def ask(number: int) -> None:
        host = HelperHost(str(at(tmp_path)), Nobody())
        await host.ask(AddUser(f"person_{number}", HASH))
        answers.append(await host.ask(ReadKeys(f"person_{number}")))

    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")), trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(ask, number)

    assert answers == [[]] * 60


async def test_the_daemon_leaves_room_for_others(tmp_path: Path) -> None:
    asking: list[int] = []
    now = 0

    async def answer(verb: Verb[Any]) -> str:
        nonlocal now
        now += 1
        asking.append(now)
        await trio.testing.wait_all_tasks_blocked(0.01)
        now -= 1
        return "Europe/Berlin"

    async with open_helper(at(tmp_path), Answers(answer)):
        host = HelperHost(str(at(tmp_path)), Nobody())
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(host.ask, ReadTimezone())

    assert len(asking) == 200
    assert max(asking) == MOST_AT_ONCE < MOST_CONNECTIONS
