"""Clients that speak bytes to a real port: nothing is retried and nothing forgiven."""

from __future__ import annotations

import contextlib
import socket as stdlib_socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import trio
import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, RejectConnection, Request, TextMessage

from tests.e2e.daemon import DEADLINE


@dataclass(frozen=True)
class Answer:
    """A whole answer, or its head."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class EndedEarly(AssertionError):
    """The connection ended in the middle of something."""


class Wire:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def send(self, data: bytes) -> None:
        with trio.fail_after(DEADLINE):
            await self.stream.send_all(data)

    async def until(self, mark: bytes) -> bytes:
        """All up to a mark, the mark included."""
        with trio.fail_after(DEADLINE):
            while (at := self._buffer.find(mark)) < 0:
                if not await self._more():
                    raise EndedEarly(f"before {mark!r}: {bytes(self._buffer[-500:])!r}")
        return self._take(at + len(mark))

    async def exactly(self, count: int) -> bytes:
        with trio.fail_after(DEADLINE):
            while len(self._buffer) < count:
                if not await self._more():
                    raise EndedEarly(f"after {bytes(self._buffer[-500:])!r}")
        return self._take(count)

    async def rest(self) -> bytes:
        """All that comes until the server closes; a reset counts as the end."""
        with trio.fail_after(DEADLINE), contextlib.suppress(trio.BrokenResourceError):
            while await self._more():
                pass
        return self._take(len(self._buffer))

    async def head(self) -> Answer:
        text = (await self.until(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = text.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(status_line.split(" ")[1]), headers)

    async def answer(self) -> Answer:
        answer = await self.head()
        if answer.status in (204, 304):
            return answer
        if "content-length" in answer.headers:
            return replace(answer, body=await self.exactly(int(answer.headers["content-length"])))
        body = b""
        while data := await self.chunk():
            body += data
        return replace(answer, body=body)

    async def chunk(self) -> bytes:
        """One chunk of a chunked body; empty for the last."""
        size = int(await self.until(b"\r\n"), 16)
        data = await self.exactly(size)
        assert await self.exactly(2) == b"\r\n"
        return data

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> Answer:
        """One request and its answer; the connection is kept."""
        length = [f"Content-Length: {len(body)}"] if body or method in ("POST", "PUT") else []
        lines = [f"{method} {path} HTTP/1.1", "Host: manor.test", *length, *headers, "", ""]
        await self.send("\r\n".join(lines).encode() + body)
        return await self.answer()

    async def _more(self) -> bool:
        data = await self.stream.receive_some(262_144)
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


@asynccontextmanager
async def connected(to: int | str, *, receive_buffer: int = 0) -> AsyncIterator[Wire]:
    """A connection to a port of this machine, or to a Unix socket's path; a small buffer makes a slow reader."""
    family = stdlib_socket.AF_INET if isinstance(to, int) else stdlib_socket.AF_UNIX
    socket = trio.socket.socket(family, stdlib_socket.SOCK_STREAM)
    if receive_buffer:
        socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_RCVBUF, receive_buffer)
    with trio.fail_after(DEADLINE):
        await socket.connect(("127.0.0.1", to) if isinstance(to, int) else to)
    async with trio.SocketStream(socket) as stream:
        yield Wire(stream)


async def ask(to: int | str, method: str, path: str, body: bytes | str = b"", headers: Sequence[str] = ()) -> Answer:
    """One request on a connection of its own."""
    async with connected(to) as wire:
        return await wire.ask(method, path, body.encode() if isinstance(body, str) else body, headers)


async def raw(to: int, sent: bytes) -> bytes:
    """All that a server says to these bytes until it closes."""
    async with connected(to) as wire:
        await wire.send(sent)
        return await wire.rest()


# --- Event streams -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """One event of a stream."""

    event: str
    id: str
    data: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.data)


