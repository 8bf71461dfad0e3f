"""A client of event streams that sees the bytes: the head as sent, then the chunks, then the events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from manor.testing.streams import SseEvent, sse_events

PATIENCE = 20.0


class EventStream:
    """An event stream over a plain socket.

    Attributes:
        status: Of the answer.
        headers: By lower-case name.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._bytes = b""
        self._text = b""
        self._waiting: list[SseEvent] = []
        self.status = 0
        self.headers: dict[str, str] = {}

    async def read_head(self) -> None:
        head = (await self._until(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> SseEvent:
        """The next event; the iteration ends with the last chunk, and only with that."""
        while not self._waiting:
            chunk = await self._chunk()
            if not chunk:
                raise StopAsyncIteration
            *whole, self._text = (self._text + chunk).split(b"\n\n")
            self._waiting = sse_events(b"".join(event + b"\n\n" for event in whole))
        return self._waiting.pop(0)

    async def messages(self, count: int) -> list[Any]:
        """The payloads of the next messages; other events are left out."""
        found: list[Any] = []
        while len(found) < count:
            event = await anext(self)
            if event.event == "message":
                found.append(event.json())
        return found

    async def _chunk(self) -> bytes:
        size = int((await self._until(b"\r\n")).strip(), 16)
        while len(self._bytes) < size + 2:
            await self._receive()
        chunk, self._bytes = self._bytes[:size], self._bytes[size + 2 :]
        return chunk

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._bytes:
            await self._receive()
        found, _, self._bytes = self._bytes.partition(mark)
        return found + mark

    async def _receive(self) -> None:
        with trio.fail_after(PATIENCE):
            data = await self._stream.receive_some(262_144)
        if not data:
            raise EOFError(f"the connection ended without a last chunk, after {self._bytes[-200:]!r}")
        self._bytes += data


@asynccontextmanager
async def opened(
    port: int, path: str, headers: Mapping[str, str] | None = None, *, receive_buffer: int = 0
) -> AsyncIterator[EventStream]:
    """Ask for an event stream.

    Args:
        port: On 127.0.0.1.
        path: With its query.
        headers: Further headers.
        receive_buffer: Bytes that the socket takes without being read; 0 leaves that to the system.
    """
    socket = trio.socket.socket()
    if receive_buffer:
        socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_buffer)
    await socket.connect(("127.0.0.1", port))
    async with trio.SocketStream(socket) as connection:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await connection.send_all(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        stream = EventStream(connection)
        await stream.read_head()
        yield stream
