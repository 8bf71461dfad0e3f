"""Open WebSockets on a plain socket: subscriptions, which are mostly heard, and conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
import trio

from manor.auth import Principal
from manor.dispatch import Call
from manor.front.attending import Attended
from manor.front.door import FrontDoor
from manor.front.frames import Broken, Left, Listener, Pinged
from manor.front.limits import MISSED_PINGS
from manor.front.line import Line
from manor.front.outlets import LineOutlet
from manor.live.frames import BINARY_OPCODE, CLOSE_OPCODE, PING_OPCODE, PONG_OPCODE, closing_frame, websocket_frame
from manor.routing import (
    GOING_AWAY,
    Closing,
    ConversationOver,
    Live,
    Outlet,
    Source,
    WebSocket,
    Wire,
)
from manor.web import OpenStreams
from manor.web.closings import NORMAL, OUR_FAULT, TEXT_ONLY

log = structlog.get_logger("manor.front")

MOST_UNREAD = 10
"""Messages of a client that a conversation has not asked for; then its socket is not read on."""

_NO_STATUS = 1005
"""Stands for a close frame without a code, and is never sent (RFC 6455 section 7.4.1)."""

_CLOSE_FRAME = 0x80 | CLOSE_OPCODE
_PING = websocket_frame(b"", PING_OPCODE)


class _Over(Exception):
    """Nothing more is to be heard; the closing is still to be sent, None when the client is gone."""

    def __init__(self, closing: Closing | None) -> None:
        super().__init__()
        self.closing = closing


class Socket:
    """One open WebSocket. A `Conversation`, for those who have one.

    Args:
        door: What it shares with others.
        line: Its bytes.
        principals: The credentials that opened it.
        message_limit: The route's own.
    """

    __slots__ = (
        "_attended",
        "_closing",
        "_door",
        "_has_ended",
        "_has_left",
        "_heard",
        "_is_broken",
        "_is_closed",
        "_limit",
        "_line",
        "_listener",
        "_pings",
        "_unread",
        "deadline",
        "outlet",
    )

    outlet: Outlet

    def __init__(self, door: FrontDoor, line: Line, principals: tuple[Principal, ...], message_limit: int) -> None:
        self._door = door
        self._line = line
        self._limit = min(message_limit, door.limits.websocket_message)
        self._listener: Listener | None = None
        self._attended: Attended | None = None
        self._closing: Closing | None = GOING_AWAY
        self._heard: list[str | bytes] = []
        self._pings = 0
        self._is_closed = False
        self._has_ended = False
        self._has_left = False
        self._is_broken = False
        self._unread: trio.MemoryReceiveChannel[str | bytes] | None = None
        self.deadline = trio.current_time() + door.limits.ping
        self.outlet = LineOutlet(line, Wire.FRAME, principals)

    # --- What the client says --------------------------------------------------------------------------------------

    async def listen(self) -> str | bytes:
        """The next message. Pings are answered meanwhile.

        Raises:
            _Over: There is none.
        """
        while not self._heard:
            if self._line.is_behind:
                # It would go on asking, and be answered, without reading anything.
                await self._line.drained()
            data = await self._line.read()
            if not data:
                raise _Over(None)
            self._hear(data)
        return self._heard.pop(0)

    def _hear(self, data: bytes) -> None:
        self._pings = 0
        self.deadline = trio.current_time() + self._door.limits.ping
        if self._listener is None:
            self._listener = Listener(self._limit)
        for said in self._listener.hear(data):
            match said:
                case Pinged(payload):
                    self._line.post(websocket_frame(payload, PONG_OPCODE))
                case Left(closing):
                    self._has_left = True
                    self.say_goodbye(closing)
                    raise _Over(None)
                case Broken(closing):
                    self._is_broken = True
                    raise _Over(closing)
                case message:
                    self._heard.append(message)

    def expire(self) -> None:
        """The client has been silent: ask whether it is there, and give it up after two questions."""
        if self._pings == MISSED_PINGS:
            self._line.cut()
        else:
            self._pings += 1
            self.deadline = trio.current_time() + self._door.limits.ping
            self._line.post(_PING)

    # --- Subscriptions ---------------------------------------------------------------------------------------------

    @property
    def streams(self) -> OpenStreams:
        """Whom the server's stop ends."""
        return self._door.streams

    def attended(self) -> Attended:
        """Around what is told to a client whose messages mean nothing: no task waits for them.

        It is cancelled once the client says goodbye, or what is no WebSocket's; `closing` says which.
        """
        self._attended = Attended(self._door, self._line, heard=self._overhear, lasts=True)
        return self._attended

    @property
    def closing(self) -> Closing | None:
        """Why to close what was cancelled; None when the client said goodbye."""
        return self._closing

    def _overhear(self) -> None:
        assert self._attended is not None, "only who is attended is overheard"
        data = self._line.read_now()
        try:
            if not data:
                raise _Over(None)
            self._hear(data)
            self._heard.clear()
            if self._line.is_behind:
                self._attended.listen_when_drained()
        except _Over as over:
            self._closing = over.closing
            self._attended.cancel()

    async def tell_and_listen(self, source: Source, on_message: Callable[[str], Awaitable[None]]) -> Closing | None:
        """Have a source tell, and hand on what the client says meanwhile.

        Returns:
            Why to close; None when the client left.
        """
        closing: Closing | None = None

        async def pump(scope: trio.CancelScope) -> None:
            nonlocal closing
            with suppress(trio.BrokenResourceError):
                closing = await source.pump(self.outlet, self.write_frames)
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump, nursery.cancel_scope)
            try:
                while True:
                    message = await self.listen()
                    if isinstance(message, bytes):
                        closing = TEXT_ONLY
                        break
                    await on_message(message)
            except _Over as over:
                closing = over.closing
            nursery.cancel_scope.cancel()
        return closing

    # --- What we say -----------------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes:
        """See `manor.routing.Conversation`, as for those below."""
        assert self._unread is not None, "only a conversation receives"
        if self._has_ended:
            raise ConversationOver
        try:
            return await self._unread.receive()
        except trio.EndOfChannel:
            raise ConversationOver from None

    async def send(self, message: str | bytes) -> None:
        """Send one message, once the client has read what was sent before."""
        if self._is_closed:
            raise ConversationOver
        if isinstance(message, str):
            frame = websocket_frame(message.encode())
        else:
            frame = websocket_frame(message, BINARY_OPCODE)
        try:
            await self._line.write(frame)
        except trio.BrokenResourceError:
            raise ConversationOver from None

    async def write_frames(self, frames: bytes) -> None:
        """Write what a source has framed.

        Raises:
            trio.BrokenResourceError: The client is gone.
        """
        if self._is_closed:
            # Nothing follows a close frame (RFC 6455 section 5.5.1); who tells is cancelled here.
            await trio.lowlevel.checkpoint()
        else:
            await self._line.write(frames)

    def send_now(self, *texts: bytes) -> bool:
        """Send text messages in one write if nothing waits to be read."""
        frames = websocket_frame(texts[0]) if len(texts) == 1 else b"".join(map(websocket_frame, texts))
        return not self._is_closed and self._line.send(frames) > 0

    async def close(self, closing: Closing) -> None:
        """Say why; the conversation is over then."""
        self._has_ended = True
        self.say_goodbye(closing)

    def say_goodbye(self, closing: Closing) -> None:
        """Say why, once."""
        if not self._is_closed:
            self._is_closed = True
            is_mute = closing.code == _NO_STATUS
            self._line.post(websocket_frame(b"", CLOSE_OPCODE) if is_mute else closing_frame(closing))

    async def part(self, closing: Closing | None) -> None:
        """End it: say why, and wait a moment for the client's own goodbye, so that it can read ours.

        Args:
            closing: None when the client is gone, or has said goodbye first.
        """
        with trio.move_on_after(self._door.limits.linger, shield=True):
            if closing is not None:
                self.say_goodbye(closing)
            try:
                await self._line.drained()
                while not (closing is None or self._has_left):
                    await self._hear_goodbye()
            except (_Over, trio.BrokenResourceError):
                return

    async def _hear_goodbye(self) -> None:
        """Read on, for the client's close frame alone."""
        if not self._is_broken:
            self._heard.clear()
            await self.listen()
            return
        data = await self._line.read()
        # Nobody can read what came before it as frames; what comes in one piece now may still be one.
        self._has_left = not data or data[0] == _CLOSE_FRAME

    @asynccontextmanager
    async def read_ahead(self) -> AsyncIterator[None]:
        """Read while a conversation runs, so that a client's pings and goodbye are answered at once."""
        messages, self._unread = trio.open_memory_channel[str | bytes](MOST_UNREAD)

        async def read() -> None:
            async with messages:
                try:
                    while True:
                        await messages.send(await self.listen())
                except _Over as over:
                    if over.closing is not None:
                        self.say_goodbye(over.closing)
                    self._is_closed = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()


