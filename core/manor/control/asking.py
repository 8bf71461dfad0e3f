"""The shell's end of the control socket.

It blocks, and has no event loop: a command that a daemon runs is done before one would be imported.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from manor.config import Loaded, load
from manor.control.wire import (
    ANSWER_LIMIT,
    ANSWER_SECONDS,
    RUN_SECONDS,
    SOCKET,
    Answer,
    Request,
    socket_address,
)
from manor.errors import AdminFault, ManorError
from manor.lock import HouseIsOpen
from manor.privileges import become

PATIENCE = 10.0
"""How long a command waits for a daemon that has the house open and does not listen yet."""

R = TypeVar("R")


class NoAnswer(ManorError):
    """Another process has the house open, and nobody answers at its control socket."""


class CommandRefused(ManorError):
    """The command said no; `status` is the HTTP status that says how."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def call_house(
    config_path: Path | None, command: str, arguments: Any, returns: type[R], *, seconds: float = RUN_SECONDS
) -> R:
    """Run a command: in this process when the house is free, else in the daemon that has it open.

    Started as root, it becomes `[server] user` first, for whatever it writes belongs to the daemon.

    Args:
        config_path: The configuration file; None looks where the daemon would.
        command: The command's name.
        arguments: Its arguments, the struct that it declares.
        returns: The type of its result.
        seconds: How long it may take; as the command declares it.

    Raises:
        AdminFault: The configuration is wrong.
        CommandRefused: The command said no.
        NoAnswer: A process has the house open and does not answer.
        PermissionError: The data directory belongs to somebody else.
    """
    loaded = load(config_path, os.environ)
    become(loaded.config.server.user, loaded.data_dir)
    request = Request(command, msgspec.Raw(msgspec.json.encode(arguments)))
    return _result(_call(loaded, request, seconds), returns)


def ask_daemon(loaded: Loaded, command: str, arguments: Any, returns: type[R]) -> R | None:
    """Run a command in the daemon that has the house open; None when nobody listens, or not to this user.

    Raises:
        CommandRefused: The command said no.
        NoAnswer: The daemon does not answer.
    """
    request = Request(command, msgspec.Raw(msgspec.json.encode(arguments)))
    try:
        sock = _connect(loaded.data_dir / SOCKET)
    except PermissionError:
        return None
    return None if sock is None else _result(_ask(sock, request), returns)


def _result(answer: Answer, returns: type[R]) -> R:
    if answer.error is not None:
        raise CommandRefused(answer.error.status, answer.error.detail)
    return msgspec.json.decode(answer.result, type=returns)


def _call(loaded: Loaded, request: Request, seconds: float) -> Answer:
    path = loaded.data_dir / SOCKET
    deadline = time.monotonic() + PATIENCE
    while True:
        if (sock := _connect(path)) is not None:
            return _ask(sock, request, seconds)
        try:
            return _run_here(loaded, request)
        except HouseIsOpen as error:
            # Nobody listens: the daemon is starting or stopping, or it is a command like this one, soon done.
            if time.monotonic() > deadline:
                raise NoAnswer(f"{error} that does not listen at {path}") from None
        time.sleep(0.1)


def _run_here(loaded: Loaded, request: Request) -> Answer:
    # Imported for this alone: a command that a daemon answers needs nothing of what a house is made of.
    import structlog
    import trio

    from manor.control.answering import run_command
    from manor.house import open_house

    # What the house logs is no part of a command's answer, which a script reads from stdout.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))

    async def run() -> Answer:
        async with open_house(loaded, serve=False) as house:
            return await run_command(house.commands, request)

    try:
        return trio.run(run)
    except AdminFault as fault:
        if isinstance(fault.__cause__, PermissionError):
            # For a daemon that is the admin's to mend; who types a command is just somebody else.
            raise fault.__cause__ from None
        raise


def _connect(path: Path) -> socket.socket | None:
    """A connection to the daemon, or None when nobody listens."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(path) as address:
            sock.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        # A socket's address is in no error, and who may not use it wants to know of what.
        error.filename = str(path)
        raise
    return sock


def _ask(sock: socket.socket, request: Request, seconds: float = RUN_SECONDS) -> Answer:
    """Ask once: whether a request without an answer was run is not known, so it is not sent again."""
    with sock:
        try:
            deadline = time.monotonic() + seconds + ANSWER_SECONDS
            sock.settimeout(seconds + ANSWER_SECONDS)
            sock.sendall(msgspec.json.encode(request))
            sock.shutdown(socket.SHUT_WR)
            return msgspec.json.decode(_read(sock, deadline), type=Answer)
        except (OSError, msgspec.DecodeError) as error:
            raise NoAnswer(f"The daemon did not answer {request.command}; whether it was done is not known") from error


def _read(sock: socket.socket, deadline: float) -> bytes:
    """All that comes until the other side closes its sending half.

    Raises:
        OSError: It is over the limit, or took until the deadline.
    """
    body = bytearray()
    while chunk := sock.recv(1 << 16):
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise OSError(errno.EMSGSIZE, "The answer is too long")
        # At least something: 0 would mean not to wait at all.
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
    return bytes(body)
