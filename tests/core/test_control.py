"""The control socket: who is heard, what is refused, and that a command cannot tell which way it runs."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from manor.config import load
from manor.control import SOCKET, CommandRefused, NoAnswer, ask_daemon, asking, call_house
from manor.control.answering import READ_SECONDS, serve_control
from manor.control.wire import REQUEST_LIMIT
from manor.errors import Conflict, ManorError
from manor.lock import locked
from manor.plugins import Command


class Greet(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Greeted(msgspec.Struct):
    text: str
    pid: int


class Residence:
    """All that the control socket needs of a house."""

    def __init__(self) -> None:
        runs = {"greet": self.greet, "refuse": self.refuse, "fail": self.fail, "hang": self.hang}
        self.commands = {
            f"doorbell.{name}": Command(f"doorbell.{name}", Greet, run, Greeted) for name, run in runs.items()
        }
        self.commands["doorbell.dawdle"] = Command("doorbell.dawdle", Greet, self.hang, Greeted, seconds=3600)

    async def greet(self, arguments: Greet) -> Greeted:
        return Greeted(f"hello {arguments.name}", os.getpid())

    async def refuse(self, arguments: Greet) -> Greeted:
        raise Conflict(f"{arguments.name} is here already")

    async def fail(self, arguments: Greet) -> Greeted:
        raise ZeroDivisionError("a bug")

    async def hang(self, arguments: Greet) -> Greeted:
        await trio.sleep_forever()
        raise AssertionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory whose path is too long for a socket's address."""
    deep = tmp_path / ("a-folder-with-a-long-name" * 4) / "data"
    deep.mkdir(parents=True)
    return deep


@pytest.fixture
async def served(folder: Path, nursery: trio.Nursery) -> AsyncIterator[Path]:
    path = folder / SOCKET
    await nursery.start(serve_control, Residence(), path)
    yield path
    nursery.cancel_scope.cancel()


