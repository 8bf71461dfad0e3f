"""Requests that are answered where they are read, with no task and no protocol machine in between. Pure.

Players fetch playlists and segments again and again, and what h11 and a task of its own cost such a request is most of
what it costs. Only a GET that is whole, alone in what was read, and asks nothing else of its connection is answered so;
any other takes the usual way, and so does one with a fault, which is worded there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from manor.front.framing import END_OF_HEAD, NAME, HeadLimits, fault
from manor.web import SendWhole

_ELSEWHERE = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"http2-settings"))
"""A request with one of these has a body, or wants something else of the connection."""


@runtime_checkable
class AnswersAtOnce(Protocol):
    """An application that answers some requests at once; `manor.web.Front` is one."""

    @property
    def at_once(self) -> tuple[bytes, ...]:
        """What such requests begin with."""
        ...

    async def answer_at_once(self, scope: Mapping[str, Any], send: SendWhole) -> bool:
        """Answer a request, or do nothing and say so."""
        ...


@dataclass(frozen=True, slots=True)
class PlainGet:
    """What such a request says."""

    raw_path: bytes
    query_string: bytes
    headers: list[tuple[bytes, bytes]]


def read_plain_get(data: bytes, limits: HeadLimits) -> PlainGet | None:
    """The request in `data` when it is one that can be answered at once."""
    if data.find(END_OF_HEAD) != len(data) - len(END_OF_HEAD) or fault(data, limits) is not None:
        return None
    request_line, *lines = data[: -len(END_OF_HEAD)].split(b"\r\n")
    method, target, version = request_line.split(b" ")
    if method != b"GET" or version != b"HTTP/1.1" or not target.startswith(b"/"):
        return None
    headers = []
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        if name in _ELSEWHERE or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        headers.append((name, value))
    raw_path, _, query_string = target.partition(b"?")
    return PlainGet(raw_path, query_string, headers)


def render_head(status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """An answer's status line and headers, to the blank line.

    Raises:
        ValueError: A header's name is none; values are the application's to have checked.
    """
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, reason)]
    for name, value in headers:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no header's name")
        lines.append(b"%s: %s\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)
