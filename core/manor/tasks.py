"""Supervised tasks: each has a parent, a back-off, and an end that is told. And a watch over the loop they share."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic

import structlog
import trio
from typing_extensions import ParamSpec

if TYPE_CHECKING:
    from manor.metrics import CoreMetrics

FIRST_PAUSE = 1.0
"""Seconds before a crashed task is tried again; doubled for each further crash."""

LONGEST_PAUSE = 60.0

QUIET_SECONDS = 300.0
"""A task that ran this long has recovered: its next pause is the first one again."""

MOST_FAILURES = 5
"""So many crashes within `QUIET_SECONDS` and the task is quarantined."""

READY_SECONDS = 10.0
"""How long a `ready` task has until `task_status.started()`; longer is a failure."""

log = structlog.get_logger("manor.tasks")

P = ParamSpec("P")


@dataclass(frozen=True)
class BackgroundTask:
    """Something a plugin does all day.

    Args:
        name: Names it in logs and `/readyz`; unique within its plugin.
        run: An async function. Returning ends the task for good; raising has it tried again after 1, 2, 4 … 60
            seconds. With `ready` it takes `task_status`, and the house is not ready before `started()` is called.
        ready: Whether the house waits for `task_status.started()`.
    """

    name: str
    run: Callable[..., Awaitable[Any]]
    ready: bool = False


class contained(Generic[P]):  # noqa: N801 - reads as `with contained(report):`
    """Keep a plugin's failure where it happened: `report(error, …)` is called, and the block is left.

    Cancellation and exits pass. Of a group that holds both, the errors are reported and the rest passes.
    """

    # Any Exception is caught, here and nowhere else: what a plugin's code may raise is not for the core to know, and
    # an error that rose further would end the nursery that all plugins live in.

    __slots__ = ("_args", "_kwargs", "_report")

    def __init__(self, report: Callable[Concatenate[Exception, P], None], *args: P.args, **kwargs: P.kwargs) -> None:
        self._report = report
        self._args = args
        self._kwargs = kwargs

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self._report(error, *self._args, **self._kwargs)
            return True
        if isinstance(error, BaseExceptionGroup):
            errors, rest = error.split(Exception)
            if isinstance(errors, Exception):
                self._report(errors, *self._args, **self._kwargs)
                if rest is not None:
                    raise rest
        return False


def describe(error: BaseException) -> str:
    """One line for an error: its type and text; a group's members, without the groups around them."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(describe(member) for member in error.exceptions)
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _nobody_is_told(owner: str, task: str, reason: str) -> None:
    """For a task without a house around it."""


