"""WebSockets: subscriptions and conversations, answered before they are accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
import trio
from quart.wrappers import Websocket
from quart_trio.asgi import TrioASGIWebsocketConnection

from manor.dispatch import Call
from manor.errors import InternalError
from manor.live.frames import websocket_frame
from manor.routing import (
    GOING_AWAY,
    Closing,
    Conversation,
    ConversationOver,
    Live,
    Outlet,
    Reply,
    WebSocket,
    Wire,
)
from manor.web.closings import NORMAL, OUR_FAULT, TEXT_ONLY, TOO_LONG
from manor.web.exchange import Receive, Send
from manor.web.sending import OpenStreams, PumpedOutlet, cut_of, frames_of, send_reply

log = structlog.get_logger("manor.web")


class SocketConnection(TrioASGIWebsocketConnection):
    """One handshake, and what comes of it."""

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Decide first, then accept: a refusal is an ordinary answer with its status and body."""
        call: Call = self.scope["manor.call"]  # type: ignore[typeddict-item]  # ours, beside ASGI's keys
        streams: OpenStreams = self.app.streams  # type: ignore[attr-defined]  # QuartDoor's
        await receive()  # websocket.connect
        websocket = self._create_websocket_from_scope(send)
        answer = await call.admit() or await call.answer(b"")
        match answer:
            case Reply():
                await send_reply(send, answer, closes=True, prefix="websocket.http")
            case Live():
                await _subscribe(answer, call, websocket, receive, streams, cut_of(self.scope))
            case WebSocket():
                await _converse(answer, call, websocket, receive, streams, cut_of(self.scope), frames_of(self.scope))
            case _:
                log.error("a handshake was answered with a stream", path=call.head.path, owner=call.owner)
                reply = call.refuse(InternalError("Internal server error"))
                await send_reply(send, reply, closes=True, prefix="websocket.http")


async def _subscribe(
    live: Live, call: Call, websocket: Websocket, receive: Receive, streams: OpenStreams, cut: Callable[[], None]
) -> None:
    outlet: Outlet = PumpedOutlet(Wire.TEXT, call.principals, cut)
    closing: Closing | None = GOING_AWAY
    # Heard before the client knows that it is subscribed: what it then publishes itself must reach it.
    live.source.attach(outlet, live.cursor)

    async def pump(scope: trio.CancelScope) -> None:
        nonlocal closing
        closing = await live.source.pump(outlet, write)
        scope.cancel()

    async def write(frame: bytes) -> None:
        await websocket.send(frame.decode())

    try:
        await websocket.accept(headers=dict(live.headers))
        with streams.held():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump, nursery.cancel_scope)
                ended = await _listen(live, receive)
                closing = ended
                nursery.cancel_scope.cancel()
    except Exception:
        # The edge: a plugin's source or message handler that breaks ends its subscriber's socket only.
        log.exception("subscription failed", path=call.head.path, owner=call.owner)
        closing = OUR_FAULT
    finally:
        live.source.detach(outlet)
    if closing is not None:
        await websocket.close(closing.code, closing.reason)


async def _listen(live: Live, receive: Receive) -> Closing | None:
    """Take the client's messages; returns why to close, None when the client left."""
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return None
        message = _content(event)
        if _size(message) > live.message_limit:
            return TOO_LONG
        if live.on_message is None:
            continue
        if isinstance(message, bytes):
            return TEXT_ONLY
        await live.on_message(message)


async def _converse(
    answer: WebSocket,
    call: Call,
    websocket: Websocket,
    receive: Receive,
    streams: OpenStreams,
    cut: Callable[[], None],
    write_frames: Callable[[bytes], bool],
) -> None:
    subprotocol = _agreed(answer.subprotocols, websocket.requested_subprotocols)
    await websocket.accept(headers=call.headers(), subprotocol=subprotocol)
    outlet = PumpedOutlet(Wire.TEXT, call.principals, cut)
    conversation = _Conversation(websocket, receive, outlet, answer.message_limit, write_frames)
    closing = GOING_AWAY
    try:
        with streams.held():
            await answer.run(conversation)
            closing = NORMAL
    except* ConversationOver:
        closing = NORMAL
    except* Exception:
        # The edge: a plugin's conversation that breaks ends its own socket only.
        log.exception("conversation failed", path=call.head.path, owner=call.owner)
        closing = OUR_FAULT
    await conversation.close(closing)


class _Conversation(Conversation):
    """See `manor.routing.Conversation`."""

    def __init__(
        self,
        websocket: Websocket,
        receive: Receive,
        outlet: Outlet,
        message_limit: int,
        write_frames: Callable[[bytes], bool],
    ) -> None:
        self._write_frames = write_frames
        self._websocket = websocket
        self._receive = receive
        self._message_limit = message_limit
        self._is_over = False
        self.outlet = outlet

    async def receive(self) -> str | bytes:
        if self._is_over:
            raise ConversationOver
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self._is_over = True
            raise ConversationOver
        message = _content(event)
        if _size(message) > self._message_limit:
            await self.close(TOO_LONG)
            raise ConversationOver
        return message

    async def send(self, message: str | bytes) -> None:
        if self._is_over:
            raise ConversationOver
        # hypercorn swallows what is sent to a client that left, without giving others their turn.
        await trio.lowlevel.checkpoint()
        await self._websocket.send(message)

    def send_now(self, *texts: bytes) -> bool:
        return not self._is_over and self._write_frames(b"".join(map(websocket_frame, texts)))

    async def close(self, closing: Closing) -> None:
        if not self._is_over:
            self._is_over = True
            await self._websocket.close(closing.code, closing.reason)


def _content(event: dict[str, Any]) -> str | bytes:
    content: str | bytes = event["text"] if event.get("bytes") is None else event["bytes"]
    return content


def _size(message: str | bytes) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


def _agreed(offered: Sequence[str], requested: Sequence[str]) -> str | None:
    return next((protocol for protocol in offered if protocol in requested), None)
