"""Jobs in the daemon's own process, and what is written of a job while it is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog.testing
import trio

from manor_hostservices.backends.sandbox import Sandbox
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.jobs.performing import PACE, UNEXPECTED, WAITING_LINES, perform_to_the_end
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Done, WrittenDown
from manor_hostservices.refusals import Conflicting, Failed, Missing, NotHere
from manor_hostservices.verbs import CancelJob, Job, JobKind, ReadJobLog, ReadJobs, StartJob
from tests.host_jobs import NOON, Working, asked, job_id, new_ledger


async def until_cancelled(report: Report) -> None:
    report.progress(0.25, bytes_done=1, bytes_total=4)
    report.message("Working")
    await trio.sleep_forever()


def new_jobs(root: Path, work: Working, programs: WrittenDown | None = None) -> InProcessJobs:
    config = HostConfig(backend="sandbox", root=str(root))
    return InProcessJobs(new_ledger(root), Sandbox(config, Places(root), programs or WrittenDown()), work)


@asynccontextmanager
async def open_jobs(root: Path, work: Working, programs: WrittenDown | None = None) -> AsyncIterator[InProcessJobs]:
    jobs = new_jobs(root, work, programs)
    async with trio.open_nursery() as nursery:
        await nursery.start(jobs.run)
        yield jobs
        nursery.cancel_scope.cancel()


async def when(jobs: InProcessJobs, state: str, number: int = 1, message: str | None = None) -> Job:
    with trio.fail_after(10):
        while True:
            [job] = await jobs.read(ReadJobs((job_id(number),)))
            if job.state == state and message in (None, job.message):
                return job
            await trio.sleep(0.005)


async def test_a_job_is_done_and_says_so(tmp_path: Path) -> None:
    async def work(report: Report) -> None:
        report.progress(0.5, bytes_done=10, bytes_total=20, seconds_left=3)
        report.made("0a1b2c3d")
        report.log("first")
        report.log("second")
        report.message("All is well")

    working = Working(work)
    async with open_jobs(tmp_path, working) as jobs:
        started = await jobs.start(StartJob(job_id(1), "restore", "0a1b2c3d", dry_run=True))
        job = await when(jobs, "done")
        lines = await jobs.log(ReadJobLog(job_id(1)))

    assert started.state == "running"
    assert working.did == [("restore", "0a1b2c3d", True)]
    assert (job.progress, job.message, job.ended_at, job.seconds_left) == (1.0, "All is well", NOON, None)
    assert (job.bytes_done, job.bytes_total, job.snapshot) == (10, 20, "0a1b2c3d")
    assert lines.lines == ["first", "second"]


async def test_what_was_left_half_written_is_gone_before_a_job_runs(tmp_path: Path) -> None:
    own = Places(tmp_path).own
    own.mkdir(parents=True)
    for name in ("store.json", ".store.json.abcdefgh"):
        (own / name).write_text("a secret")

    async def work(report: Report) -> None:
        raise AssertionError("nobody asked for a job")

    async with open_jobs(tmp_path, Working(work)):
        assert [path.name for path in own.iterdir() if "lock" not in path.name] == ["store.json"]


async def test_what_a_job_does_is_seen_while_it_does_it(tmp_path: Path) -> None:
    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        await jobs.start(asked())
        job = await when(jobs, "running", message="Working")

    assert (job.progress, job.bytes_done, job.bytes_total) == (0.25, 1, 4)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Failed("The repository is locked"), "The repository is locked"),
        (NotHere("restic is not installed"), "restic is not installed"),
        (trio.TooSlowError(), "It took too long"),
    ],
)
async def test_a_job_that_fails_says_why(tmp_path: Path, error: Exception, message: str) -> None:
    async def work(report: Report) -> None:
        report.progress(0.5)
        raise error

    async with open_jobs(tmp_path, Working(work)) as jobs:
        await jobs.start(asked())
        job = await when(jobs, "failed")

    assert (job.message, job.progress) == (message, 0.5)


async def test_what_nobody_thought_of_fails_that_job_alone(tmp_path: Path) -> None:
    async def work(report: Report) -> None:
        raise ZeroDivisionError("a secret")

    async with open_jobs(tmp_path, Working(work)) as jobs:
        with structlog.testing.capture_logs() as logs:
            await jobs.start(asked(1))
            job = await when(jobs, "failed")
        await jobs.start(asked(2))
        await when(jobs, "failed", 2)

    assert job.message == UNEXPECTED
    assert [(line["event"], line["job"]) for line in logs] == [("a job failed unexpectedly", job_id(1))]


async def test_a_job_is_cancelled(tmp_path: Path) -> None:
    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        await jobs.start(asked())
        await when(jobs, "running", message="Working")
        await jobs.cancel(CancelJob(job_id(1)))
        job = await when(jobs, "cancelled")
        with pytest.raises(Conflicting):
            await jobs.cancel(CancelJob(job_id(1)))
        with pytest.raises(Missing):
            await jobs.cancel(CancelJob(job_id(2)))

    assert (job.progress, job.message) == (0.25, "Cancelled")


async def test_a_job_is_ended_though_the_disk_takes_no_word_of_it(tmp_path: Path) -> None:
    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        await jobs.start(asked())
        await when(jobs, "running", message="Working")
        (new_ledger(tmp_path).folder / f"{job_id(1)}.end").symlink_to(tmp_path / "no such folder/word")
        await jobs.cancel(CancelJob(job_id(1)))
        job = await when(jobs, "failed")

    assert job.message == "It was ended from outside"


@pytest.mark.parametrize(("kind", "beside"), [("restore", "verify"), ("reboot", "backup")])
async def test_jobs_that_exclude_one_another_are_refused_at_once(
    tmp_path: Path, kind: JobKind, beside: JobKind
) -> None:
    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        await jobs.start(asked(1, beside))
        with pytest.raises(Conflicting):
            await jobs.start(asked(2, kind))
        with pytest.raises(Conflicting):
            await jobs.start(asked(1, "reload"))

        assert [job.id for job in await jobs.read(ReadJobs())] == [job_id(1)]


async def test_of_many_that_are_started_at_once_one_is(tmp_path: Path) -> None:
    started: list[Job] = []

    async def start(jobs: InProcessJobs, number: int) -> None:
        try:
            started.append(await jobs.start(asked(number)))
        except Conflicting:
            return

    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(start, jobs, number)

        assert [job.id for job in await jobs.read(ReadJobs())] == [job.id for job in started]
        assert len(started) == 1


async def test_a_process_that_ends_leaves_lost_jobs_behind(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(1))  # and the process was killed

    async with open_jobs(tmp_path, Working(until_cancelled)) as jobs:
        await jobs.start(asked(2))
        assert [job.state for job in await jobs.read(ReadJobs((job_id(1), job_id(2))))] == ["running", "lost"]

    assert ledger.entry(job_id(2)).job.state == "failed"
    assert ledger.entry(job_id(2)).job.message == "It was ended from outside"


async def test_nothing_starts_before_or_after_the_house(tmp_path: Path) -> None:
    jobs = new_jobs(tmp_path, Working(until_cancelled))

    with pytest.raises(NotHere):
        await jobs.start(asked())

    assert await jobs.read(ReadJobs()) == []


async def test_a_log_of_no_job_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        await new_jobs(tmp_path, Working(until_cancelled)).log(ReadJobLog(job_id(1)))


@pytest.mark.parametrize("kind", ["apply", "upgrade", "rollback", "reboot"])
async def test_the_host_does_what_is_the_hosts(tmp_path: Path, kind: JobKind) -> None:
    programs = WrittenDown(answers={(): Done(0, "said so\n")})
    async with open_jobs(tmp_path, Working(until_cancelled), programs) as jobs:
        await jobs.start(asked(kind=kind))
        await when(jobs, "done")

    assert len(programs.ran) == 1


# --- What is written meanwhile -------------------------------------------------------------------------------------


async def perform(root: Path, working: Working, **options: float) -> Job:
    ledger = new_ledger(root)
    ledger.create(asked())
    backend = Sandbox(HostConfig(backend="sandbox", root=str(root)), Places(root), WrittenDown())
    await perform_to_the_end(ledger, job_id(1), backend, working, **options)
    return ledger.entry(job_id(1)).job


@pytest.mark.parametrize(
    ("said", "kept"), [([0.5, 0.2], 0.5), ([-1.0], 0.0), ([7.0], 1.0), ([float("nan"), 0.1], 0.1), ([0.3, -0.3], 0.3)]
)
async def test_progress_never_goes_back_nor_out_of_bounds(tmp_path: Path, said: list[float], kept: float) -> None:
    async def work(report: Report) -> None:
        for fraction in said:
            report.progress(fraction)
        raise Failed("so far")

    assert (await perform(tmp_path, Working(work))).progress == kept


async def test_progress_is_written_twice_a_second_at_most(tmp_path: Path) -> None:
    written: set[bytes] = set()

    async def work(report: Report) -> None:
        path = tmp_path / "var/lib/manor-host/jobs" / f"{job_id(1)}.json"
        end = trio.current_time() + 2.2 * PACE
        while trio.current_time() < end:
            report.progress((end - trio.current_time()) / PACE / 3)
            report.message(str(trio.current_time()))
            written.add(path.read_bytes())
            await trio.sleep(0.002)

    await perform(tmp_path, Working(work))

    assert 2 <= len(written) <= 4  # as it was made, then at once, after one pace, after two


async def test_a_flood_of_lines_is_cut(tmp_path: Path) -> None:
    async def work(report: Report) -> None:
        for number in range(WAITING_LINES + 5):
            report.log(str(number))

    await perform(tmp_path, Working(work))

    lines = new_ledger(tmp_path).log(job_id(1), WAITING_LINES + 5)
    assert lines == [*map(str, range(WAITING_LINES)), "(5 more lines came too fast to be kept)"]


async def test_a_disk_that_takes_nothing_does_not_end_the_work(tmp_path: Path) -> None:
    went_on = False

    async def work(report: Report) -> None:
        nonlocal went_on
        folder = new_ledger(tmp_path).folder
        folder.rename(folder.with_name("gone"))
        report.message("hello")
        await trio.sleep(0.05)
        folder.with_name("gone").rename(folder)
        went_on = True

    with structlog.testing.capture_logs():
        job = await perform(tmp_path, Working(work))

    assert went_on
    assert job.state == "done"


async def test_a_restart_that_does_not_come_is_a_failure(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="reboot"))
    backend = Sandbox(HostConfig(backend="sandbox", root=str(tmp_path)), Places(tmp_path), WrittenDown())

    await perform_to_the_end(ledger, job_id(1), backend, Working(until_cancelled), restart_within=0.01)

    assert (ledger.entry(job_id(1)).job.state, ledger.entry(job_id(1)).job.message) == (
        "failed",
        "The host did not restart",
    )


async def test_a_restart_that_ends_the_process_is_told_by_the_next_boot(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="reboot"))
    backend = Sandbox(HostConfig(backend="sandbox", root=str(tmp_path)), Places(tmp_path), WrittenDown())

    with trio.move_on_after(0.05):
        await perform_to_the_end(ledger, job_id(1), backend, Working(until_cancelled), restart_within=60)

    assert ledger.entry(job_id(1)).job.state == "running"
    after = new_ledger(tmp_path, "another boot")
    assert after.settle(after.entry(job_id(1)).job).state == "done"
