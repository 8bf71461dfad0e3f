"""Stream processes that die, hang, or cannot be started at all."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from manor.relay import keeping
from manor.relay.keeping import ASK_EVERY, HANGS_AFTER, Processes

DEADLINE = 60


@asynccontextmanager
async def kept(processes: Processes) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(processes.run)
        yield
        nursery.cancel_scope.cancel()


async def turned(is_so: Callable[[], Any]) -> None:
    """Wait for other processes, whatever the test's own clock says."""
    for _ in range(DEADLINE * 100):
        if is_so():
            return
        await trio.to_thread.run_sync(signal.sigtimedwait, [], 0.01)
    raise AssertionError("it did not come about")


def _are(logs: list[Any], count: int) -> bool:
    return len(logs) == count


def pids(logs: list[Any]) -> list[int]:
    return [log["pid"] for log in logs if "pid" in log]


def reasons(logs: list[Any]) -> list[str]:
    return [log["reason"] for log in logs if "reason" in log]


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param(
            ["/no/such/program"], "[Errno 2] No such file or directory: '/no/such/program'", id="is not there"
        ),
        pytest.param([sys.executable, "-c", "raise SystemExit(3)"], "it exited with 3", id="exits at once"),
        pytest.param(
            [sys.executable, "-c", "import socket, sys; socket.socket(fileno=int(sys.argv[1])).send(bytes(13))"],
            "a frame of kind 0",
            id="says what it may not",
        ),
    ],
)
async def test_what_cannot_be_kept_running_is_tried_again_later_and_later(
    mock_clock: MockClock, command: list[str], reason: str
) -> None:
    processes = Processes(1, command=command)
    with capture_logs() as logs:
        async with kept(processes):
            for tries, pause in enumerate((1.0, 2.0, 4.0), start=1):
                await turned(partial(_are, logs, tries))
                assert (logs[-1]["again_in_seconds"], logs[-1]["reason"]) == (pause, reason)
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(pause)
    assert processes.links == []


async def test_a_process_that_hangs_is_killed_and_another_one_started(mock_clock: MockClock) -> None:
    ready: list[None] = []
    processes = Processes(1, processors=os.sched_getaffinity(0), on_ready=lambda: ready.append(None))
    with capture_logs() as logs:
        async with kept(processes):
            await turned(lambda: ready)
            (first,) = pids(logs)
            mock_clock.jump(ASK_EVERY)
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(DEADLINE):
                await processes.links[0].answers()
            os.kill(first, signal.SIGSTOP)
            mock_clock.jump(ASK_EVERY)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(HANGS_AFTER)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(keeping.FAILED_WITHIN)
            await turned(lambda: reasons(logs))
            assert (reasons(logs), processes.links) == (["it does not answer"], [])
            assert not is_alive(first)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(1.0)
            await turned(lambda: len(ready) == 2)
            second = pids(logs)[1]
            assert len(processes.links) == 1
    assert not is_alive(second), "it ends with whoever keeps it"
    assert processes.links == []


async def test_a_process_is_given_nothing_that_the_daemon_knows(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANOR_SERVER__SMTP__PASSWORD", "secret")
    processes = Processes(1)
    with capture_logs() as logs:
        async with kept(processes):
            await turned(lambda: processes.links)
            (pid,) = pids(logs)
            environment = Path(f"/proc/{pid}/environ").read_text()
            arguments = Path(f"/proc/{pid}/cmdline").read_text()
            files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
    assert "secret" not in environment + arguments
    assert {name.partition("=")[0] for name in environment.split("\0") if name} <= {"PYTHONPATH", "LD_LIBRARY_PATH"}
    assert sum(file.startswith("socket:") for file in files) <= 5, (
        "its core's, and two pairs by which trio wakes itself"
    )
