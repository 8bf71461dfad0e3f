"""What a stream process serves: clients' sockets, what still waits for each, and the groups that are told the same."""

from __future__ import annotations

import os
import select
import socket as stdlib_socket
import struct
from collections import deque
from contextlib import suppress
from typing import Protocol

from manor.relay.frames import Terms

MOST_PIECES = 256
MOST_BYTES = 1024 * 1024
"""What may wait for one line when something new is said to its group, as many as a channel's ring remembers."""

PIECE = 65_536
"""Bytes that a client has to take within its `write_seconds`."""

READ_SIZE = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)
_GONE = select.EPOLLHUP | select.EPOLLERR


class Told(Protocol):
    """Whoever a line's news are told to."""

    def heard(self, line: Line, data: bytes) -> None:
        """Its client sent that."""
        ...

    def left(self, line: Line) -> None:
        """Its client is gone: close it."""
        ...

    def synced(self, line: Line) -> None:
        """All that was given before the oldest `sync` has left."""
        ...


class Group:
    """Lines that are told the same.

    Attributes:
        lines: The number of each, and the line.
        goes_on: Whether what is said next belongs to what was said last.
    """

    __slots__ = ("goes_on", "lines", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.lines: dict[int, Line] = {}
        self.goes_on = False


class Line:
    """One client's socket, which is never waited for.

    Args:
        number: The core's for it.
        descriptor: The socket's, not blocking; owned from here on.
        terms: How it is served.
        epoll: Tells of it under its descriptor.
        told: Hears what happens to it.

    Attributes:
        group: What it hears, if anything.
        due: When its client must have taken another 64 KiB, on the caller's clock; infinite while nothing waits.
    """

    __slots__ = (
        "_bytes",
        "_credit",
        "_epoll",
        "_mask",
        "_taken",
        "_told",
        "_unsent",
        "_watched",
        "descriptor",
        "due",
        "group",
        "number",
        "write_seconds",
    )

    def __init__(self, number: int, descriptor: int, terms: Terms, epoll: select.epoll, told: Told) -> None:
        self.number = number
        self.descriptor = descriptor
        self.write_seconds = terms.write_seconds
        self.group: Group | None = None
        self.due = float("inf")
        self._watched = select.EPOLLRDHUP if terms.is_watched else 0
        self._credit = False
        self._epoll = epoll
        self._told = told
        # None stands for a SYNC that waits for its turn.
        self._unsent: deque[bytes | memoryview | None] | None = None
        self._bytes = 0
        self._taken = 0
        self._mask = self._watched
        epoll.register(descriptor, self._mask)

    @property
    def is_behind(self) -> bool:
        """Whether something waits for its client to read."""
        return self._unsent is not None

    @property
    def is_over_bounds(self) -> bool:
        """Whether more waits than may when something new is said."""
        return self._unsent is not None and (self._bytes > MOST_BYTES or len(self._unsent) > MOST_PIECES)

    # --- Writing ---------------------------------------------------------------------------------------------------

    def give(self, data: bytes, now: float) -> None:
        """Write it, now or as soon as the client reads on."""
        if self._unsent is not None:
            self._unsent.append(data)
            self._bytes += len(data)
            return
        if self.descriptor < 0 or not data:
            return
        try:
            taken = os.write(self.descriptor, data)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._told.left(self)
            return
        if taken < len(data):
            self._unsent = deque([memoryview(data)[taken:] if taken else data])
            self._bytes = len(data) - taken
            self._taken = 0
            self.due = now + self.write_seconds
            self._listen()

    def sync(self) -> None:
        """Say when all that was given has left."""
        if self._unsent is not None:
            self._unsent.append(None)
        elif self.descriptor >= 0:
            self._told.synced(self)

    def drop_unsent(self) -> None:
        """Forget what waits, but for the rest of a piece that has begun to leave."""
        if self._unsent is None:
            return
        first, *others = self._unsent
        kept: list[bytes | memoryview | None] = [first] if isinstance(first, memoryview) else []
        syncs = [None for waiting in others if waiting is None]
        if first is None:
            syncs.append(None)
        self._bytes = len(first) if isinstance(first, memoryview) else 0
        self._unsent = deque([*kept, *syncs])
        if not kept:
            self._has_sent_all()

    def write_on(self, now: float) -> None:
        """The client reads on: write what waits.

        Raises:
            OSError: The client is gone.
        """
        while self._unsent:
            first = self._unsent[0]
            if first is None:
                self._unsent.popleft()
                self._told.synced(self)
                continue
            try:
                taken = os.write(self.descriptor, first)
            except BlockingIOError:
                return
            self._bytes -= taken
            self._taken += taken
            if self._taken >= PIECE:
                self._taken = 0
                self.due = now + self.write_seconds
            if taken < len(first):
                self._unsent[0] = memoryview(first)[taken:]
                return
            self._unsent.popleft()
        if self._unsent is not None:
            self._has_sent_all()

    def _has_sent_all(self) -> None:
        unsent, self._unsent = self._unsent, None
        self._bytes = 0
        self.due = float("inf")
        self._listen()
        for _ in unsent or ():
            self._told.synced(self)

    # --- Reading ---------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Tell what the client sends next, once."""
        self._credit = True
        self._listen()

    def happened(self, events: int, now: float) -> None:
        """The kernel has news of it."""
        if self.descriptor < 0:
            return
        try:
            if events & select.EPOLLOUT:
                self.write_on(now)
            if self._credit and events & (select.EPOLLIN | _GONE):
                self._hear()
            elif events & (self._watched | _GONE):
                self._told.left(self)
        except BlockingIOError:
            return
        except OSError:
            self._told.left(self)

    def _hear(self) -> None:
        data = os.read(self.descriptor, READ_SIZE)
        if not data:
            self._told.left(self)
            return
        self._credit = False
        self._listen()
        self._told.heard(self, data)

    def _listen(self) -> None:
        mask = self._watched
        if self._unsent is not None:
            # What it says now might have to be answered, and it reads nothing.
            mask |= select.EPOLLOUT
        elif self._credit:
            mask |= select.EPOLLIN
        if mask != self._mask and self.descriptor >= 0:
            self._mask = mask
            self._epoll.modify(self.descriptor, mask)

    # --- Its end ---------------------------------------------------------------------------------------------------

    def goodbye(self) -> None:
        """Send no more."""
        with suppress(OSError), self._as_socket() as socket:
            socket.shutdown(stdlib_socket.SHUT_WR)

    def abort(self) -> None:
        """Close it; what was not delivered is lost."""
        # Without the linger option the kernel would keep trying to deliver to a client that does not read.
        with suppress(OSError), self._as_socket() as socket:
            socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, _AT_ONCE)
        self.close()

    def close(self) -> None:
        """Close it; twice does no harm."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            self._unsent = None
            self._bytes = 0
            self.due = float("inf")
            os.close(descriptor)

    def _as_socket(self) -> stdlib_socket.socket:
        return stdlib_socket.socket(fileno=os.dup(self.descriptor))