def mode_of(path: Path) -> str:
    return stat.filemode(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def ask(path: Path, *, sends: bytes = b"", ends: bool = True, **request: Any) -> Any:
    """What the socket answers to raw bytes, or to a request."""
    folder = os.open(path.parent, os.O_PATH)
    try:
        stream = trio.SocketStream(trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        await stream.socket.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    async with stream:
        await stream.send_all(sends or json.dumps(request).encode())
        if ends:
            await stream.send_eof()
        return json.loads(b"".join([chunk async for chunk in stream]))


async def test_a_command_runs_in_the_daemon(served: Path) -> None:
    answer = await ask(served, command="doorbell.greet", arguments={"name": "Ada"})

    assert answer == {"result": {"text": "hello Ada", "pid": os.getpid()}}


async def test_only_the_owner_may_open_the_socket(served: Path) -> None:
    assert mode_of(served) == "srw-------"


async def test_another_user_is_not_heard(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root would be heard whoever the daemon is, so both are somebody else's for this test.
    credentials = struct.pack("3i", 1, 12345, 12345)
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: credentials)

    answer = await ask(served, command="doorbell.greet", arguments={"name": "Ada"})

    assert answer["error"]["status"] == 403


@pytest.mark.parametrize(
    ("sends", "status", "words"),
    [
        (b"{", 400, "Not a request"),
        (b"\xff\xfe", 400, "Not a request"),
        (b'{"arguments": {}}', 400, "missing required field `command`"),
        (b'{"command": "doorbell.greet", "sudo": true}', 400, "sudo"),
        (b'{"command": "doorbell.greet"}', 422, "doorbell.greet: Object missing required field `name`"),
        (b'{"command": "doorbell.greet", "arguments": {"name": 1}}', 422, "Expected `str`, got `int` - at `$.name`"),
        (b'{"command": "doorbell.melt"}', 404, "This house has no command 'doorbell.melt'"),
        (b'{"command": "doorbell.refuse", "arguments": {"name": "Ada"}}', 409, "Ada is here already"),
        (b" " * (3 * REQUEST_LIMIT), 413, "over 1048576 bytes"),
    ],
)
async def test_what_cannot_be_done_is_refused(served: Path, sends: bytes, status: int, words: str) -> None:
    error = (await ask(served, sends=sends))["error"]

    assert error["status"] == status
    assert words in error["detail"]


async def test_a_request_that_never_ends_is_given_up(served: Path, autojump_clock: trio.testing.MockClock) -> None:
    error = (await ask(served, sends=b'{"command"', ends=False))["error"]

    assert error["status"] == 408
    assert trio.current_time() == pytest.approx(READ_SECONDS, abs=0.1)


@pytest.mark.parametrize(("name", "seconds"), [("hang", 300), ("dawdle", 3600)])
async def test_a_command_that_hangs_is_stopped_when_its_time_is_over(
    served: Path, autojump_clock: trio.testing.MockClock, name: str, seconds: int
) -> None:
    error = (await ask(served, command=f"doorbell.{name}", arguments={"name": "Ada"}))["error"]

    assert error == {"status": 503, "detail": f"doorbell.{name} was not done after {seconds} s and was stopped"}


async def test_a_command_that_breaks_costs_the_daemon_nothing(served: Path) -> None:
    error = (await ask(served, command="doorbell.fail", arguments={"name": "Ada"}))["error"]

    assert error == {"status": 500, "detail": "doorbell.fail failed; the log says why"}
    assert "result" in await ask(served, command="doorbell.greet", arguments={"name": "Ada"})


async def test_a_client_that_leaves_early_costs_the_daemon_nothing(served: Path) -> None:
    with trio.move_on_after(0), pytest.raises(trio.Cancelled):
        await ask(served, command="doorbell.greet", arguments={"name": "Ada"})

    assert "result" in await ask(served, command="doorbell.greet", arguments={"name": "Ada"})


async def test_a_socket_that_a_crash_left_behind_is_replaced(folder: Path, nursery: trio.Nursery) -> None:
    path = folder / SOCKET
    path.touch()
    path.with_name(f"{path.name}.new").touch()

    await nursery.start(serve_control, Residence(), path)

    assert "result" in await ask(path, command="doorbell.greet", arguments={"name": "Ada"})
    assert names_in(folder) == [SOCKET]


async def test_the_socket_is_removed_at_the_end(folder: Path) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, Residence(), folder / SOCKET)
        nursery.cancel_scope.cancel()

    assert names_in(folder) == []


# --- From the shell ------------------------------------------------------------------------------------------------


@pytest.fixture
def config(folder: Path) -> Path:
    path = folder.parent / "config.toml"
    path.write_text(f'[server]\ndata_dir = "{folder}"\n')
    return path


async def call(config: Path, command: str) -> Greeted:
    """`call_house` as a shell would call it: with a loop of its own."""
    return await trio.to_thread.run_sync(call_house, config, command, Greet("Ada"), Greeted)


async def test_with_a_daemon_the_command_runs_in_it(served: Path, config: Path) -> None:
    with locked(served.parent):
        greeted = await call(config, "doorbell.greet")

    assert greeted.text == "hello Ada"


async def test_what_the_daemon_refuses_is_refused_in_the_shell(served: Path, config: Path) -> None:
    with locked(served.parent), pytest.raises(CommandRefused, match="Ada is here already") as refused:
        await call(config, "doorbell.refuse")

    assert refused.value.status == 409


async def test_without_a_daemon_the_house_is_opened_for_the_command(folder: Path, config: Path) -> None:
    with pytest.raises(CommandRefused, match=r"This house has no command 'doorbell\.greet'"):
        await call(config, "doorbell.greet")

    assert (folder / "manor.db").exists()
    assert not (folder / SOCKET).exists()


async def test_a_daemon_that_is_starting_is_waited_for(folder: Path, config: Path, nursery: trio.Nursery) -> None:
    with locked(folder):
        async with trio.open_nursery() as calling:
            answers: list[Any] = []

            async def ask_early() -> None:
                answers.append(await call(config, "doorbell.greet"))

            calling.start_soon(ask_early)
            await trio.testing.wait_all_tasks_blocked()
            await nursery.start(serve_control, Residence(), folder / SOCKET)

    nursery.cancel_scope.cancel()
    assert [answer.text for answer in answers] == ["hello Ada"]


async def test_a_process_that_has_the_house_and_never_listens_is_told(
    folder: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.0)
    with locked(folder), pytest.raises(NoAnswer, match=f"pid {os.getpid()}"):
        await call(config, "doorbell.greet")


async def test_a_request_without_an_answer_is_not_sent_twice(folder: Path, config: Path) -> None:
    asked = 0
    listener = socket.socket(socket.AF_UNIX)
    directory = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{directory}/{SOCKET}")
    os.close(directory)
    listener.listen()

    async def hang_up(stream: trio.SocketStream) -> None:
        nonlocal asked
        asked += 1
        async with stream:
            async for _ in stream:
                pass

    async with trio.open_nursery() as nursery:
        listening = [trio.SocketListener(trio.socket.from_stdlib_socket(listener))]
        await nursery.start(trio.serve_listeners, hang_up, listening)
        with locked(folder), pytest.raises(NoAnswer, match="whether it was done is not known"):
            await call(config, "doorbell.greet")
        nursery.cancel_scope.cancel()

    assert asked == 1


async def test_nobody_to_ask_is_no_error(config: Path) -> None:
    loaded = load(config, {})

    assert await trio.to_thread.run_sync(ask_daemon, loaded, "doorbell.greet", Greet("Ada"), Greeted) is None


def test_an_own_error_of_manor_reads_the_same_both_ways() -> None:
    assert issubclass(CommandRefused, ManorError)


# --- Becoming the daemon's user ------------------------------------------------------------------------------------


def became(user: str, data: Path) -> list[str]:
    """The user after `become`, in a process of its own, for it cannot be undone."""
    code = "import os, sys; from pathlib import Path; from manor.privileges import become; from manor.errors import *\n"
    code += "try: become(sys.argv[1], Path(sys.argv[2])); print(os.getuid(), os.getgroups())\n"
    code += "except AdminFault as fault: print(fault)"
    command = [sys.executable, "-c", code, user, str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


def test_root_becomes_the_configured_user_and_makes_the_data_directory_for_it(tmp_path: Path) -> None:
    data = tmp_path / "deep/data"
    nobody = pwd.getpwnam("nobody")
    is_root = os.geteuid() == 0

    shown = became("nobody", data)

    if is_root:
        assert shown == [f"{nobody.pw_uid} [{nobody.pw_gid}]"]
        assert (data.stat().st_uid, stat.filemode(data.stat().st_mode)) == (nobody.pw_uid, "drwx------")
    else:
        assert shown[0].split()[0] == str(os.getuid())
        assert not data.exists()


def test_without_a_user_root_stays(tmp_path: Path) -> None:
    assert became("", tmp_path / "data")[0].split()[0] == str(os.getuid())


def test_a_user_that_does_not_exist_is_the_admin_s_to_mend(tmp_path: Path) -> None:
    shown = became("no-such-user", tmp_path)[0]

    if os.geteuid() == 0:
        assert shown == "server.user: there is no user 'no-such-user' on this machine"
    else:
        assert shown.split()[0] == str(os.getuid())
