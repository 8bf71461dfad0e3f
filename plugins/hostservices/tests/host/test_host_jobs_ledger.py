"""The list of jobs on the disk, and what may run beside what."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from manor.clock import SetClock
from manor_hostservices.jobs.exclusion import MOST, check_beside, check_may_end
from manor_hostservices.jobs.ledger import LINE_LIMIT, LOG_LIMIT, Entry, Ledger, boot_id
from manor_hostservices.jobs.settling import settled_jobs
from manor_hostservices.places import Places
from manor_hostservices.refusals import Conflicting, Failed, Missing
from manor_hostservices.verbs import Job, JobKind, StartJob
from tests.host_jobs import NOON, asked, job_id, new_ledger


def test_a_job_that_cannot_be_written_down_is_not_started(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.folder.parent.mkdir(parents=True)
    ledger.folder.write_text("in the way")

    with pytest.raises(Failed, match="cannot be written down: File exists"):
        ledger.create(asked())


def test_a_job_is_there_for_whoever_reads_later(tmp_path: Path) -> None:
    made = new_ledger(tmp_path).create(StartJob(job_id(1), "restore", "0a1b2c3d", dry_run=True))

    entry = new_ledger(tmp_path).entry(job_id(1))
    assert entry.job == made
    assert entry.asked == StartJob(job_id(1), "restore", "0a1b2c3d", dry_run=True)
    assert made == Job(job_id(1), "restore", "running", NOON, dry_run=True, snapshot="0a1b2c3d", boot_id="this boot")


def test_nobody_else_may_look(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked())
    ledger.append(job_id(1), ["hello"])

    assert {path.name: oct(path.stat().st_mode & 0o777) for path in ledger.folder.iterdir()} == {
        f"{job_id(1)}.json": "0o600",
        f"{job_id(1)}.log": "0o600",
    }
    assert ledger.folder.stat().st_mode & 0o777 == 0o700


def test_an_id_is_used_once(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked())

    with pytest.raises(Conflicting):
        ledger.create(asked(kind="upgrade"))


@pytest.mark.parametrize("id_", ["", "../state", "0" * 31, "0" * 33, f"{job_id(1)}\n", "A" * 32, "x/" + "0" * 30])
def test_what_is_no_id_is_no_file(tmp_path: Path, id_: str) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked())
    elsewhere = Path(f"{ledger.folder}/{id_}.json")
    elsewhere.parent.mkdir(exist_ok=True)
    elsewhere.write_bytes((ledger.folder / f"{job_id(1)}.json").read_bytes())

    with pytest.raises(Missing):
        ledger.entry(id_)
    with pytest.raises(Missing):
        ledger.log(id_, 10)


def test_the_newest_are_kept_and_those_that_run(tmp_path: Path) -> None:
    clock = SetClock(NOON)
    ledger = Ledger(Places(tmp_path), clock, "this boot", kept=10)
    for number in range(20):
        clock.set(NOON + timedelta(minutes=number))
        job = ledger.create(asked(number))
        if number:
            ledger.write(Entry(msgspec.structs.replace(job, state="done"), asked()))
            ledger.append(job.id, ["done"])

    kept = [job.id for job in ledger.jobs()]
    assert kept == [job_id(number) for number in range(19, 9, -1)] + [job_id(0)]
    assert len(list(ledger.folder.iterdir())) == 2 * 10 + 1
    assert [job.id for job in ledger.jobs(limit=2)] == kept[:2]
    assert [job.id for job in ledger.jobs([job_id(12), job_id(5), job_id(14)])] == [job_id(14), job_id(12)]


@pytest.mark.parametrize("spoiled", [b"", b"{", b"\xff\x00", b'{"job":{"id":"\xff"}}', b'{"job":{}}', b"[]"])
def test_a_file_that_cannot_be_read_is_no_job(tmp_path: Path, spoiled: bytes) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(1))
    ledger.create(asked(2))
    (ledger.folder / f"{job_id(1)}.json").write_bytes(spoiled)

    assert [job.id for job in ledger.jobs()] == [job_id(2)]
    with pytest.raises(Missing):
        ledger.entry(job_id(1))


async def test_a_job_that_is_being_started_is_not_taken_for_lost(tmp_path: Path) -> None:
    ledger, starting, seen = new_ledger(tmp_path), trio.Lock(), list[str]()
    processes: set[str] = set()

    async def living(ids: Sequence[str]) -> set[str]:
        return processes

    async def look() -> None:
        seen.extend(job.state for job in await settled_jobs(ledger, [], living, starting))

    async with trio.open_nursery() as nursery, starting:
        ledger.create(asked())
        nursery.start_soon(look)
        await trio.testing.wait_all_tasks_blocked(0.05)
        processes.add(job_id(1))

    assert seen == ["running"]


def test_a_process_that_is_gone_without_a_word_leaves_a_lost_job(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked())

    settled = ledger.settle(job)

    assert (settled.state, settled.ended_at) == ("lost", NOON)
    assert ledger.entry(job.id).job == settled


def test_with_a_full_disk_it_is_told_all_the_same(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # no file may grow
    try:
        settled = ledger.settle(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert settled.state == "lost"
    assert ledger.entry(job.id).job == job
    assert ledger.settle(job).state == ledger.entry(job.id).job.state == "lost"


def test_an_end_that_was_written_meanwhile_counts(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked())
    ledger.write(Entry(msgspec.structs.replace(job, state="done"), asked()))

    assert ledger.settle(job).state == "done"


def test_a_job_that_was_killed_on_demand_is_cancelled(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked())
    ledger.ask_to_end(job.id)

    assert ledger.settle(job).state == "cancelled"


@pytest.mark.parametrize(
    ("kind", "boot", "state"),
    [
        ("reboot", "another boot", "done"),
        ("reboot", "this boot", "lost"),
        ("reboot", "", "lost"),
        ("backup", "another boot", "lost"),
    ],
)
def test_a_restart_is_done_when_the_kernel_is_another(tmp_path: Path, kind: JobKind, boot: str, state: str) -> None:
    job = new_ledger(tmp_path).create(asked(kind=kind))

    assert new_ledger(tmp_path, boot).settle(job).state == state


def test_each_start_of_a_host_or_container_has_an_id(tmp_path: Path) -> None:
    def started(kernels: str, at: int) -> str:
        (tmp_path / "sys/kernel/random").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/kernel/random/boot_id").write_text(f"{kernels}\n")
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1/stat").write_text(f"1 (a) b (c) S {' '.join('0' * 18)} {at} 9 9\n")
        return boot_id(tmp_path)

    assert boot_id(tmp_path) == ""
    assert len({started("one", 4), started("one", 77), started("two", 4)}) == 3
    assert started("one", 4) == started("one", 4)
    (tmp_path / "1/stat").unlink()
    assert boot_id(tmp_path) == "one", "who may not see the first process has the kernel's"
    assert boot_id() == boot_id() != ""


def test_a_log_gives_its_newest_lines(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked())
    assert ledger.log(job_id(1), 10) == []

    ledger.append(job_id(1), ["one", "two\nlines\r", "ä \udcff"])
    ledger.append(job_id(1), ["x" * 9000])

    assert ledger.log(job_id(1), 10) == ["one", "two lines", "ä ?", "x" * LINE_LIMIT]
    assert ledger.log(job_id(1), 1) == ["x" * LINE_LIMIT]


def test_a_log_that_gets_too_long_loses_its_older_half(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked())
    line = "x" * 1000

    for number in range(0, LOG_LIMIT // 1000 + 100, 50):
        ledger.append(job_id(1), [f"{number + each:06} {line}" for each in range(50)])

    lines = ledger.log(job_id(1), 1 << 20)
    assert (ledger.folder / f"{job_id(1)}.log").stat().st_size <= LOG_LIMIT
    assert all(len(each) == 1007 for each in lines)
    assert int(lines[-1][:6]) - int(lines[0][:6]) == len(lines) - 1
    assert len(lines) > LOG_LIMIT // 1007 // 2 - 2


WRITER = """
import sys
from pathlib import Path
import msgspec
from manor_hostservices.jobs.ledger import Entry
from tests.host_jobs import asked, job_id, new_ledger
ledger = new_ledger(Path(sys.argv[1]))
job = ledger.entry(job_id(1)).job
print("ready", flush=True)
for number in range(1_000_000):
    ledger.write(Entry(msgspec.structs.replace(job, progress=0.5, message="x" * (number % 50_000)), asked()))
