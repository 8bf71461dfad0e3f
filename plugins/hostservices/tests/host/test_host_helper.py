"""The border to the root helper, on a real socket: what gets through, and what does not."""

from __future__ import annotations

import os
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import structlog.testing
import trio
import trio.testing

from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.helper.client import MOST_AT_ONCE, HelperHost
from manor_hostservices.helper.configured import Configured
from manor_hostservices.helper.server import MOST_CONNECTIONS, Helper
from manor_hostservices.helper.wire import LINE_LIMIT, encode_verb, seconds_for
from manor_hostservices.host import Host
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.places import Places
from manor_hostservices.programs import WrittenDown
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, Missing, NotHere
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    AutoUpgrade,
    Backups,
    DeleteUser,
    Job,
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
from tests.host_helper import OURSELVES, listening, open_helper, tell
from tests.host_jobs import Working, asked, job_id, new_ledger
from tests.host_keys import new_key

A = TypeVar("A")

HASH = "$6$saltsalt$" + "x" * 86


class Store:
    """Backups that know nothing and take no credentials."""

    async def known(self) -> Backups:
        return Backups("NO_KEY", snapshots=[{"short_id": "0a1b2c3d"}])

    async def set_store(self, verb: SetBackupStore) -> None:
        raise Failed(f"The store does not let {verb.account} in")


def sandbox(root: Path) -> Desk:
    """A whole host that is a folder; it checks what it is told as every host does."""
    config = HostConfig(backend="sandbox", root=str(root), dkim_file="/var/dkim/a.txt")
    backend = Sandbox(config, Places(root), WrittenDown())

    async def work(report: object) -> None:
        await trio.sleep_forever()

    return Desk(backend, InProcessJobs(new_ledger(root), backend, Working(work)), Store())


class Answers:
    """A host that does as a test says.

    Args:
        answer: Takes a verb and gives the answer.
    """

    def __init__(self, answer: Callable[[Verb[Any]], Awaitable[Any]]) -> None:
        self._answer = answer

    async def ask(self, verb: Verb[A]) -> A:
        answer: A = await self._answer(verb)
        return answer


class Nobody:
    """A host that must not be asked."""

    async def ask(self, verb: Verb[A]) -> A:
        raise AssertionError(f"asked {verb!r}")


def at(folder: Path) -> Path:
    return folder / "helper.sock"


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


# --- What does not -------------------------------------------------------------------------------------------------


def line(**members: object) -> bytes:
    return msgspec.json.encode(members) + b"\n"


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxbR0Ww0bo0EXWWpp9BpZ/hIYYzZ0cUcmFm8QhgK3Fk"

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


# --- The daemon's end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: None, "nobody listens at {}"),
        (lambda path: listening(path).close(), "nobody listens at {}"),
        (lambda path: path.write_text("no socket"), "nobody listens at {}"),
    ],
    ids=["no file", "nobody behind it", "no socket"],
)
async def test_without_a_helper_there_is_looking_and_no_touching(
    tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(at(tmp_path))
    host = HelperHost(str(at(tmp_path)), sandbox(tmp_path / "root"))

    assert await host.ask(ReadTimezone()) == "Europe/Uzhgorod"
    with pytest.raises(NotHere, match=r"read-only.*manor-host\.socket") as refused:
        await host.ask(SetTimezone("Europe/Berlin"))

    assert why.format(at(tmp_path)) in refused.value.detail
    assert host.trouble is not None
    assert await host.look() == host.trouble


async def test_what_only_root_may_read_is_told_so(tmp_path: Path) -> None:
    async def answer(verb: Verb[Any]) -> list[Job]:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(NotHere, match="Only root may look at this"):
        await HelperHost(str(at(tmp_path)), Answers(answer)).ask(ReadJobs())


async def test_a_helper_that_comes_back_is_asked_again(tmp_path: Path) -> None:
    host = HelperHost(str(at(tmp_path)), sandbox(tmp_path / "own"))
    assert await host.look() is not None
    with pytest.raises(NotHere):
        await host.ask(SetTimezone("Europe/Berlin"))

    async with open_helper(at(tmp_path), sandbox(tmp_path / "root")):
        assert await host.look() is None
        await host.ask(SetTimezone("Europe/Berlin"))
        assert await host.ask(ReadTimezone()) == "Europe/Berlin"


async def test_looking_whether_there_is_one_starts_none(tmp_path: Path) -> None:
    with listening(at(tmp_path)) as socket_:
        assert await HelperHost(str(at(tmp_path)), Nobody()).look() is None
        socket_.setblocking(False)
        with pytest.raises(BlockingIOError):
            socket_.accept()


@pytest.mark.parametrize(
    "said",
    [b"", b'{"answer":"Europe', b"{}\n", b'{"answer":3}\n', b"what?\n", b'{"refused":{"kind":"odd","detail":""}}\n'],
)
async def test_a_helper_that_makes_no_sense_is_a_failure(tmp_path: Path, said: bytes) -> None:
    with listening(at(tmp_path)) as socket_:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_.dup()))

        async def serve(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.send_all(said)

        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            with pytest.raises(Failed):
                await HelperHost(str(at(tmp_path)), Nobody()).ask(ReadTimezone())
            nursery.cancel_scope.cancel()


def test_a_verb_that_would_be_too_long_is_not_sent() -> None:
    assert len(encode_verb(AddKey("eve", "x" * 8192))) < LINE_LIMIT
    with pytest.raises(Invalid):
        encode_verb(AddKey("eve", "x" * LINE_LIMIT))


async def test_a_changed_configuration_is_taken_at_the_next_call(tmp_path: Path) -> None:
    configs = [HostConfig(primary_user="first"), HostConfig(primary_user="first"), HostConfig(primary_user="second")]
    made: list[str] = []

    def make(config: HostConfig) -> Host:
        made.append(config.primary_user)
        return sandbox(tmp_path)

    host = Configured(lambda: configs.pop(0), make)
    for _ in range(3):
        await host.ask(ReadUsers())

    assert made == ["first", "second"]