async def supervise(
    owner: str,
    task: BackgroundTask,
    *,
    on_trouble: Callable[[str, str, str], None] = _nobody_is_told,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a task, again after each crash, until it returns, is cancelled, or has crashed too often.

    Crashes are logged. The pause before the next try is 1, 2, 4 … 60 seconds, and 1 again once the task ran for five
    minutes. Five crashes within five minutes quarantine it: `on_trouble` is called and `supervise` returns. Tells
    `task_status` when the task is ready; for one that is quarantined before, at that moment.

    Args:
        owner: The plugin.
        task: What to run.
        on_trouble: Called with the plugin's name, the task's name and a sentence once the task is given up.
        task_status: For `nursery.start`.
    """
    starting = _Starting(task, task_status)
    crashes: deque[float] = deque(maxlen=MOST_FAILURES)
    reason = ""
    pause = FIRST_PAUSE

    def note(error: Exception) -> None:
        nonlocal reason
        reason = describe(error)
        crashes.append(trio.current_time())
        log.error("a task crashed", plugin=owner, task=task.name, reason=reason, exc_info=error)

    while True:
        began = trio.current_time()
        reason = ""
        with contained(note):
            await starting.run()
        if not reason:
            return
        if len(crashes) == MOST_FAILURES and crashes[-1] - crashes[0] <= QUIET_SECONDS:
            log.error("a task is quarantined", plugin=owner, task=task.name)
            on_trouble(owner, task.name, f"crashed {MOST_FAILURES} times within five minutes, last with {reason}")
            starting.tell(None)
            return
        if crashes[-1] - began >= QUIET_SECONDS:
            pause = FIRST_PAUSE
        await trio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


class _Starting:
    """Passes on the first `started()` of a task that may need several tries for it."""

    def __init__(self, task: BackgroundTask, task_status: trio.TaskStatus[Any]) -> None:
        self._task = task
        self._task_status = task_status
        self._is_told = False

    def tell(self, value: Any) -> None:
        if not self._is_told:
            self._is_told = True
            self._task_status.started(value)

    async def run(self) -> None:
        if not self._task.ready:
            self.tell(None)
            await self._task.run()
            return
        async with trio.open_nursery() as nursery:
            with trio.fail_after(READY_SECONDS):
                value = await nursery.start(self._task.run)
            self.tell(value)


@dataclass(frozen=True)
class SlowStep:
    """The loop is held up, right now.

    Args:
        seconds: For how long already.
        plugin: Whose code is on the stack; "" for nobody's.
        stack: What runs, as a traceback has it.
    """

    seconds: float
    plugin: str
    stack: str


def log_slow_step(step: SlowStep) -> None:
    """Write it to the log. Called on the watch's thread."""
    log.warning("the loop is held up", seconds=round(step.seconds, 3), plugin=step.plugin or None, stack=step.stack)


def is_polling(innermost: FrameType) -> bool:
    """Whether a loop's thread waits for something to happen, in trio's own wait for sockets, timers and calls."""
    module: str = innermost.f_globals.get("__name__", "")
    return module.startswith("trio._core._io_") and innermost.f_code.co_name == "get_events"


class LoopWatch:
    """Sees to it that no step of the loop goes on for long without its author being named.

    A thread calls the loop every `beat` seconds. If the loop does not answer for `slow` seconds, the thread looks at
    what it is doing; a loop that waits for work is not held up, but not given the processor. That costs twenty short
    wake-ups a second and nothing per step, and leaves the loop's own clock alone, so that one which jumps still may.

    Args:
        plugins: Plugin names by the package that their code lives in, such as `{"manor_topics": "topics"}`.
        metrics: Where the loop's lag is noted.
        slow: Seconds from which a step is reported, once.
        beat: Seconds between calls.
        on_slow: Takes the report, on the watch's thread.
    """

    def __init__(
        self,
        plugins: Mapping[str, str],
        *,
        metrics: CoreMetrics | None = None,
        slow: float = 0.2,
        beat: float = 0.05,
        on_slow: Callable[[SlowStep], None] = log_slow_step,
    ) -> None:
        self._plugins = dict(plugins)
        self._metrics = metrics
        self._slow = slow
        self._beat = beat
        self._on_slow = on_slow
        self._over = threading.Event()
        self._answered = threading.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch the loop that this runs on, until cancelled."""
        self._over.clear()
        watch = threading.Thread(
            target=self._watch,
            args=(trio.lowlevel.current_trio_token(), threading.get_ident()),
            name="manor-loop-watch",
            daemon=True,
        )
        watch.start()
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            self._over.set()
            # The thread may wait for an answer that a loop which waits for the thread never gives.
            self._answered.set()
            watch.join()

    def _watch(self, loop: trio.lowlevel.TrioToken, loop_thread: int) -> None:
        while not self._over.wait(self._beat):
            self._answered.clear()
            if self._over.is_set():
                # It was set before `clear`, which undid what was to release us.
                return
            called = time.monotonic()
            loop.run_sync_soon(self._answered.set)
            if not self._answered.wait(self._slow):
                self._report(time.monotonic() - called, loop_thread)
                self._answered.wait()
            if self._metrics is not None:
                self._metrics.loop_lag_seconds.observe(time.monotonic() - called)

    def _report(self, seconds: float, loop_thread: int) -> None:
        frame = sys._current_frames().get(loop_thread)  # noqa: SLF001 - the documented way to another thread's stack
        if frame is not None and is_polling(frame):
            # It holds nobody up: it has been called, and the machine has not let it run yet.
            log.debug("the loop was not given the processor", seconds=round(seconds, 3))
        elif frame is not None:
            self._on_slow(SlowStep(seconds, self._plugin_of(frame), "".join(traceback.format_stack(frame))))

    def _plugin_of(self, innermost: FrameType) -> str:
        frame: FrameType | None = innermost
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            for package, plugin in self._plugins.items():
                if module == package or module.startswith(f"{package}."):
                    return plugin
            frame = frame.f_back
        return ""