"""


def test_a_kill_while_it_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked(1))
    for _ in range(2):
        path = os.pathsep.join(sys.path)
        argv = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env={"PYTHONPATH": path}) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            while ledger.entry(job.id).job.progress < 0.5:
                pass
            writer.send_signal(signal.SIGKILL)
        assert ledger.entry(job.id).job.progress == 0.5
        ledger.write(Entry(job, asked()))
        (ledger.folder / f".{job.id}.json.abc").write_text("half")
    ledger.settle(job)

    ledger.create(asked(2))

    assert sorted(path.name for path in ledger.folder.iterdir()) == [f"{job_id(1)}.json", f"{job_id(2)}.json"]


def running(kind: JobKind) -> Job:
    return Job(job_id(9), kind, "running", NOON)


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        *((one, other) for one in ("backup", "restore", "init", "forget", "verify") for other in ("backup", "restore")),
        *((one, other) for one in ("apply", "upgrade", "rollback") for other in ("apply", "upgrade", "rollback")),
        ("reboot", "backup"),
        ("reboot", "reload"),
        ("restore", "upgrade"),
        ("apply", "restore"),
        ("backup", "reboot"),
        ("reload", "reboot"),
        ("reboot", "reboot"),
    ],
)
def test_what_stands_in_the_way_is_named(kind: JobKind, beside: JobKind) -> None:
    with pytest.raises(Conflicting) as refused:
        check_beside(asked(kind=kind), [running("reload"), running(beside)])

    assert beside in refused.value.detail or "restart" in refused.value.detail or "reload" in refused.value.detail


@pytest.mark.parametrize(
    ("kind", "beside"), [("backup", "upgrade"), ("upgrade", "backup"), ("reload", "backup"), ("reload", "apply")]
)
def test_what_does_no_harm_runs_beside(kind: JobKind, beside: JobKind) -> None:
    check_beside(asked(kind=kind), [running(beside)])


def test_only_so_many_run_at_once() -> None:
    check_beside(asked(kind="reload"), [running("reload")] * (MOST - 1))
    with pytest.raises(Conflicting):
        check_beside(asked(kind="reload", force=True), [running("reload")] * MOST)
    check_beside(asked(kind="reboot", force=True), [running("reload")] * MOST)


def test_force_restarts_whatever_runs() -> None:
    check_beside(asked(kind="reboot", force=True), [running("backup"), running("apply")])
    with pytest.raises(Conflicting):
        check_beside(asked(kind="reboot", force=True), [running("reboot")])


@pytest.mark.parametrize("kind", ["apply", "upgrade", "rollback", "reboot"])
def test_a_package_is_not_left_half_installed(kind: JobKind) -> None:
    with pytest.raises(Conflicting):
        check_may_end(running(kind))


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "lost"])
def test_what_has_ended_is_not_ended_again(state: str) -> None:
    with pytest.raises(Conflicting):
        check_may_end(msgspec.structs.replace(running("backup"), state=state))
