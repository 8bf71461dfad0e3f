"""Commands of an admin's shell: run in this process when nobody has the house open, else in the daemon that has.

The daemon listens on `data_dir/control.sock` (0600). One connection carries one request, a JSON object
`{"command", "arguments"}` ended by closing the sending half, and its answer, `{"result"}` or `{"error": {"status",
"detail"}}`. Only root and the daemon's own user are heard.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec
import structlog
import trio

from manor.config import Loaded, load
from manor.errors import AdminFault, ManorError, Refused
from manor.lock import HouseIsOpen
from manor.privileges import become

if TYPE_CHECKING:
    from manor.plugins import Command

SOCKET = "control.sock"
REQUEST_LIMIT = 1 << 20
ANSWER_LIMIT = 16 << 20
READ_SECONDS = 10.0
RUN_SECONDS = 300.0
ANSWER_SECONDS = 30.0

PATIENCE = 10.0
"""How long a command waits for a daemon that has the house open and does not listen yet."""

R = TypeVar("R")

log = structlog.get_logger("manor.control")


class NoAnswer(ManorError):
    """Another process has the house open, and nobody answers at its control socket."""


class CommandRefused(ManorError):
    """The command said no; `status` is the HTTP status that says how."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Commanded(Protocol):
    """What the control socket needs of a house."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """All commands by name."""
        ...


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Error(msgspec.Struct, frozen=True):
    status: int
    detail: str


class _Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


# --- In the daemon -------------------------------------------------------------------------------------------------


async def serve_control(
    house: Commanded, path: Path, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer commands at a socket until cancelled; whoever calls holds the house's lock.

    Args:
        house: Whose commands are run.
        path: The socket; one that a crash left behind is replaced, and it is removed at the end.
        task_status: Told once the socket listens.
    """
    with _listening(path) as listener:
        await trio.serve_listeners(partial(_converse, house.commands), [listener], task_status=task_status)


