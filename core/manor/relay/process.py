"""A stream process's life: do what the core says, tell it what happens, and end when it does."""

from __future__ import annotations

import os
import select
import signal
import socket as stdlib_socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import trio

from manor.relay.frames import BadFrame, Frames, Kind, Terms, frame, joined_group
from manor.relay.lines import Group, Line
from manor.relay.pipe import Pipe

AT_ONCE = 200
"""Lines that are written to before others get a turn on the loop."""

LOOK_EVERY = 0.5
"""Seconds between two looks at who has taken nothing for too long."""

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(descriptor: int, processors: Sequence[int]) -> None:
    """Serve the core until it ends, or says so by closing its end.

    Args:
        descriptor: Our end of the socket pair.
        processors: Where we may run; the core may keep to one of them.
    """
    for number in _IGNORED:
        # Sent to all of the daemon's processes at once. The core says goodbye to clients first; then it ends us.
        signal.signal(number, signal.SIG_IGN)
    if processors:
        with suppress(OSError):  # a system that forbids it: it stays where the core is
            os.sched_setaffinity(0, processors)
    trio.run(Process(stdlib_socket.socket(fileno=descriptor)).run)


class Process:
    """All lines and groups of one process.

    Args:
        socket: To the core.
    """

    def __init__(self, socket: stdlib_socket.socket) -> None:
        self._core = Pipe(socket)
        self._epoll = select.epoll()
        self._lines: dict[int, Line] = {}
        self._by_descriptor: dict[int, Line] = {}
        self._groups: dict[int, Group] = {}
        self._laggards: dict[Line, None] = {}
        self._has_laggards = trio.Event()
        self._descriptors: deque[int] = deque()

    async def run(self) -> None:
        """Serve until the core's end is closed; then close everything."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._core.run)
                nursery.start_soon(self._watch_lines)
                nursery.start_soon(self._watch_clock)
                self._core.send(frame(Kind.READY, 0))
                await self._obey()
                nursery.cancel_scope.cancel()
        finally:
            for line in self._lines.values():
                line.close()
            self._core.close()
            self._epoll.close()

    async def _obey(self) -> None:
        frames = Frames()
        while True:
            data, descriptors = await self._core.receive()
            if not data:
                return
            self._descriptors += descriptors
            frames.feed(data)
            while (told := frames.next()) is not None:
                kind, number, payload = told
                if kind is Kind.SAY or kind is Kind.SAY_ON:
                    await self._say(number, payload, goes_on=kind is Kind.SAY_ON)
                else:
                    self._do(kind, number, payload)

    # --- What the core says ----------------------------------------------------------------------------------------

    async def _say(self, number: int, data: bytes, *, goes_on: bool) -> None:
        group = self._groups.get(number)
        if group is not None:
            # What is said at once is kept for a line whatever its size, so nobody is too slow for one large batch.
            is_new, group.goes_on = not group.goes_on, goes_on
            lines = list(group.lines.values())
            for start in range(0, len(lines), AT_ONCE):
                now = trio.current_time()
                for line in lines[start : start + AT_ONCE]:
                    if line.group is not group:
                        continue
                    if is_new and line.is_over_bounds:
                        self._is_too_slow(line)
                    else:
                        self._give(line, data, now)
                await trio.lowlevel.checkpoint()
        self._core.send(frame(Kind.SAID, number))

    def _do(self, kind: Kind, number: int, payload: bytes) -> None:
        if kind is Kind.TAKE:
            self._take(number, Terms.decode(payload))
            return
        line = self._lines.get(number)
        if line is None:
            # It has left while this was on its way; line 0 is nobody's.
            if kind is Kind.SYNC and number == 0:
                self._core.send(frame(Kind.SYNCED, 0))
            return
        match kind:
            case Kind.JOIN:
                self._join(line, joined_group(payload))
            case Kind.LEAVE:
                self._leave(line)
            case Kind.BREAK_OFF:
                self._leave(line)
                line.drop_unsent()
            case Kind.GIVE:
                self._give(line, payload, trio.current_time())
            case Kind.READ:
                line.read()
            case Kind.SYNC:
                line.sync()
            case Kind.GOODBYE:
                line.goodbye()
            case Kind.CUT:
                self._forget(line)
                line.close()
            case Kind.ABORT:
                self._forget(line)
                line.abort()
            case _:
                raise BadFrame(f"the core says {kind.name}")

    def _give(self, line: Line, data: bytes, now: float) -> None:
        line.give(data, now)
        if line.is_behind and line not in self._laggards:
            self._laggards[line] = None
            self._has_laggards.set()

    def _is_too_slow(self, line: Line) -> None:
        """The core says so to the client, behind what is half written, and then ends it."""
        self._leave(line)
        line.drop_unsent()
        self._core.send(frame(Kind.TOO_SLOW, line.number))

    def _take(self, number: int, terms: Terms) -> None:
        if not self._descriptors:
            raise BadFrame("a TAKE without a descriptor")
        descriptor = self._descriptors.popleft()
        line = self._lines[number] = Line(number, descriptor, terms, self._epoll, self)
        self._by_descriptor[descriptor] = line

    def _join(self, line: Line, number: int) -> None:
        self._leave(line)
        group = self._groups.get(number)
        if group is None:
            group = self._groups[number] = Group(number)
        group.lines[line.number] = line
        line.group = group

    def _leave(self, line: Line) -> None:
        group, line.group = line.group, None
        if group is not None:
            del group.lines[line.number]
            if not group.lines:
                del self._groups[group.number]

    def _forget(self, line: Line) -> None:
        self._leave(line)
        self._lines.pop(line.number, None)
        self._by_descriptor.pop(line.descriptor, None)
        self._laggards.pop(line, None)

    # --- What the lines tell ---------------------------------------------------------------------------------------

    def heard(self, line: Line, data: bytes) -> None:
        """See `lines.Told`, as for those below."""
        self._core.send(frame(Kind.HEARD, line.number, data))

    def left(self, line: Line) -> None:
        """Its client is gone."""
        self._forget(line)
        line.close()
        self._core.send(frame(Kind.LEFT, line.number))

    def synced(self, line: Line) -> None:
        """All before it has left."""
        self._core.send(frame(Kind.SYNCED, line.number))

    # --- Its tasks -------------------------------------------------------------------------------------------------

    async def _watch_lines(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            now = trio.current_time()
            for descriptor, events in self._epoll.poll(0, AT_ONCE):
                line = self._by_descriptor.get(descriptor)
                if line is not None:
                    line.happened(events, now)
            await trio.lowlevel.checkpoint()

    async def _watch_clock(self) -> None:
        while True:
            await self._has_laggards.wait()
            await trio.sleep(LOOK_EVERY)
            for line in self._overdue(trio.current_time()):
                self._forget(line)
                line.abort()
                self._core.send(frame(Kind.LEFT, line.number))
            if not self._laggards:
                self._has_laggards = trio.Event()

    def _overdue(self, now: float) -> list[Line]:
        self._laggards = {line: None for line in self._laggards if line.is_behind}
        return [line for line in self._laggards if line.due <= now]
