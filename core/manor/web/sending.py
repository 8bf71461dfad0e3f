"""Finished answers as ASGI messages; the same for both ways in, Quart and bare."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import trio

from manor.answers import Finished
from manor.auth import Principal
from manor.dispatch import Call
from manor.routing import Live, Outlet, Reply, Stream, WebSocket, Wire
from manor.web.exchange import CUT, FRAMES

Send = Callable[[Any], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]
SendWhole = Callable[[int, RawHeaders, bytes], Awaitable[None]]
"""Sends an answer whole: its status, its headers with the length, its body."""

_BODILESS = (204, 304)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class OpenStreams:
    """The long answers that are under way, so that a stop can end them."""

    def __init__(self) -> None:
        self._cancels: set[Callable[[], None]] = set()
        self._is_stopping = False

    def add(self, cancel: Callable[[], None]) -> None:
        """Have it called once the server stops; at once if it does already."""
        self._cancels.add(cancel)
        if self._is_stopping:
            cancel()

    def discard(self, cancel: Callable[[], None]) -> None:
        """It is over."""
        self._cancels.discard(cancel)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be one of them; `end` cancels what runs within."""
        with trio.CancelScope() as scope:
            self.add(scope.cancel)
            try:
                yield
            finally:
                self.discard(scope.cancel)

    def end(self) -> None:
        """End them all, and at once those that still come."""
        self._is_stopping = True
        for cancel in tuple(self._cancels):
            cancel()


class PumpedOutlet:
    """A subscriber's end that only its source's pump can write to: its socket is the framework's.

    Pongs and close frames are the framework's too, so there is nothing to queue between frames.
    """

    send: Callable[[bytes], int] | None = None

    def __init__(self, wire: Wire, principals: tuple[Principal, ...], cut: Callable[[], None] = lambda: None) -> None:
        self.wire = wire
        self.principals = principals
        self._cut = cut

    def control(self, data: bytes) -> None:
        """Nothing: hypercorn answers pings itself."""

    def gone(self) -> None:
        """Drop the connection: hypercorn's write cannot be cancelled, and may hang for as long as a client is given."""
        self._cut()


def cut_of(scope: Any) -> Callable[[], None]:
    """What drops a request's connection; nothing where others share it."""
    cut: Callable[[], None] = scope.get("state", {}).get(CUT, lambda: None)
    return cut


def frames_of(scope: Any) -> Callable[[bytes], bool]:
    """What writes a WebSocket's frames at once; nothing does where others share its connection."""
    write: Callable[[bytes], bool] = scope.get("state", {}).get(FRAMES, lambda frames: False)
    return write


def raw_headers(headers: Mapping[str, str], content_type: str = "") -> RawHeaders:
    """Headers as they go out.

    Several cookies stand in one `Set-Cookie` value, a line each. A control character anywhere else becomes a blank:
    no value can grow a second header.
    """
    raw: RawHeaders = [(b"content-type", content_type.encode("latin-1"))] if content_type else []
    for name, value in headers.items():
        lower = name.lower()
        values = value.split("\n") if lower == "set-cookie" else (value,)
        raw.extend((lower.encode("ascii"), _value(each)) for each in values)
    return raw


def _value(text: str) -> bytes:
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    try:
        return text.strip().encode("latin-1")
    except UnicodeEncodeError:
        return text.strip().encode()


async def send_reply(send: Send, reply: Reply, *, closes: bool = False, prefix: str = "http") -> None:
    """Send a complete answer.

    Args:
        send: ASGI's.
        reply: The answer.
        closes: Whether to tell an HTTP/1 client that its connection ends with it.
        prefix: Of the messages' types: `websocket.http` refuses a handshake.
    """
    headers, body = whole(reply)
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": f"{prefix}.response.start", "status": reply.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body, "more_body": False})


def whole(reply: Reply) -> tuple[RawHeaders, bytes]:
    """A complete answer's headers, its length among them, and its body."""
    headers = raw_headers(reply.headers, reply.content_type)
    if reply.status in _BODILESS:
        return headers, b""
    headers.append((b"content-length", b"%d" % len(reply.body)))
    return headers, reply.body


async def send_stream(send: Send, stream: Stream) -> None:
    """Send a body as it is written. If it breaks, the connection is cut: so the client knows that it is not whole."""
    headers = raw_headers(stream.headers, stream.content_type)
    if stream.length is not None:
        headers.append((b"content-length", b"%d" % stream.length))
    await send({"type": "http.response.start", "status": stream.status, "headers": headers})
    await stream.run(_writer(send))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_events(scope: Any, send: Send, live: Live, call: Call, streams: OpenStreams) -> None:
    """Serve a subscription as an event stream until its source ends it, or the server stops."""
    outlet: Outlet = PumpedOutlet(Wire.SSE, call.principals, cut_of(scope))
    # Heard before the client knows that it is subscribed: what it then publishes itself must reach it.
    live.source.attach(outlet, live.cursor)
    try:
        headers = raw_headers(live.headers, live.content_type)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with streams.held():
            await live.source.pump(outlet, _writer(send))
    finally:
        live.source.detach(outlet)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_finished(
    scope: Any, send: Send, answer: Finished, call: Call, streams: OpenStreams, *, closes: bool
) -> None:
    """Send whatever a call was answered with over plain HTTP."""
    match answer:
        case Reply():
            await send_reply(send, answer, closes=closes)
        case Stream():
            await send_stream(send, answer)
        case Live():
            await send_events(scope, send, answer, call, streams)
        case WebSocket():
            raise AssertionError("a conversation is finished for handshakes only")


def _writer(send: Send) -> Callable[[bytes], Awaitable[None]]:
    async def write(data: bytes) -> None:
        if data:
            await send({"type": "http.response.body", "body": data, "more_body": True})

    return write
