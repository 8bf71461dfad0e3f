"""How long jobs that change the host may take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from jeepney import Message, new_method_return

from manor.clock import SetClock
from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import BackupConfig, HostConfig, JobCommands
from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.jobs.performing import perform_to_the_end
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.jobs.units import MARGIN_SECONDS, UnitJobs
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.verbs import JobKind
from tests.host_bus import Say, answering, member, speaking
from tests.host_jobs import NOON, Working, asked, job_id, new_ledger
from tests.host_phone import until

HOUR = 3600
OVER = "It was ended because it took more than 5 hours (jobs.max_hours)"


async def no_work(report: Report) -> None:
    raise AssertionError("nobody asked for a backup")


@asynccontextmanager
async def upgrading(ledger: Ledger, root: Path, hours: int) -> AsyncIterator[Path]:
    """An upgrade that hangs; gives what the kernel has of its program."""
    ledger.create(asked(kind="upgrade"), hours)
    command = ("sh", "-c", f"echo $$ > {root}/pid.half; mv {root}/pid.half {root}/pid; exec sleep 1000")
    backend = Sandbox(HostConfig(jobs=JobCommands(upgrade=command)), Places(root), HostPrograms())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(perform_to_the_end, ledger, job_id(1), backend, Working(no_work))
        await until((root / "pid").exists)
        yield Path("/proc") / (root / "pid").read_text().strip()
        nursery.cancel_scope.cancel()


async def test_an_upgrade_that_hangs_is_ended_and_says_that_its_time_was_over(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    ledger = new_ledger(tmp_path)
    async with upgrading(ledger, tmp_path, 5) as process:
        mock_clock.jump(5 * HOUR - 60)
        await trio.testing.wait_all_tasks_blocked()
        assert process.exists()
        mock_clock.jump(60)
        await until(lambda: ledger.entry(job_id(1)).job.state != "running")

    job = ledger.entry(job_id(1)).job
    assert (job.state, job.message, job.ended_at) == ("failed", OVER, NOON)
    assert not process.exists()


async def test_an_upgrade_may_take_as_long_as_it_likes_where_the_admin_says_so(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1
    ledger = new_ledger(tmp_path)
    async with upgrading(ledger, tmp_path, 0) as process:
        mock_clock.jump(9999 * HOUR)
        await trio.testing.wait_all_tasks_blocked()
        assert process.exists()
        assert ledger.entry(job_id(1)).job.state == "running"


@pytest.mark.parametrize(("hours", "message"), [(4.9, "It was ended from outside"), (5, OVER)])
async def test_what_systemd_ends_because_its_time_was_over_says_so(tmp_path: Path, hours: float, message: str) -> None:
    clock = SetClock(NOON)
    ledger = Ledger(Places(tmp_path), clock, "boot")
    async with upgrading(ledger, tmp_path, 5):
        clock.set(NOON + timedelta(hours=hours))

    job = ledger.entry(job_id(1)).job
    assert (job.state, job.message) == ("failed", message)


@pytest.mark.parametrize(
    ("kind", "hours", "boot", "ending"),
    [
        ("upgrade", 4.9, "boot", ("lost", "Its process ended and never said how")),
        ("upgrade", 5, "boot", ("failed", OVER)),
        ("upgrade", 5, "another boot", ("lost", "The host was restarted meanwhile")),
        ("backup", 5, "boot", ("failed", OVER.replace("jobs", "backup"))),
        ("reboot", 5, "boot", ("failed", OVER.removesuffix(" (jobs.max_hours)"))),
        ("reboot", 5, "another boot", ("done", "The host has restarted")),
    ],
)
def test_what_was_killed_because_its_time_was_over_is_not_lost(
    tmp_path: Path, kind: JobKind, hours: float, boot: str, ending: tuple[str, str]
) -> None:
    job = Ledger(Places(tmp_path), SetClock(NOON), "boot").create(asked(kind=kind), 5)

    settled = Ledger(Places(tmp_path), SetClock(NOON + timedelta(hours=hours)), boot).settle(job)

    assert (settled.state, settled.message) == ending


@pytest.mark.parametrize(
    ("kind", "table", "hours"),
    [
        ("upgrade", {}, 24),
        ("apply", {"jobs": JobCommands(max_hours=3)}, 3),
        ("rollback", {"jobs": JobCommands(max_hours=0)}, None),
        ("restore", {}, 72),
        ("reload", {"backup": BackupConfig(max_hours=0)}, None),
        ("reboot", {"jobs": JobCommands(max_hours=0)}, 1),
    ],
)
async def test_systemd_ends_what_does_not_end_itself(
    tmp_path: Path, kind: JobKind, table: dict[str, Any], hours: int | None
) -> None:
    started: list[dict[str, Any]] = []

    async def answer(message: Message, say: Say) -> None:
        assert member(message) == "StartTransientUnit"
        started.append({name: value for name, (_, value) in message.body[2]})
        await say(new_method_return(message, "o", ("/job",)))

    ledger = new_ledger(tmp_path)
    async with answering(tmp_path, speaking(answer)) as bus:
        await UnitJobs(ledger, bus, HostConfig(**table), trio.Lock()).start(asked(kind=kind))

    [properties] = started
    expected = None if hours is None else (hours * HOUR + MARGIN_SECONDS) * 1_000_000
    assert properties.get("RuntimeMaxUSec") == expected
    assert ledger.entry(job_id(1)).max_hours == (hours or 0)
