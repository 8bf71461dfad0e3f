"""The way in for publishers: one at a time, and the same broadcast for one who is back soon."""

from __future__ import annotations

from functools import partial

import trio

from manor import Refused
from manor_stream.broadcast.broadcast import Broadcast, Over
from manor_stream.broadcast.intake import Intake as Intake
from manor_stream.broadcast.intake import Publisher as Publisher
from manor_stream.broadcast.intake import Unplayable as Unplayable
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.offline import Offline
from manor_stream.broadcast.store import end_left_open
from manor_stream.transcoding import strays
from manor_stream.transcoding.abilities import NoFfmpeg
from manor_stream.transcoding.segment_receiver import SegmentReceiver

SILENT_SECONDS = 3.0
"""A publisher who sent nothing for so long gives way to another with the right key."""


class Busy(Exception):
    """Nobody else can publish now; the text says why."""


class Broadcasts:
    """Everything that publishers need to know of the broadcast.

    Args:
        means: What a broadcast works with.

    Attributes:
        means: The same.
        offline: What there is to watch when nothing has been on.
    """

    def __init__(self, means: Means) -> None:
        self.means = means
        self.offline = Offline(means)
        self._receiver = SegmentReceiver()
        self._nursery: trio.Nursery | None = None
        self._broadcast: Broadcast | None = None
        self._over: Over | None = None
        self._reset = trio.CancelScope()

    def accept(self, publisher: Publisher, name: str = "") -> Intake:
        """Take what a publisher sends from now on.

        One who was here some seconds ago goes on in the same broadcast; another who is silent is sent away.

        Args:
            publisher: Has shown the right key.
            name: What they call themselves; "" for nothing.

        Raises:
            Busy: Somebody else publishes, or the house opens or closes.
        """
        if self._nursery is None:
            raise Busy("This server is starting or stopping; try again")
        current = self._broadcast
        if current is not None and current.is_ending:
            raise Busy("The broadcast before is just ending; try again")
        if current is not None and (before := current.intake) is not None and not before.is_gone:
            if before.publisher.silent_seconds() <= SILENT_SECONDS:
                raise Busy("Somebody else is publishing")
            self.means.logbook.warning(f"The broadcaster at {before.publisher.address} was silent and is replaced")
            before.drop("Somebody else publishes now, as nothing came from you for some seconds")
        if current is None:
            current = self._broadcast = Broadcast(self.means, self._receiver)
            self._reset.cancel()
            self._nursery.start_soon(self._run, current)
        intake = Intake(
            publisher,
            name,
            qualities=current.qualities,
            ask_abilities=partial(self.means.known.ask, self.means.ffmpeg),
            on_full=current.fall_behind,
        )
        current.welcome(intake)
        return intake

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve publishers until cancelled. For a background task that the house waits for."""
        await strays.reap(self.means.folder, self.means.logbook)
        try:
            await end_left_open(self.means)
        except Refused as refused:
            self.means.logbook.warning(f"A broadcast that was left open stays so for now: {refused.detail}")
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._receiver.run)
                self._nursery = nursery
                nursery.start_soon(self._go_offline)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._broadcast = None

    async def _run(self, broadcast: Broadcast) -> None:
        def ended(over: Over | None) -> None:
            # From here on a publisher begins a new one.
            self._broadcast = None
            # One without a clip, as one that never was live, leaves viewers with that of the one before.
            if over is not None and (self._over is None or any(over.clips)):
                self._over = over

        await broadcast.run(ended)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broadcast.record_end)
            if self._broadcast is None:
                await self._go_offline()

    async def _go_offline(self) -> None:
        # One at a time, which the next publisher puts an end to: one broadcast's end may take longer than the next.
        self._reset.cancel()
        with trio.CancelScope() as self._reset:
            if self._over is not None:
                await trio.sleep(self.means.timing.reset)
                self.means.window.reset(self._over.variants, self._over.clips)
                self._over = None
            if self.means.window.is_empty:
                await self.offline.show()

    # --- What others ask -------------------------------------------------------------------------------------------

    async def trouble(self) -> str | None:
        """Why nobody can broadcast, for the admin; None when they can."""
        try:
            await self.means.known.ask(self.means.ffmpeg)
        except NoFfmpeg as error:
            return str(error)
        return None
