"""A connection's task between two requests: it sleeps, and what comes is heard, and mostly served, without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import outcome
import trio

from manor.front.door import FrontDoor
from manor.front.hangups import Watch
from manor.front.line import Line

Served = bool | Awaitable[bool] | None
"""Whether another request may follow; or what brings that; None where a request is still to be served."""


class Waiting:
    """Where a task waits, and who is told meanwhile of what its client says.

    Args:
        door: Whose one task listens to the sockets of all who wait.
        line: The client's.
        heard: Called whenever something has come, and has to read it.
    """

    __slots__ = ("_descriptor", "_door", "_heard", "_line", "_task", "_watch")

    def __init__(self, door: FrontDoor, line: Line, heard: Callable[[], None]) -> None:
        self._door = door
        self._line = line
        self._heard = heard
        self._task: trio.lowlevel.Task | None = None
        self._watch: Watch | None = None
        self._descriptor = -1

    @property
    def is_on(self) -> bool:
        """Whether the task sleeps."""
        return self._task is not None

    async def until_woken(self) -> Served:
        """Sleep; returns what it is woken with: False when the client leaves, or its socket is cut."""
        if self._line.descriptor < 0:
            return False
        self._descriptor = self._line.descriptor
        self._watch = Watch(self._end, self._heard)
        self._line.on_cut = self._end
        self._door.hangups.watch(self._descriptor, self._watch)
        self._task = trio.lowlevel.current_task()
        served: Served = await trio.lowlevel.wait_task_rescheduled(self._give_up)
        return served

    def wake(self, served: Served) -> None:
        """Have the task go on with that; nothing is heard until it sleeps again."""
        task = self._task
        if task is not None:
            self._listen_no_more()
            trio.lowlevel.reschedule(task, outcome.Value(served))

    def _end(self) -> None:
        self.wake(False)

    def _give_up(self, _: Any) -> trio.lowlevel.Abort:
        self._listen_no_more()
        return trio.lowlevel.Abort.SUCCEEDED

    def _listen_no_more(self) -> None:
        assert self._watch is not None, "only who sleeps listens"
        self._task = None
        self._line.on_cut = None
        self._door.hangups.unwatch(self._descriptor, self._watch)
        self._watch = None
