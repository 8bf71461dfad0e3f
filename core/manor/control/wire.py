"""What goes over the control socket, and where the socket is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

SOCKET = "control.sock"
REQUEST_LIMIT = 1 << 20
ANSWER_LIMIT = 16 << 20
RUN_SECONDS = 300.0
ANSWER_SECONDS = 30.0


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command, and the struct that it takes, as JSON."""

    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class Refusal(msgspec.Struct, frozen=True):
    """Why a command was not done, by the HTTP status that says how."""

    status: int
    detail: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the command returned, as JSON, or why it did not."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Refusal | None = None


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """A path as a socket address. Those take 107 bytes; a longer path goes by an open descriptor of its folder."""
    if len(os.fsencode(path)) < 108:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
