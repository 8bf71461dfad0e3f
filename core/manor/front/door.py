"""The front door: plain HTTP/1.1 connections, served without a framework and without a task per request."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import trio

from manor.front.buffer import Heads
from manor.front.hangups import Hangups
from manor.front.limits import ConnectionLimits, Peer
from manor.web import Front

_FINEST, _COARSEST = 0.02, 0.5
"""Seconds between two looks at who has had his time."""


class Timed(Protocol):
    """What has a deadline."""

    deadline: float

    def expire(self) -> None:
        """It has passed: end it, or set another."""
        ...


class Guest(Protocol):
    """A connection that somebody else serves for a while."""

    async def run(self) -> bytes | None:
        """Serve what is asked, then give back what has come behind it; None when the connection is over."""
        ...

    def drain(self) -> None:
        """The server stops: end it after the answer."""
        ...

    def abort(self) -> None:
        """End it at once, and close its socket."""
        ...


Lend = Callable[[trio.SocketStream, Peer, bytes], Guest]
"""Has somebody else serve a connection's next request, given what has come of it."""


class FrontDoor:
    """What its connections share.

    Args:
        front: The application: its dispatcher, and what all doors share.
        limits: Of each connection.
        lend: Serves what this door does not.
    """

    def __init__(self, front: Front, limits: ConnectionLimits, lend: Lend) -> None:
        self.dispatcher = front.dispatcher
        self.visits = front.visits
        self.streams = front.streams
        self.limits = limits
        self.lend = lend
        self.hangups = Hangups()
        self.heads = Heads()
        self.is_stopping = False
        self._timed: set[Timed] = set()
        self._look_at = math.inf
        self._sooner = trio.Event()
        shortest = min(limits.header, limits.keep_alive, limits.ping)
        self._step = min(_COARSEST, max(_FINEST, shortest / 20))
        self._nursery: trio.Nursery

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do what connections leave to one task for all of them; cancel it once they have ended."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self.hangups.run)
            task_status.started()
            await self._watch_clock()

    def spawn(self, function: Callable[[], Any]) -> None:
        """Run a connection's own task."""
        self._nursery.start_soon(function)

    # --- Deadlines -------------------------------------------------------------------------------------------------

    def joined(self, timed: Timed) -> None:
        """Look after its deadline from here on."""
        self._timed.add(timed)
        self.look_at(timed.deadline)

    def left(self, timed: Timed) -> None:
        """It has ended."""
        self._timed.discard(timed)

    def look_at(self, deadline: float) -> None:
        """Somebody has a new deadline: one that is late by half a second at most costs nobody a timer."""
        if deadline < self._look_at - self._step:
            self._look_at = deadline
            self._sooner.set()

    async def _watch_clock(self) -> None:
        while True:
            with trio.move_on_at(self._look_at):
                await self._sooner.wait()
            self._sooner = trio.Event()
            now = trio.current_time()
            if now < self._look_at:
                continue
            for timed in [timed for timed in self._timed if timed.deadline <= now]:
                timed.expire()
            due = min((timed.deadline for timed in self._timed), default=math.inf)
            self._look_at = max(due, now + self._step)
