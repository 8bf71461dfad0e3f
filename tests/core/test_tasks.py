from __future__ import annotations

import re
import sys
import threading
import time
import types
from collections.abc import Iterator

import pytest
import structlog
import trio
import trio.testing
from structlog.typing import EventDict

from manor.metrics import CoreMetrics, Metrics
from manor.tasks import BackgroundTask, LoopWatch, SlowStep, contained, describe, is_polling, supervise


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


class Crashing:
    """A task that notes when it was tried, and crashes so many times, each after running for a while."""

    def __init__(self, times: int, *, after: float = 0) -> None:
        self.tries: list[float] = []
        self._times = times
        self._after = after

    async def run(self) -> None:
        self.tries.append(trio.current_time())
        if len(self.tries) <= self._times:
            await trio.sleep(self._after)
            raise OSError("down")

    @property
    def seconds(self) -> list[int]:
        return [round(moment - self.tries[0]) for moment in self.tries]


async def test_a_crashed_task_is_tried_again_later(autojump_clock: trio.testing.MockClock) -> None:
    flaky = Crashing(3)

    await supervise("doorbell", BackgroundTask("poll", flaky.run))

    assert flaky.seconds == [0, 1, 3, 7]


async def test_a_task_that_crashes_five_times_in_five_minutes_is_quarantined(
    autojump_clock: trio.testing.MockClock, logged: list[EventDict]
) -> None:
    troubles: list[tuple[str, str, str]] = []
    hopeless = Crashing(1_000)

    await supervise("doorbell", BackgroundTask("poll", hopeless.run), on_trouble=lambda *told: troubles.append(told))

    assert hopeless.seconds == [0, 1, 3, 7, 15]
    assert troubles == [("doorbell", "poll", "crashed 5 times within five minutes, last with OSError: down")]
    assert [(entry["event"], entry["plugin"]) for entry in logged] == [
        *[("a task crashed", "doorbell")] * 5,
        ("a task is quarantined", "doorbell"),
    ]


async def test_a_task_that_crashes_now_and_then_is_never_given_up(autojump_clock: trio.testing.MockClock) -> None:
    weary = Crashing(9, after=100)

    await supervise("doorbell", BackgroundTask("poll", weary.run))

    pauses = [later - earlier - 100 for earlier, later in zip(weary.seconds, weary.seconds[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_five_quiet_minutes_make_the_pause_short_again(autojump_clock: trio.testing.MockClock) -> None:
    steady = Crashing(3, after=300)

    await supervise("doorbell", BackgroundTask("poll", steady.run))

    assert steady.seconds == [0, 301, 602, 903]


async def test_cancelling_a_supervised_task_ends_it_without_a_word(logged: list[EventDict]) -> None:
    ended = trio.Event()

    async def forever() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(supervise, "doorbell", BackgroundTask("poll", forever))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert ended.is_set()
    assert logged == []


async def test_a_task_that_crashes_while_it_is_cancelled_is_logged_and_still_cancelled(
    logged: list[EventDict],
) -> None:
    async def crash_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("cannot say goodbye")

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crash_at_the_end)
            nursery.start_soon(trio.sleep_forever)

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, "doorbell", BackgroundTask("poll", run))
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()

    assert scope.cancelled_caught
    assert [entry["reason"] for entry in logged] == ["OSError: cannot say goodbye"]


async def test_a_group_of_errors_counts_as_one_crash(
    autojump_clock: trio.testing.MockClock, logged: list[EventDict]
) -> None:
    tries: list[float] = []

    async def crash() -> None:
        raise OSError("down")

    async def run() -> None:
        tries.append(trio.current_time())
        if len(tries) == 1:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crash)
                nursery.start_soon(crash)

    await supervise("doorbell", BackgroundTask("poll", run))

    assert [entry["reason"] for entry in logged] == ["OSError: down; OSError: down"]


async def test_an_exit_is_nobodys_crash() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await supervise("doorbell", BackgroundTask("poll", leave))