@contextmanager
def _listening(path: Path) -> Iterator[trio.SocketListener]:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with _address(fresh) as address:
        sock.bind(address)
    # Nobody connects between bind and chmod, for the name is not yet the one that they know.
    fresh.chmod(0o600)
    sock.listen(16)
    fresh.rename(path)
    try:
        yield trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A path as a socket address. Those take 107 bytes; a longer path goes by an open descriptor of its folder."""
    if len(os.fsencode(path)) < 108:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _converse(commands: Mapping[str, Command], stream: trio.SocketStream) -> None:
    """One connection: one request, one answer."""
    async with stream:
        try:
            answer = await _answer_to(commands, stream)
            with trio.move_on_after(ANSWER_SECONDS):
                await stream.send_all(msgspec.json.encode(answer))
                await stream.send_eof()
        except trio.BrokenResourceError:
            return  # the shell that asked is gone; what it asked for is done


async def _answer_to(commands: Mapping[str, Command], stream: trio.SocketStream) -> _Answer:
    try:
        with trio.fail_after(READ_SECONDS):
            # To its end, whatever it is: closing on bytes that nobody read would take the answer away with them.
            body = await _read(stream, REQUEST_LIMIT)
        if not _is_trusted(stream):
            return _refusal(403, "Only root and the daemon's own user may use the control socket")
        request = msgspec.json.decode(body, type=_Request)
    except trio.TooSlowError:
        return _refusal(408, f"No whole request came within {READ_SECONDS:g} s")
    except _TooLong:
        return _refusal(413, f"The request is over {REQUEST_LIMIT} bytes")
    except msgspec.DecodeError as error:
        return _refusal(400, f"Not a request: {error}")
    return await _run(commands, request)


def _is_trusted(stream: trio.SocketStream) -> bool:
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (0, os.geteuid())


async def _run(commands: Mapping[str, Command], request: _Request) -> _Answer:
    """Run one command, the same way here and in the daemon; every failure becomes an answer."""
    command = commands.get(request.command)
    if command is None:
        return _refusal(404, f"This house has no command {request.command!r}; is its plugin enabled?")
    try:
        arguments = msgspec.json.decode(request.arguments, type=command.arguments)
    except msgspec.DecodeError as error:
        return _refusal(422, f"{request.command}: {error}")
    try:
        with trio.fail_after(RUN_SECONDS):
            result = await command.run(arguments)
        return _Answer(msgspec.Raw(msgspec.json.encode(result)))
    except Refused as error:
        return _refusal(error.status, error.detail)
    except ManorError as error:
        return _refusal(400, str(error))
    except trio.TooSlowError:
        return _refusal(503, f"{request.command} was not done after {RUN_SECONDS:g} s and was stopped")
    except Exception:  # the edge: a plugin's command that breaks must not end the daemon that runs it
        log.exception("a command failed", command=request.command)
        return _refusal(500, f"{request.command} failed; the log says why")


def _refusal(status: int, detail: str) -> _Answer:
    return _Answer(error=_Error(status, detail))


class _TooLong(Exception):
    """More came than is taken."""


async def _read(stream: trio.SocketStream, limit: int) -> bytes:
    """All that comes until the other side closes its sending half; what is over the limit is thrown away."""
    body = bytearray()
    is_too_long = False
    async for chunk in stream:
        is_too_long = is_too_long or len(body) + len(chunk) > limit
        if not is_too_long:
            body += chunk
    if is_too_long:
        raise _TooLong
    return bytes(body)


# --- In the shell --------------------------------------------------------------------------------------------------


def call_house(config_path: Path | None, command: str, arguments: Any, returns: type[R]) -> R:
    """Run a command: in this process when the house is free, else in the daemon that has it open.

    Started as root, it becomes `[server] user` first, for whatever it writes belongs to the daemon.

    Args:
        config_path: The configuration file; None looks where the daemon would.
        command: The command's name.
        arguments: Its arguments, the struct that it declares.
        returns: The type of its result.

    Raises:
        AdminFault: The configuration is wrong.
        CommandRefused: The command said no.
        NoAnswer: A process has the house open and does not answer.
        PermissionError: The data directory belongs to somebody else.
    """
    # What the house logs is no part of a command's answer, which a script reads from stdout.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    loaded = load(config_path, os.environ)
    become(loaded.config.server.user, loaded.data_dir)
    request = _Request(command, msgspec.Raw(msgspec.json.encode(arguments)))
    return _result(trio.run(_call, loaded, request), returns)


def ask_daemon(loaded: Loaded, command: str, arguments: Any, returns: type[R]) -> R | None:
    """Run a command in the daemon that has the house open; None when nobody listens, or not to this user.

    Raises:
        CommandRefused: The command said no.
        NoAnswer: The daemon does not answer.
    """
    request = _Request(command, msgspec.Raw(msgspec.json.encode(arguments)))
    answer = trio.run(_ask_if_there, loaded.data_dir / SOCKET, request)
    return None if answer is None else _result(answer, returns)


def _result(answer: _Answer, returns: type[R]) -> R:
    if answer.error is not None:
        raise CommandRefused(answer.error.status, answer.error.detail)
    return msgspec.json.decode(answer.result, type=returns)


async def _ask_if_there(path: Path, request: _Request) -> _Answer | None:
    try:
        stream = await _connect(path)
    except PermissionError:
        return None
    return None if stream is None else await _ask(stream, request)


async def _call(loaded: Loaded, request: _Request) -> _Answer:
    path = loaded.data_dir / SOCKET
    deadline = trio.current_time() + PATIENCE
    while True:
        if (stream := await _connect(path)) is not None:
            return await _ask(stream, request)
        try:
            return await _run_here(loaded, request)
        except HouseIsOpen as error:
            # Nobody listens: the daemon is starting or stopping, or it is a command like this one, soon done.
            if trio.current_time() > deadline:
                raise NoAnswer(f"{error} that does not listen at {path}") from None
        await trio.sleep(0.1)


async def _run_here(loaded: Loaded, request: _Request) -> _Answer:
    # Imported for this alone: a command that a daemon answers needs nothing of what a house is made of.
    from manor.house import open_house

    try:
        async with open_house(loaded, serve=False) as house:
            return await _run(house.commands, request)
    except AdminFault as fault:
        if isinstance(fault.__cause__, PermissionError):
            # For a daemon that is the admin's to mend; who types a command is just somebody else.
            raise fault.__cause__ from None
        raise


async def _connect(path: Path) -> trio.SocketStream | None:
    """A connection to the daemon, or None when nobody listens."""
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            await sock.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


async def _ask(stream: trio.SocketStream, request: _Request) -> _Answer:
    """Ask once: whether a request without an answer was run is not known, so it is not sent again."""
    async with stream:
        try:
            with trio.fail_after(RUN_SECONDS + ANSWER_SECONDS):
                await stream.send_all(msgspec.json.encode(request))
                await stream.send_eof()
                body = await _read(stream, ANSWER_LIMIT)
            return msgspec.json.decode(body, type=_Answer)
        except (trio.TooSlowError, trio.BrokenResourceError, _TooLong, msgspec.DecodeError) as error:
            raise NoAnswer(f"The daemon did not answer {request.command}; whether it was done is not known") from error
