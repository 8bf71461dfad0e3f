"""The daemon's end of the control socket, and running a command, the same way with a daemon and without."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog
import trio

from manor.control.wire import (
    ANSWER_SECONDS,
    REQUEST_LIMIT,
    RUN_SECONDS,
    Answer,
    Refusal,
    Request,
    socket_address,
)
from manor.errors import ManorError, Refused

if TYPE_CHECKING:
    from manor.plugins import Command

READ_SECONDS = 10.0

log = structlog.get_logger("manor.control")


class Commanded(Protocol):
    """What the control socket needs of a house."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """All commands by name."""
        ...


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
    with socket_address(fresh) as address:
        sock.bind(address)
    # Nobody connects between bind and chmod, for the name is not yet the one that they know.
    fresh.chmod(0o600)
    sock.listen(16)
    fresh.rename(path)
    try:
        yield trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    finally:
        path.unlink(missing_ok=True)


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


async def _answer_to(commands: Mapping[str, Command], stream: trio.SocketStream) -> Answer:
    try:
        with trio.fail_after(READ_SECONDS):
            # To its end, whatever it is: closing on bytes that nobody read would take the answer away with them.
            body = await _read(stream)
        if not _is_trusted(stream):
            return _refusal(403, "Only root and the daemon's own user may use the control socket")
        request = msgspec.json.decode(body, type=Request)
    except trio.TooSlowError:
        return _refusal(408, f"No whole request came within {READ_SECONDS:g} s")
    except _TooLong:
        return _refusal(413, f"The request is over {REQUEST_LIMIT} bytes")
    except msgspec.DecodeError as error:
        return _refusal(400, f"Not a request: {error}")
    return await run_command(commands, request)


def _is_trusted(stream: trio.SocketStream) -> bool:
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (0, os.geteuid())


async def run_command(commands: Mapping[str, Command], request: Request) -> Answer:
    """Run one command, the same way here and in the daemon; every failure becomes an answer."""
    command = commands.get(request.command)
    if command is None:
        return _refusal(404, f"This house has no command {request.command!r}; is its plugin enabled?")
    try:
        arguments = msgspec.json.decode(request.arguments, type=command.arguments)
    except msgspec.DecodeError as error:
        return _refusal(422, f"{request.command}: {error}")
    seconds = RUN_SECONDS if command.seconds is None else command.seconds
    try:
        with trio.fail_after(seconds):
            result = await command.run(arguments)
        return Answer(msgspec.Raw(msgspec.json.encode(result)))
    except Refused as error:
        return _refusal(error.status, error.detail)
    except ManorError as error:
        return _refusal(400, str(error))
    except trio.TooSlowError:
        return _refusal(503, f"{request.command} was not done after {seconds:g} s and was stopped")
    except Exception:  # the edge: a plugin's command that breaks must not end the daemon that runs it
        log.exception("a command failed", command=request.command)
        return _refusal(500, f"{request.command} failed; the log says why")


def _refusal(status: int, detail: str) -> Answer:
    return Answer(error=Refusal(status, detail))


class _TooLong(Exception):
    """More came than is taken."""


async def _read(stream: trio.SocketStream) -> bytes:
    """All that comes until the other side closes its sending half; what is over the limit is thrown away."""
    body = bytearray()
    is_too_long = False
    async for chunk in stream:
        is_too_long = is_too_long or len(body) + len(chunk) > REQUEST_LIMIT
        if not is_too_long:
            body += chunk
    if is_too_long:
        raise _TooLong
    return bytes(body)
