"""What one outlet hears: a greeting, a replay from storage, then its channels as they speak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import trio

from manor.live.crowds import Crowd
from manor.live.frames import PING_OPCODE, websocket_frame
from manor.live.pieces import Piece, pieces
from manor.live.ring import Channel, Entry, Voice, merged
from manor.routing import GOING_AWAY, TOO_SLOW, Closing, Outlet, Wire, Write

if TYPE_CHECKING:
    from manor.live.service import LiveService

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


class Feed:
    """A `routing.Source` for one outlet, over one channel or many, merged by position. Made by `LiveService.feed`.

    It has no queue: its place is one number, the position of what it took last, and the channels' rings are the
    buffer. What it has taken and not yet written is at most a piece, or with a pump at work a ring's content.

    An outlet that can be written to at once (one with `send`) is written to by the service's own task, as long as its
    pump has nothing left to do and waits. What the socket does not take then is the pump's: it writes the rest, reads
    on from the ring, and waits again.

    While its socket is in another process it is one of a `Crowd`, which tells it what its channel says.

    Attributes:
        outlet: Whom it is for, once attached.
        channels: What it hears.
        voice: Says everything in other words; None for the entries' own.
        position: The position of what it took last: that was written, or is being written.
        ping_due: When it wants its next ping, in `trio.current_time()`; infinite when it wants none.
        tongue: The same for all whose frames are the same: the wire, and the voice if there is one.
        ready_in: The tongue, while it can be given at once whatever its only channel says; None while it cannot.
    """

    __slots__ = (
        "_closing",
        "_crowd",
        "_greeting",
        "_is_back",
        "_ping",
        "_ping_seconds",
        "_released",
        "_replay",
        "_replaying",
        "_rest",
        "_scope",
        "_send",
        "_service",
        "_task",
        "_wants_ping",
        "channels",
        "outlet",
        "ping_due",
        "position",
        "ready_in",
        "tongue",
        "voice",
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
        self.channels = tuple(channels)
        self._greeting = tuple(greeting)
        self._replay = replay
        self._ping = ping
        self._ping_seconds = ping_seconds
        self._released = released
        self.voice = voice
        self.ping_due = float("inf")
        self.position = 0
        self._replaying = False
        self._wants_ping = False
        self._closing: Closing | None = None
        self._scope: trio.CancelScope | None = None
        self._task: trio.lowlevel.Task | None = None
        self._send: Callable[[bytes], int] | None = None
        self._rest: tuple[Piece, int] | None = None
        self._crowd: Crowd | None = None
        self._is_back = False
        self.tongue = ""
        self.ready_in: str | None = None

    # --- The door's side -------------------------------------------------------------------------------------------

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Hear everything from here on, after a replay of what is stored after `cursor`. One outlet a feed."""
        self.outlet = outlet
        self.tongue = outlet.wire.value if self.voice is None else f"{outlet.wire.value} {self.voice.name}"
        if outlet.wire is not Wire.TEXT:
            self._send = outlet.send
        self.position = self._newest() if cursor is None else cursor
        self._replaying = cursor is not None and self._replay is not None
        if self._ping is not None:
            self.ping_due = trio.current_time() + self._ping_seconds
        for channel in self.channels:
            channel.feeds.add(self)
        self._service.joined(self)

    def detach(self, outlet: Outlet) -> None:
        """Hear no more; twice does no harm."""
        self._leave_crowd()
        self._send = self.ready_in = None
        for channel in self.channels:
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
    def is_ready(self) -> bool:
        """Whether it can be given a piece: it has told everything that it took, and waits for more."""
        return self._task is not None and self._send is not None

    def give(self, piece: Piece) -> None:
        """Write it at once, to an outlet that is ready; what its socket does not take is left to the pump."""
        self.position = piece.last
        data = piece.data
        if data:
            send = self._send
            assert send is not None
            taken = send(data)
            if taken < len(data):
                self._rest = piece, taken
                self.wake()

    def hear(self, channel: Channel) -> bool:
        """That channel has something new. Whether it waits to be given it; if not, its pump reads it from the ring.

        One whose pump is at work is ended when it has fallen behind what the ring holds.
        """
        if self._task is None:
            if channel.evicted > self.position and not self._replaying:
                self.fall_behind()
            return False
        if self._send is None:
            self.wake()
            return False
        return True

    def fall_behind(self) -> None:
        """Its client reads too slowly to be told everything: it is ended, and resumes from what is stored."""
        if self._closing is None:
            self._service.on_too_slow()
            self.end(TOO_SLOW)

    def move(self, crowd: Crowd) -> None:
        """Its socket is in another process from now on, and that crowd tells it what is said."""
        self._crowd = crowd
        for channel in self.channels:
            channel.feeds.discard(self)

    def ask_ping(self) -> None:
        """Write a ping, or have the pump write it between two frames."""
        self.ping_due += self._ping_seconds
        if self.is_ready:
            try:
                piece = self._ping_piece()
            except Exception:
                # The edge: a plugin's ping that breaks does so again in the pump, where it ends one subscriber only.
                piece = None
            if piece is not None:
                self.give(piece)
                return
        self._wants_ping = True
        self.wake()

    def frame(self, entry: Entry) -> bytes:
        """An entry as this outlet hears it; empty for one that it does not hear of."""
        wire = self.outlet.wire
        if self.voice is None:
            return entry.frame(wire)
        return entry.frame_in(self.voice, wire) if self.voice.wants(entry) else b""

    def wake(self) -> None:
        """Have a waiting pump look at its channels again."""
        if self._task is not None:
            task, self._task = self._task, None
            self.ready_in = None
            self._leave_crowd()
            trio.lowlevel.reschedule(task)

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

    def _leave_crowd(self) -> None:
        if self._crowd is not None:
            crowd, self._crowd = self._crowd, None
            self.position = crowd.position
            self._is_back = True
            for channel in self.channels:
                channel.feeds.add(self)
            crowd.leave(self, breaks_off=self._is_cut())

    # --- The pump --------------------------------------------------------------------------------------------------

    async def _write_all(self, write: Write) -> Closing:
        await self._write_entries(write, self._greeting)
        self._greeting = ()
        await self._write_replay(write)
        if (closing := self._ended()) is not None:
            # The replay may have stopped half-way: anything newer would hide the rest from a client that resumes.
            return closing
        while True:
            if self._rest is not None:
                await self._write_rest(write)
            elif self._is_back:
                # What the other process still has for it leaves before anything else.
                self._is_back = False
                await write(b"")
            closing = self._ended()
            if closing is not None and closing is not GOING_AWAY:
                return closing
            if self._is_behind():
                if closing is None:
                    self._service.on_too_slow()
                return TOO_SLOW
            if entries := self._waiting():
                self.position = entries[-1].position
                await self._write_entries(write, entries)
            elif closing is not None:
                return closing
            elif self._wants_ping:
                self._wants_ping = False
                if data := self._ping_piece().data:
                    await write(data)
            else:
                await self._wait()

    async def _write_replay(self, write: Write) -> None:
        while self._replaying and self._ended() is None:
            assert self._replay is not None
            # Whatever the rings have by now was committed before the read below begins, so an empty page also says
            # that nothing up to here is left to show (it may have been deleted meanwhile).
            known = self._newest()
            page = await self._replay(self.position)
            if page:
                self.position = page[-1].position
                await self._write_entries(write, page)
                continue
            self.position = max(self.position, known)
            # Still behind the ring: more was said during the read than a ring holds. Read on.
            self._replaying = self._is_behind()
        self._replaying = False

    async def _write_entries(self, write: Write, entries: Sequence[Entry]) -> None:
        """Write them in order, several in one write where the wire is a byte stream."""
        batches = [entries] if self.outlet.wire is not Wire.TEXT else [[entry] for entry in entries]
        for batch in batches:
            for piece in pieces(batch, self.frame):
                if piece.data:
                    await write(piece.data)
                if self._is_cut():
                    return

    async def _write_rest(self, write: Write) -> None:
        """Go on where a full socket stopped: nothing else may be written before, whatever has happened since."""
        assert self._rest is not None
        (piece, taken), self._rest = self._rest, None
        rest = piece.rest_of_frame(taken) if self._is_cut() else piece.data[taken:]
        if rest:
            await write(rest)

    def _ended(self) -> Closing | None:
        """Why it ends, once it does: asked anew after each await."""
        return self._closing

    def _is_cut(self) -> bool:
        """Whether it ends without another frame: a stopping server still says what it has, all others do not."""
        return self._closing is not None and self._closing is not GOING_AWAY

    def _is_behind(self) -> bool:
        """Whether a ring has forgotten something that was neither written nor is in hand."""
        return any(channel.evicted > self.position for channel in self.channels)

    def _ping_piece(self) -> Piece:
        assert self._ping is not None
        frame = self.frame(self._ping())
        frames = [frame] if frame else []
        if self.outlet.wire is Wire.FRAME:
            # On the other WebSocket wire the door frames, so the protocol's own ping is the door's too.
            frames.append(_PROTOCOL_PING)
        return Piece(frames, self.position)

    def _waiting(self) -> Sequence[Entry]:
        channels = self.channels
        return channels[0].after(self.position) if len(channels) == 1 else merged(channels, self.position)

    def _newest(self) -> int:
        return max((channel.newest for channel in self.channels), default=0)

    async def _wait(self) -> None:
        self._task = trio.lowlevel.current_task()
        if self._send is not None and self.voice is None and len(self.channels) == 1:
            self.ready_in = self.tongue
            self._service.waits(self)
        await trio.lowlevel.wait_task_rescheduled(self._give_up)

    def _give_up(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        self.ready_in = None
        self._leave_crowd()
        return trio.lowlevel.Abort.SUCCEEDED
