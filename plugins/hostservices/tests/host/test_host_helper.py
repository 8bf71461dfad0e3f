"""The border to the root helper, on a real socket: what gets through, comes and goes."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from manor_hostservices.helper.client import HelperHost
from manor_hostservices.helper.server import Helper
from manor_hostservices.helper.wire import seconds_for
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, Missing, NotHere
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    AutoUpgrade,
    Backups,
    DeleteUser,
    Pull,
    ReadAutoUpgrade,
    ReadBackups,
    ReadDkim,
    ReadJobs,
    ReadKeys,
    ReadServices,
    ReadTimezone,
    ReadUsers,
    SetAutoUpgrade,
    SetBackupStore,
    SetSsh,
    SetTimezone,
    StartJob,
    SwitchService,
    Verb,
)
from tests.host_helper import OURSELVES, listening, open_helper
from tests.host_jobs import asked, job_id
from tests.host_keys import new_key
from tests.host_stand_ins import HASH, KEY, Answers, Nobody, at, line, sandbox

# --- What gets through ---------------------------------------------------------------------------------------------


async def test_every_kind_of_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    dkim = tmp_path / "root/var/dkim/a.txt"
    dkim.parent.mkdir(parents=True)
    dkim.write_bytes(b'x._domainkey IN TXT ( "v=DKIM1; \xff" )')
    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")):
        host = HelperHost(str(at(tmp_path)), Nobody())
        key = new_key()

        await host.ask(SetTimezone("Europe/Berlin"))
        assert await host.ask(ReadTimezone()) == "Europe/Berlin"
        assert await host.ask(SetAutoUpgrade(allow_reboot=True)) == AutoUpgrade(True, True)
        assert await host.ask(ReadAutoUpgrade()) == AutoUpgrade(True, True)
        await host.ask(AddUser("eve", HASH))
        await host.ask(AddKey("eve", key))
        assert await host.ask(ReadUsers()) == ["eve"]
        assert await host.ask(ReadKeys("eve")) == [key]
        assert await host.ask(ReadDkim()) == dkim.read_bytes()
        assert [state.status for state in await host.ask(ReadServices()) if state.key == "imap"] == [0]
        assert await host.ask(ReadBackups()) == Backups("NO_KEY", snapshots=[{"short_id": "0a1b2c3d"}])
        assert await host.ask(ReadJobs()) == []
        assert host.trouble is None


@pytest.mark.parametrize(
    ("verb", "refusal"),
    [
        (SetTimezone("../../etc/shadow"), Invalid("Invalid timezone")),
        (ReadKeys("eve"), Missing("User not found")),
        (AddUser("root", HASH), Conflicting("Username is forbidden")),
        (SetBackupStore("me", "secret", "bucket"), Failed("The store does not let me in")),
        (StartJob(job_id(1), "backup"), NotHere("Manor is starting or stopping")),
    ],
)
async def test_every_kind_of_refusal_comes_back_as_it_was(
    tmp_path: Path, verb: Verb[Any], refusal: HostRefusal
) -> None:
    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")):
        with pytest.raises(type(refusal)) as refused:
            await HelperHost(str(at(tmp_path)), Nobody()).ask(verb)

    assert refused.value.detail == refusal.detail


async def test_an_answer_may_be_large(tmp_path: Path) -> None:
    snapshots = [{"short_id": f"{number:08x}", "paths": ["/var"] * 20} for number in range(20_000)]

    async def answer(verb: Verb[Any]) -> Backups:
        return Backups("INITIALIZED", snapshots=snapshots)

    async with open_helper(at(tmp_path), Answers(answer)):
        known = await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadBackups())

    assert known.snapshots == snapshots


# --- What nobody thought of ----------------------------------------------------------------------------------------


async def test_an_unexpected_error_is_told_in_the_journal_alone(tmp_path: Path) -> None:
    async def answer(verb: Verb[Any]) -> str:
        if isinstance(verb, SetTimezone):
            raise ZeroDivisionError("the secret is 42")
        return "Europe/Berlin"

    async with open_helper(at(tmp_path), Answers(answer)):
        host = HelperHost(str(at(tmp_path)), Nobody())
        with structlog.testing.capture_logs() as logs, pytest.raises(Failed) as refused:
            await host.ask(SetTimezone("Europe/Berlin"))
        assert await host.ask(ReadTimezone()) == "Europe/Berlin"

    assert "42" not in refused.value.detail
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("a verb failed unexpectedly", "error"),
        ("asked", "info"),
    ]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


@pytest.mark.parametrize("answer", ["\udcff", object()], ids=["no text", "no JSON"])
async def test_an_answer_that_cannot_be_said_is_a_failure(tmp_path: Path, answer: object) -> None:
    async def give(verb: Verb[Any]) -> object:
        return answer

    async with open_helper(at(tmp_path), Answers(give)):
        with structlog.testing.capture_logs() as logs, pytest.raises(Failed):
            await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadTimezone())

    assert [entry["event"] for entry in logs] == ["a verb failed unexpectedly", "asked"]


async def test_a_machine_without_room_for_a_connection_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")):
        with structlog.testing.capture_logs() as logs:
            client = await trio.open_unix_socket(str(at(tmp_path)))
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.socket.fileno() + 1, hard))
            try:
                await trio.sleep(0.05)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            async with client:
                await client.send_all(line(verb="users.read"))
                assert await client.receive_some() == b'{"answer":[]}\n'

    assert logs[0]["event"] == "no connection can be taken"


async def test_a_verb_that_takes_too_long_is_ended(tmp_path: Path, autojump_clock: object) -> None:
    async def answer(verb: Verb[Any]) -> None:
        await trio.sleep_forever()

    host = Answers(answer)
    path = at(tmp_path)
    with listening(path) as socket_:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_.dup()))
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(Helper(host, OURSELVES).serve, listener)
            with pytest.raises(Failed, match="too long"):
                await HelperHost(str(path), Nobody()).ask(Pull())
            took = trio.current_time()
            nursery.cancel_scope.cancel()

    assert took == pytest.approx(seconds_for(Pull()), abs=1)


async def test_what_was_asked_is_done_though_whoever_asked_is_gone(tmp_path: Path) -> None:
    begun, go_on, done = trio.Event(), trio.Event(), trio.Event()

    async def answer(verb: Verb[Any]) -> None:
        begun.set()
        await go_on.wait()
        done.set()

    async with open_helper(at(tmp_path), Answers(answer)):
        stream = await trio.open_unix_socket(str(at(tmp_path)))
        await stream.send_all(line(verb="configuration.pull"))
        await begun.wait()
        await stream.aclose()
        go_on.set()
        await done.wait()


# --- Coming and going ----------------------------------------------------------------------------------------------


async def test_it_goes_when_nobody_has_asked_for_a_while(tmp_path: Path, autojump_clock: object) -> None:
    async def answer(verb: Verb[Any]) -> str:
        await trio.sleep(70)
        return "Europe/Berlin"

    ended: list[float] = []
    with listening(at(tmp_path)) as socket_:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_.dup()))

        async def serve() -> None:
            await Helper(Answers(answer), OURSELVES, idle_seconds=30).serve(listener)
            ended.append(trio.current_time())

        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await trio.sleep(20)
            assert await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadTimezone()) == "Europe/Berlin"

    assert ended == [pytest.approx(20 + 70 + 30, abs=0.5)]


async def test_a_helper_that_is_stopped_finishes_what_it_has_begun(tmp_path: Path) -> None:
    begun, go_on = trio.Event(), trio.Event()

    async def answer(verb: Verb[Any]) -> str:
        begun.set()
        await go_on.wait()
        return "Europe/Berlin"

    said: list[str] = []

    async def ask() -> None:
        said.append(await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadTimezone()))

    async with open_helper(at(tmp_path), Answers(answer)) as helper, trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await begun.wait()
        helper.stop()
        go_on.set()

    assert said == ["Europe/Berlin"]


# --- What the journal gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (SwitchService("gitea", True), {"service": "gitea", "on": True}),
        (SetSsh(enable=False, force=True), {"enable": False, "passwords": None, "force": True}),
        (AddUser("eve", HASH), {"name": "eve"}),
        (DeleteUser("eve"), {"name": "eve"}),
        (AddKey("eve", KEY), {"user": "eve"}),
        (AddKey('e\nve" result=done', KEY), {"user": "e\\nve' result=done"}),
        (ReadKeys("x" * 64), {"user": "x" * 64}),
        (SetTimezone("Europe/Berlin"), {"zone": "Europe/Berlin"}),
        (SetBackupStore("me", "my secret", "bucket"), {"bucket": "bucket", "test": False}),
        (asked(kind="restore"), {"id": job_id(1), "kind": "restore", "snapshot": None, "dry_run": False}),
        (ReadUsers(), {}),
    ],
)
async def test_the_journal_names_who_asked_what_and_no_secret(
    tmp_path: Path, verb: Verb[Any], told: dict[str, object]
) -> None:
    async def answer(verb: Verb[Any]) -> None:
        raise Conflicting("no")

    async with open_helper(at(tmp_path), Answers(answer)):
        with structlog.testing.capture_logs() as logs, pytest.raises(Conflicting):
            await HelperHost(str(at(tmp_path)), Nobody()).ask(verb)

    [entry] = logs
    assert entry.pop("ms") >= 0
    tag = str(verb.__struct_config__.tag)
    assert entry == {
        "event": "asked", "log_level": "info", "verb": tag, **told,
        "uid": os.getuid(), "pid": os.getpid(), "result": "conflict",
    }  # fmt: skip
