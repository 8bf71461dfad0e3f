"""The core's end of one stream process: its lines, the groups they hear, and what it tells of them."""

from __future__ import annotations

import itertools
import socket as stdlib_socket
from collections.abc import Callable

import trio

from manor.relay.far import FarEnd, Hearing
from manor.relay.frames import BadFrame, Frames, Kind, Terms, frame, joining
from manor.relay.pipe import Pipe

MOST_WAITING = 16 * 1024 * 1024
"""Bytes that may wait for a process to read; one that lets more wait hangs, and is given up."""

AT_ONCE = 200
"""Lines that are told of their process's end before others get a turn on the loop."""


class Link:
    """What one process serves.

    Args:
        socket: The core's end of the socket pair.
        most_lines: That it can be given at once: so many files may it have open.

    Attributes:
        ready: Set once it can be given lines.
        fault: Why it was given up, if it was.
    """

    def __init__(self, socket: stdlib_socket.socket, most_lines: int = 1000) -> None:
        self.ready = trio.Event()
        self.fault = ""
        self._pipe = Pipe(socket)
        self._most_lines = most_lines
        self._numbers = itertools.count(1)
        self._ends: dict[int, FarEnd] = {}
        self._groups: dict[int, Callable[[], None]] = {}
        self._answers = trio.Event()

    @property
    def lines(self) -> int:
        """How many it serves."""
        return len(self._ends)

    @property
    def is_free(self) -> bool:
        """Whether it can be given lines now."""
        has_time = self.ready.is_set() and self._pipe.is_open and not self._pipe.waiting
        return has_time and len(self._ends) < self._most_lines

    async def run(self) -> None:
        """Hear what the process tells until it is gone or is given up; then all of its lines are gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pipe.run)
                try:
                    await self._listen()
                except BadFrame as error:
                    self.fault = str(error)
                nursery.cancel_scope.cancel()
        finally:
            self.close()
            with trio.CancelScope(shield=True):
                await self._end_lines()

    def close(self) -> None:
        """Let go of the process: it closes what it has, and ends."""
        self._pipe.close()

    async def answers(self) -> None:
        """Wait until it has done all that it was told; for ever if it hangs."""
        self._answers = trio.Event()
        self.tell(Kind.SYNC, 0)
        await self._answers.wait()

    # --- Lines -----------------------------------------------------------------------------------------------------

    def take(self, descriptor: int, terms: Terms, on_left: Callable[[], None], hearing: Hearing) -> FarEnd | None:
        """Have it serve a socket, of which the caller closes its own copy.

        Args:
            descriptor: The socket's.
            terms: How it is served.
            on_left: See `FarEnd`, as for `hearing`.
            hearing: Told of what the client says.

        Returns:
            What the line is from now on; None if it cannot be taken now, which a later try may change.
        """
        if not self.is_free:
            return None
        number = next(self._numbers)
        if not self._pipe.send_descriptor(frame(Kind.TAKE, number, terms.encode()), descriptor):
            return None
        end = self._ends[number] = FarEnd(number, self, on_left, hearing)
        return end

    def tell(self, kind: Kind, number: int, payload: bytes = b"") -> None:
        """See `far.Sender`."""
        self._pipe.send(frame(kind, number, payload))
        if self._pipe.waiting > MOST_WAITING:
            self.fault = "it does not read what it is told"
            self.close()

    def forget(self, number: int) -> None:
        """See `far.Sender`."""
        self._ends.pop(number, None)

    # --- Groups ----------------------------------------------------------------------------------------------------

    def group(self, on_said: Callable[[], None]) -> int:
        """A new group's number.

        Args:
            on_said: Called once for each `say`, when the bytes are on their way to all who hear it.
        """
        number = next(self._numbers)
        self._groups[number] = on_said
        return number

    def join(self, end: FarEnd, group: int) -> None:
        """Have a line hear what is said to a group from here on."""
        self._pipe.send(joining(end.number, group))

    def say(self, group: int, data: bytes, *, goes_on: bool) -> None:
        """Write to all who hear a group.

        Args:
            group: Its number.
            data: Whole frames.
            goes_on: More follows that was said together with this.
        """
        self.tell(Kind.SAY_ON if goes_on else Kind.SAY, group, data)

    def disband(self, group: int) -> None:
        """Nobody hears it any more."""
        self._groups.pop(group, None)

    # --- What the process tells ------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        frames = Frames()
        while True:
            data, _ = await self._pipe.receive()
            if not data:
                return
            frames.feed(data)
            while (told := frames.next()) is not None:
                self._hear(*told)

    def _hear(self, kind: Kind, number: int, payload: bytes) -> None:
        if kind is Kind.SAID:
            on_said = self._groups.get(number)
            if on_said is not None:
                on_said()
        elif kind is Kind.READY:
            self.ready.set()
        elif kind is Kind.SYNCED and number == 0:
            self._answers.set()
        elif (end := self._ends.get(number)) is not None:
            match kind:
                case Kind.HEARD:
                    end.heard(payload)
                case Kind.SYNCED:
                    end.synced()
                case Kind.LEFT:
                    del self._ends[number]
                    end.left()
                case Kind.TOO_SLOW:
                    if end.on_too_slow is not None:
                        end.on_too_slow()

    async def _end_lines(self) -> None:
        while self._ends:
            for number in list(itertools.islice(self._ends, AT_ONCE)):
                self._ends.pop(number).left()
            await trio.lowlevel.checkpoint()
