"""The client's end of an SSE stream and of a WebSocket, with the house's end in the same process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from manor import routing
from manor.routing import Closing, ConversationOver, Live, WebSocket, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from manor.auth import Principal

PATIENCE = 60.0
"""Seconds to wait for a frame before the test fails: two pings would have come."""

NORMAL = Closing(1000, "")


@dataclass(frozen=True)
class SseEvent:
    """One server-sent event. A field that was not sent is empty."""

    event: str
    data: str
    id: str = ""
    retry: int | None = None

    def json(self) -> Any:
        """Its data, read as JSON."""
        return json.loads(self.data)


def sse_events(frames: bytes) -> list[SseEvent]:
    """Read whole events (WHATWG HTML, section 9.2.6); comments are left out."""
    events = []
    for block in frames.decode().split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        fields.pop("", None)
        if not fields:
            continue
        retry = fields.get("retry")
        events.append(
            SseEvent(
                event=fields.get("event", ["message"])[-1],
                data="\n".join(fields.get("data", [])),
                id=fields.get("id", [""])[-1],
                retry=int(retry[-1]) if retry else None,
            )
        )
    return events


class Outlet:
    """The house's end: what a door would make. It takes frames only from `pump`, one at a time."""

    send: Callable[[bytes], int] | None = None

    def __init__(self, wire: Wire, principals: Sequence[Principal]) -> None:
        self.wire = wire
        self.principals = tuple(principals)
        self.is_gone = False

    def control(self, data: bytes) -> None:
        """There are no pongs here."""

    def gone(self) -> None:
        """The source has ended it."""
        self.is_gone = True


class _Frames:
    """What came and was not read yet: nothing is written ahead of the reader, as with a full socket."""

    def __init__(self) -> None:
        self.write_end, self._read_end = trio.open_memory_channel[bytes](0)
        self.closing: Closing | None = None

    async def next(self) -> bytes:
        try:
            with trio.fail_after(PATIENCE):
                return await self._read_end.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class SseStream:
    """An open event stream: `async for event in stream`, or `await anext(stream)` for the next one.

    Attributes:
        headers: Of the answer.
        closing: Why the house ended it, once it did.
    """

    def __init__(self, headers: Mapping[str, str], frames: _Frames) -> None:
        self.headers = headers
        self._frames = frames
        self._waiting: list[SseEvent] = []

    @property
    def closing(self) -> Closing | None:
        """Why the house ended it, once it did."""
        return self._frames.closing

    def __aiter__(self) -> SseStream:
        return self

    async def __anext__(self) -> SseEvent:
        """The next event; the iteration ends when the house ends the stream."""
        while not self._waiting:
            self._waiting = sse_events(await self._frames.next())
        return self._waiting.pop(0)


@asynccontextmanager
async def opened_sse(
    live: Live, headers: Mapping[str, str], principals: Sequence[Principal]
) -> AsyncIterator[SseStream]:
    """Serve a subscription as SSE for as long as the context is entered."""
    frames = _Frames()
    async with trio.open_nursery() as nursery:
        await nursery.start(_pump, live, Outlet(Wire.SSE, principals), frames)
        yield SseStream(headers, frames)
        nursery.cancel_scope.cancel()


async def _pump(live: Live, outlet: Outlet, frames: _Frames, *, task_status: trio.TaskStatus[None]) -> None:
    """What a door does with a subscription."""
    live.source.attach(outlet, live.cursor)
    try:
        task_status.started()
        async with frames.write_end:
            frames.closing = await live.source.pump(outlet, frames.write_end.send)
    finally:
        live.source.detach(outlet)


class Socket:
    """The client's end of a WebSocket: `async for message in socket`, `await socket.send("…")`.

    Attributes:
        subprotocol: What the house chose; None for none.
    """

    def __init__(self, frames: _Frames, take: Callable[[str | bytes], Any]) -> None:
        self._frames = frames
        self._take = take

    @property
    def closing(self) -> Closing | None:
        """How the house closed it, once it did."""
        return self._frames.closing

    def __aiter__(self) -> Socket:
        return self

    async def __anext__(self) -> str:
        """The next message as text; the iteration ends when the house closes."""
        return (await self._frames.next()).decode()

    async def json(self) -> Any:
        """The next message, read as JSON."""
        return json.loads(await anext(self))

    async def send(self, message: str | bytes) -> None:
        """Send a message to the house."""
        await self._take(message)


class _Conversation:
    """The house's end of a WebSocket that is a conversation."""

    def __init__(self, frames: _Frames, outlet: Outlet, limit: int) -> None:
        self.outlet: routing.Outlet = outlet
        self._frames = frames
        self._limit = limit
        self._to_house, self._from_client = trio.open_memory_channel[str | bytes](0)

    async def take(self, message: str | bytes) -> None:
        await self._to_house.send(message)

    async def receive(self) -> str | bytes:
        try:
            message = await self._from_client.receive()
        except trio.EndOfChannel:
            raise ConversationOver from None
        if len(message if isinstance(message, bytes) else message.encode()) > self._limit:
            self._frames.closing = Closing(1009, "message too big")
            raise ConversationOver
        return message

    async def send(self, message: str | bytes) -> None:
        if self._frames.closing is not None:
            raise ConversationOver
        await self._frames.write_end.send(message.encode() if isinstance(message, str) else message)

    def send_now(self, *texts: bytes) -> bool:
        if self._frames.closing is not None or len(texts) != 1:
            return False
        try:
            # A reader that waits is a socket with room, for one.
            self._frames.write_end.send_nowait(texts[0])
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    async def close(self, closing: Closing) -> None:
        self._frames.closing = closing
        await self._frames.write_end.aclose()

    def hang_up(self) -> None:
        self._to_house.close()


@asynccontextmanager
async def opened_socket(answer: Live | WebSocket, principals: Sequence[Principal]) -> AsyncIterator[Socket]:
    """Serve a subscription or a conversation as WebSocket for as long as the context is entered."""
    frames = _Frames()
    outlet = Outlet(Wire.TEXT, principals)
    async with trio.open_nursery() as nursery:
        if isinstance(answer, Live):
            await nursery.start(_pump, answer, outlet, frames)
            yield Socket(frames, _listener(answer, frames))
        else:
            conversation = _Conversation(frames, outlet, answer.message_limit)
            nursery.start_soon(_converse, answer, conversation, frames)
            yield Socket(frames, conversation.take)
            conversation.hang_up()
        nursery.cancel_scope.cancel()


def _listener(live: Live, frames: _Frames) -> Callable[[str | bytes], Any]:
    async def take(message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode()
        if len(text.encode()) > live.message_limit:
            frames.closing = Closing(1009, "message too big")
            await frames.write_end.aclose()
        elif live.on_message is not None:
            await live.on_message(text)

    return take


async def _converse(answer: WebSocket, conversation: _Conversation, frames: _Frames) -> None:
    try:
        await answer.run(conversation)
    except ConversationOver:
        pass
    finally:
        frames.closing = frames.closing or NORMAL
        frames.write_end.close()