class Events:
    """An open event stream."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._text = bytearray()
        self.is_over = False

    async def event(self) -> Heard | None:
        """The next event; None after the terminating chunk."""
        while (at := self._text.find(b"\n\n")) < 0:
            data = await self.wire.chunk()
            if not data:
                self.is_over = True
                assert not self._text, f"the stream ended within a frame: {bytes(self._text[-200:])!r}"
                return None
            self._text += data
        lines = self._text[:at].decode().split("\n")
        del self._text[: at + 2]
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        return Heard(fields.get("event", "message"), fields.get("id", ""), fields.get("data", ""))

    async def messages(self, count: int) -> list[Heard]:
        """The next so many messages."""
        found: list[Heard] = []
        # Of its own, because pings keep every single read in time.
        with trio.fail_after(DEADLINE):
            while len(found) < count:
                heard = await self.event()
                assert heard is not None, f"ended after {len(found)} messages"
                if heard.event == "message":
                    found.append(heard)
        return found

    async def to_the_end(self, *, may_be_cut: bool = False) -> list[Heard]:
        """All messages until the server ends the stream, or cuts it between two or in the middle of one."""
        found = []
        with trio.fail_after(DEADLINE):
            try:
                while heard := await self.event():
                    if heard.event == "message":
                        found.append(heard)
            except EndedEarly:
                if not may_be_cut:
                    raise
        return found


@asynccontextmanager
async def listening(
    to: int | str, topic: str, *, query: str = "", headers: Sequence[str] = (), receive_buffer: int = 0
) -> AsyncIterator[Events]:
    """An event stream of a topic, once it is ready."""
    async with hearing(to, f"/{topic}/sse{query}", headers=headers, receive_buffer=receive_buffer) as events:
        yield events


@asynccontextmanager
async def hearing(
    to: int | str, path: str, *, headers: Sequence[str] = (), receive_buffer: int = 0
) -> AsyncIterator[Events]:
    """The event stream of a path, once it is ready."""
    async with connected(to, receive_buffer=receive_buffer) as wire:
        lines = [f"GET {path} HTTP/1.1", "Host: manor.test", *headers, "", ""]
        await wire.send("\r\n".join(lines).encode())
        answer = await wire.head()
        assert answer.status == 200, answer
        assert answer.headers["transfer-encoding"] == "chunked"
        events = Events(wire)
        ready = await events.event()
        assert ready is not None
        assert ready.event == "ready"
        yield events


# --- WebSockets ----------------------------------------------------------------------------------------------------


class Socket:
    """A WebSocket, for which wsproto speaks."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._waiting: list[Event] = []
        self._text = ""

    async def open(self, path: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Event:
        """Shake hands; returns what that came to."""
        await self.send(Request(host="manor.test", target=path, extra_headers=list(headers)))
        return await self.event()

    async def send(self, event: Event) -> None:
        await self.wire.send(self.protocol.send(event))

    async def event(self) -> Event:
        """The next event; pings are answered and left out."""
        while True:
            with trio.fail_after(DEADLINE):
                while not self._waiting:
                    data = bytes(await self.wire.stream.receive_some(262_144))
                    self.protocol.receive_data(data or None)
                    self._waiting.extend(self.protocol.events())
            match self._waiting.pop(0):
                case Ping() as ping:
                    await self.send(ping.response())
                case event:
                    return event

    async def frame(self) -> dict[str, Any] | CloseConnection:
        """The next message as JSON, or why there is none."""
        while True:
            match await self.event():
                case TextMessage(data=data, message_finished=is_whole):
                    self._text += data
                    if is_whole:
                        text, self._text = self._text, ""
                        decoded: dict[str, Any] = msgspec.json.decode(text)
                        return decoded
                case CloseConnection() as closed:
                    return closed

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """The next so many messages."""
        found: list[dict[str, Any]] = []
        with trio.fail_after(DEADLINE):
            while len(found) < count:
                frame = await self.frame()
                assert not isinstance(frame, CloseConnection), f"closed with {frame.code} after {len(found)} messages"
                if frame["type"] == "message":
                    found.append(frame)
        return found

    async def to_the_end(self) -> tuple[list[dict[str, Any]], int]:
        """All messages until the server closes, and its close code."""
        found: list[dict[str, Any]] = []
        with trio.fail_after(DEADLINE):
            while not isinstance(frame := await self.frame(), CloseConnection):
                if frame["type"] == "message":
                    found.append(frame)
        return found, frame.code


@asynccontextmanager
async def subscribed(to: int | str, topic: str, *, query: str = "", receive_buffer: int = 0) -> AsyncIterator[Socket]:
    """A WebSocket on a topic, once it is ready."""
    async with connected(to, receive_buffer=receive_buffer) as wire:
        socket = Socket(wire)
        opened = await socket.open(f"/{topic}/ws{query}")
        assert isinstance(opened, AcceptConnection), opened
        ready = await socket.frame()
        assert not isinstance(ready, CloseConnection)
        assert ready["type"] == "ready"
        yield socket


async def refused(to: int, path: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> int:
    """The status that a handshake is refused with."""
    async with connected(to) as wire:
        event = await Socket(wire).open(path, headers)
        assert isinstance(event, RejectConnection), event
        return event.status_code
