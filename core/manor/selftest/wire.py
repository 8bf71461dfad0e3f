"""A small HTTP client for the self-test: one connection, no retries, so that a broken promise is not smoothed over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import msgspec
import trio

BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError, h11.ProtocolError)
"""What a connection raises when the daemon behind it dies, hangs, or has said that it ends the connection."""

ANSWERED_WITHIN = 30.0
"""Seconds for a whole answer."""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes


class Connection:
    """One keep-alive connection to a daemon on this machine."""

    def __init__(self, stream: trio.abc.Stream, port: int) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._host = f"127.0.0.1:{port}"

    async def get(self, target: str) -> Answer:
        """GET `target` and read the whole answer."""
        return await self._exchange("GET", target, b"")

    async def post(self, target: str, body: bytes) -> Answer:
        """POST `body` to `target` and read the whole answer."""
        return await self._exchange("POST", target, body)

    async def events(self, target: str, last_event_id: str) -> AsyncIterator[tuple[str, bytes]]:
        """GET an event stream and give (event, data) as they come, until the daemon ends it."""
        headers = [("Last-Event-ID", last_event_id)] if last_event_id else []
        await self._send(h11.Request(method="GET", target=target, headers=[("Host", self._host), *headers]))
        event, data, rest = "message", b"", b""
        async for piece in self._body():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                name, _, value = line.rstrip(b"\r").partition(b": ")
                match name:
                    case b"event":
                        event = value.decode()
                    case b"data":
                        data = value
                    case b"":
                        yield event, data
                        event, data = "message", b""

    async def _exchange(self, method: str, target: str, body: bytes) -> Answer:
        headers = [("Host", self._host), ("Content-Length", str(len(body)))]
        with trio.fail_after(ANSWERED_WITHIN):
            await self._send(h11.Request(method=method, target=target, headers=headers), body)
            pieces = [piece async for piece in self._body()]
        answer = Answer(self._status, b"".join(pieces))
        self._http.start_next_cycle()
        return answer

    async def _send(self, request: h11.Request, body: bytes = b"") -> None:
        parts = [request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        await self._stream.send_all(b"".join(self._http.send(part) or b"" for part in parts))

    async def _body(self) -> AsyncIterator[bytes]:
        while True:
            match self._http.next_event():
                case h11.NEED_DATA:
                    self._http.receive_data(bytes(await self._stream.receive_some(65536)))
                case h11.Response(status_code=status):
                    self._status = status
                case h11.Data(data=data):
                    yield bytes(data)
                case h11.EndOfMessage():
                    return
                case h11.ConnectionClosed():
                    raise h11.RemoteProtocolError("closed before it answered")


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Connection]:
    """Open a connection to 127.0.0.1; raises one of `BROKEN` when nobody listens."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        yield Connection(stream, port)