async def subscribe(socket: Socket, live: Live, call: Call) -> Closing | None:
    """Serve a subscription, whose source hears the outlet already; returns why to close, None when the client left."""
    source, on_message = live.source, live.on_message
    del live
    call.let_go()
    closing: Closing | None = GOING_AWAY
    try:
        if on_message is None:
            with socket.attended():
                return await source.pump(socket.outlet, socket.write_frames)
            closing = socket.closing
        else:
            with socket.streams.held():
                closing = await socket.tell_and_listen(source, on_message)
    except trio.BrokenResourceError:
        closing = None
    except Exception:
        # The edge: a plugin's source or message handler that breaks ends its subscriber's socket only.
        log.exception("subscription failed", path=call.shown_path, owner=call.owner)
        closing = OUR_FAULT
    finally:
        source.detach(socket.outlet)
    return closing


async def converse(socket: Socket, answer: WebSocket, call: Call) -> Closing:
    """Serve a conversation until it ends itself; returns why to close."""
    closing = GOING_AWAY
    try:
        with socket.streams.held():
            async with socket.read_ahead():
                await answer.run(socket)
            closing = NORMAL
    except* ConversationOver:
        closing = NORMAL
    except* Exception:
        # The edge: a plugin's conversation that breaks ends its own socket only.
        log.exception("conversation failed", path=call.shown_path, owner=call.owner)
        closing = OUR_FAULT
    return closing