async def test_a_ready_task_is_waited_for_until_it_says_so(autojump_clock: trio.testing.MockClock) -> None:
    tries: list[float] = []

    async def listen(*, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        tries.append(trio.current_time())
        if len(tries) < 3:
            raise OSError("address in use")
        task_status.started(4711)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        port = await nursery.start(supervise, "doorbell", BackgroundTask("listen", listen, ready=True))
        waited = trio.current_time() - tries[0]
        nursery.cancel_scope.cancel()

    assert (port, round(waited)) == (4711, 3)


async def test_a_ready_task_that_crashes_later_is_tried_again(autojump_clock: trio.testing.MockClock) -> None:
    tries: list[float] = []

    async def listen(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        tries.append(trio.current_time())
        task_status.started()
        if len(tries) == 1:
            raise OSError("cut off")

    async with trio.open_nursery() as nursery:
        await nursery.start(supervise, "doorbell", BackgroundTask("listen", listen, ready=True))

    assert [round(moment - tries[0]) for moment in tries] == [0, 1]


async def test_a_task_that_never_gets_ready_does_not_keep_the_house_closed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    troubles: list[str] = []

    async def listen(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await trio.sleep_forever()

    task = BackgroundTask("listen", listen, ready=True)
    async with trio.open_nursery() as nursery:
        began = trio.current_time()
        await nursery.start(
            lambda task_status: supervise(
                "doorbell",
                task,
                on_trouble=lambda owner, name, reason: troubles.append(reason),
                task_status=task_status,
            )
        )
        assert round(trio.current_time() - began) == 65

    assert troubles == ["crashed 5 times within five minutes, last with TooSlowError"]


def test_containing_passes_on_what_is_no_error() -> None:
    errors: list[Exception] = []

    with pytest.raises(KeyboardInterrupt), contained(errors.append):
        raise KeyboardInterrupt

    with pytest.raises(BaseExceptionGroup) as caught, contained(errors.append):
        raise BaseExceptionGroup("both", [OSError("down"), KeyboardInterrupt()])

    assert [describe(error) for error in errors] == ["OSError: down"]
    assert [type(error) for error in caught.value.exceptions] == [KeyboardInterrupt]


def test_an_error_without_text_is_described_by_its_type() -> None:
    assert describe(ExceptionGroup("all", [ValueError(), OSError("down")])) == "ValueError; OSError: down"


@pytest.fixture
def plugin_module() -> Iterator[types.ModuleType]:
    """A plugin's code, in a package of its own, that holds up whoever calls it until `let_go` is set."""
    module = types.ModuleType("manor_doorbell.ringing")
    exec("def ring(let_go):\n    let_go.wait(10)\n", module.__dict__)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


async def test_a_step_that_holds_up_the_loop_is_reported_with_its_plugin_and_stack(
    plugin_module: types.ModuleType,
) -> None:
    let_go = threading.Event()
    steps: list[SlowStep] = []

    def note(step: SlowStep) -> None:
        steps.append(step)
        let_go.set()

    watch = LoopWatch({"manor_topics": "topics", "manor_doorbell": "doorbell"}, slow=0.02, beat=0.005, on_slow=note)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch.run)
        plugin_module.ring(let_go)
        nursery.cancel_scope.cancel()

    assert let_go.is_set()
    assert steps[0].plugin == "doorbell"
    assert steps[0].seconds >= 0.02
    assert "in ring" in steps[0].stack


async def test_a_step_of_nobodys_is_reported_without_a_plugin(logged: list[EventDict]) -> None:
    let_go = threading.Event()
    steps: list[SlowStep] = []

    def note(step: SlowStep) -> None:
        steps.append(step)
        let_go.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(LoopWatch({"manor_doorbell": "doorbell"}, slow=0.02, beat=0.005, on_slow=note).run)
        let_go.wait(10)
        nursery.cancel_scope.cancel()

    assert steps[0].plugin == ""


def test_a_loop_that_waits_for_work_is_told_from_one_that_works() -> None:
    began, token = threading.Event(), []

    async def wait() -> None:
        token.append((trio.lowlevel.current_trio_token(), stop := trio.Event()))
        began.set()
        await stop.wait()

    thread = threading.Thread(target=trio.run, args=(wait,))
    thread.start()
    assert began.wait(10)
    assert thread.ident is not None
    deadline = time.monotonic() + 10
    while not is_polling(sys._current_frames()[thread.ident]):
        assert time.monotonic() < deadline
    loop, stop = token[0]
    loop.run_sync_soon(stop.set)
    thread.join(10)

    assert not is_polling(sys._getframe())


async def test_a_loop_that_answers_is_not_reported_and_its_lag_is_measured() -> None:
    metrics = Metrics()
    steps: list[SlowStep] = []
    counted = re.compile(r"^manor_loop_lag_seconds_count ([1-9]\d*)\.0$", re.MULTILINE)
    watch = LoopWatch({}, metrics=CoreMetrics(metrics), slow=10, beat=0.001, on_slow=steps.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch.run)
        while not counted.search(metrics.render().decode()):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()

    assert steps == []


async def test_the_watch_lets_a_clock_jump(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(LoopWatch({}).run)
        with trio.fail_after(3601):
            await trio.sleep(3600)
        nursery.cancel_scope.cancel()


def watches() -> int:
    return sum(thread.name == "manor-loop-watch" for thread in threading.enumerate())


async def test_the_watch_leaves_no_thread_behind() -> None:
    for _ in range(50):
        async with trio.open_nursery() as nursery:
            await nursery.start(LoopWatch({}, beat=0.0001).run)
            assert watches() == 1
            nursery.cancel_scope.cancel()

    assert watches() == 0


async def test_the_watch_ends_while_its_call_is_unanswered() -> None:
    for _ in range(20):
        let_go = threading.Event()
        async with trio.open_nursery() as nursery:
            watch = LoopWatch({}, slow=0.001, beat=0.0001, on_slow=lambda step, let_go=let_go: let_go.set())  # type: ignore[misc]
            await nursery.start(watch.run)
            let_go.wait(10)
            # Whether the loop answers first or ends the watch first is up to the loop.
            nursery.cancel_scope.cancel()

    assert watches() == 0
