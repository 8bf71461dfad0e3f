"""What one outlet hears: a greeting, a replay from storage, then its channels as they speak."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import trio

from manor.live.frames import PING_OPCODE, websocket_frame
from manor.live.ring import Channel, Entry, Voice
from manor.routing import GOING_AWAY, TOO_SLOW, Closing, Outlet, Wire, Write

if TYPE_CHECKING:
    from manor.live.service import LiveService

MOST_JOINED = 65_536
"""Bytes of waiting frames that leave in one write; a longer frame goes alone."""

CUT_AFTER = 2.0
"""Seconds that a write under way gets to finish once its outlet is ended; then it is cut.

A client that reads slowly takes what is under way in that time and then reads why it was ended; one that reads nothing
can be told nothing.
"""

Replay = Callable[[int], Awaitable[Sequence[Entry]]]
"""Reads the next page after a position, oldest first; an empty page is the end of what is stored."""

Ping = Callable[[], Entry]
"""Makes the entry that says the stream is alive."""

_PROTOCOL_PING = websocket_frame(b"", PING_OPCODE)
_by_position = attrgetter("position")


class Feed:
    """A `routing.Source` for one outlet, over one channel or many, merged by position. Made by `LiveService.feed`.

    It has no queue: its place is one number, the position of what it took last, and the channels' rings are the
    buffer. What it has taken and not yet written is at most a ring's content. A door either lets `pump` write, or (an
    outlet with `send`) may write the ring's frames itself between `attach` and `detach` and leave only what a full
    socket did not take to `pump`.
    """

    __slots__ = (
        "_channels",
        "_closing",
        "_greeting",
        "_ping",
        "_ping_due",
        "_ping_seconds",
        "_position",
        "_released",
        "_replay",
        "_replaying",
        "_scope",
        "_service",
        "_task",
        "_voice",
        "_wants_ping",
        "outlet",
    )

    outlet: Outlet

    def __init__(
        self,
        service: LiveService,
        channels: Sequence[Channel],
        *,
        greeting: Sequence[Entry],
        replay: Replay | None,
        ping: Ping | None,
        ping_seconds: float,
        released: Callable[[], None] | None,
        voice: Voice | None = None,
    ) -> None:
        self._service = service
        self._channels = tuple(channels)
        self._greeting = tuple(greeting)
        self._replay = replay
        self._ping = ping
        self._ping_seconds = ping_seconds
        self._released = released
        self._voice = voice
        self._ping_due = float("inf")
        self._position = 0
        self._replaying = False
        self._wants_ping = False
        self._closing: Closing | None = None
        self._scope: trio.CancelScope | None = None
        self._task: trio.lowlevel.Task | None = None

    # --- The door's side -------------------------------------------------------------------------------------------

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Hear everything from here on, after a replay of what is stored after `cursor`. One outlet a feed."""
        self.outlet = outlet
        self._position = self._newest() if cursor is None else cursor
        self._replaying = cursor is not None and self._replay is not None
        if self._ping is not None:
            self._ping_due = trio.current_time() + self._ping_seconds
        for channel in self._channels:
            channel.feeds.add(self)
        self._service.joined(self)

    def detach(self, outlet: Outlet) -> None:
        """Hear no more; twice does no harm."""
        for channel in self._channels:
            channel.feeds.discard(self)
        self._service.left(self)
        self._release()

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        """Write frames until the feed is ended, and say why it was.

        A write that hangs is cut `CUT_AFTER` seconds after the end was called: the outlet's last frame may then be
        incomplete, and all that the door can do is to drop the connection. A door whose writes cannot be cancelled is
        told through the outlet's `gone`.
        """
        with trio.CancelScope() as self._scope:
            if self._closing is not None:
                self._cut_after(CUT_AFTER)
            return await self._write_all(write)
        # Only `end` cancels this scope, and it says why first.
        return self._closing or GOING_AWAY

    def __del__(self) -> None:
        # A client that left before its stream was opened: nobody attached, so nobody detaches.
        self._release()

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None:
            released()

    # --- The service's side ----------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The position of what it took last: that was written, or is being written."""
        return self._position

    @property
    def ping_due(self) -> float:
        """When it wants its next ping, in `trio.current_time()`; infinite when it wants none."""
        return self._ping_due

    def ask_ping(self) -> None:
        """Have the pump write a ping between two frames."""
        self._ping_due += self._ping_seconds
        self._wants_ping = True
        self.wake()

    def wake(self) -> None:
        """Have a waiting pump look at its channels again."""
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task)

    def hear(self, channel: Channel) -> None:
        """That channel has something new: wake the pump, or end it when it has fallen behind what the ring holds."""
        if self._task is not None:
            self.wake()
        elif channel.evicted > self._position and not self._replaying:
            self.end(TOO_SLOW)

    def end(self, closing: Closing, *, grace: float = CUT_AFTER) -> None:
        """Stop it, and say why. The first reason stays; a write under way has `grace` seconds left."""
        if self._closing is not None:
            return
        self._closing = closing
        if self._scope is not None:
            self._cut_after(grace)
        self.wake()

    def _cut_after(self, grace: float) -> None:
        assert self._scope is not None
        self._scope.deadline = trio.current_time() + grace
        if self._task is None:
            self._service.will_cut(self, self._scope.deadline)

    # --- The pump --------------------------------------------------------------------------------------------------

    async def _write_all(self, write: Write) -> Closing:
        await self._write_entries(write, self._greeting)
        self._greeting = ()
        await self._write_replay(write)
        if (closing := self._ended()) is not None:
            # The replay may have stopped half-way: anything newer would hide the rest from a client that resumes.
            return closing
        while True:
            closing = self._ended()
            if closing is not None and closing is not GOING_AWAY:
                return closing
            if self._is_behind():
                return TOO_SLOW
            if entries := self._waiting():
                self._position = entries[-1].position
                await self._write_entries(write, entries)
            elif closing is not None:
                return closing
            elif self._wants_ping:
                await self._write_ping(write)
            else:
                await self._wait()

    async def _write_replay(self, write: Write) -> None:
        while self._replaying and self._ended() is None:
            assert self._replay is not None
            # Whatever the rings have by now was committed before the read below begins, so an empty page also says
            # that nothing up to here is left to show (it may have been deleted meanwhile).
            known = self._newest()
            page = await self._replay(self._position)
            if page:
                self._position = page[-1].position
                await self._write_entries(write, page)
                continue
            self._position = max(self._position, known)
            # Still behind the ring: more was said during the read than a ring holds. Read on.
            self._replaying = self._is_behind()
        self._replaying = False

    async def _write_entries(self, write: Write, entries: Sequence[Entry]) -> None:
        """Write them in order, several in one write where the wire is a byte stream."""
        wire = self.outlet.wire
        joins = not wire.is_websocket
        frames: list[bytes] = []
        size = 0
        for entry in entries:
            frame = self._frame(entry, wire)
            if not frame:
                continue
            if frames and (not joins or size + len(frame) > MOST_JOINED):
                await write(b"".join(frames))
                if self._is_cut():
                    return
                frames, size = [], 0
            frames.append(frame)
            size += len(frame)
        if frames:
            await write(frames[0] if len(frames) == 1 else b"".join(frames))

    def _frame(self, entry: Entry, wire: Wire) -> bytes:
        """An entry as this outlet hears it; empty for one that it does not hear of."""
        if self._voice is None:
            return entry.frame(wire)
        return entry.frame_in(self._voice, wire) if self._voice.wants(entry) else b""

    def _ended(self) -> Closing | None:
        """Why it ends, once it does: asked anew after each await."""
        return self._closing

    def _is_cut(self) -> bool:
        """Whether it ends without another frame: a stopping server still says what it has, all others do not."""
        return self._closing is not None and self._closing is not GOING_AWAY

    def _is_behind(self) -> bool:
        """Whether a ring has forgotten something that was neither written nor is in hand."""
        return any(channel.evicted > self._position for channel in self._channels)

    async def _write_ping(self, write: Write) -> None:
        self._wants_ping = False
        assert self._ping is not None
        wire = self.outlet.wire
        if frame := self._frame(self._ping(), wire):
            await write(frame)
        if wire is Wire.FRAME:
            # On the other WebSocket wire the door frames, so the protocol's own ping is the door's too.
            await write(_PROTOCOL_PING)

    def _waiting(self) -> Sequence[Entry]:
        if len(self._channels) == 1:
            return self._channels[0].after(self._position)
        lists = [entries for channel in self._channels if (entries := channel.after(self._position))]
        return lists[0] if len(lists) == 1 else list(heapq.merge(*lists, key=_by_position))

    def _newest(self) -> int:
        return max((channel.newest for channel in self._channels), default=0)

    async def _wait(self) -> None:
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._give_up)

    def _give_up(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
