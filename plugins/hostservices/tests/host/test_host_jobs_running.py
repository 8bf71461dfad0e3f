"""A job's own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from manor.clock import SetClock
from manor_hostservices.config import HostConfig, JobCommands
from manor_hostservices.jobs.ledger import Entry
from manor_hostservices.jobs.running import main
from manor_hostservices.places import Places
from manor_hostservices.refusals import NotHere
from manor_hostservices.verbs import Job
from tests.host_jobs import NOON, asked, job_id, new_ledger

CLOCK = SetClock(NOON)


def configured(*upgrade: str) -> HostConfig:
    return HostConfig(jobs=JobCommands(upgrade=upgrade))


@pytest.mark.parametrize(
    ("argv", "state", "lines"),
    [
        (("sh", "-c", "echo one; echo two >&2"), "done", ["one", "two"]),
        (("sh", "-c", "echo one; exit 3"), "failed", ["one"]),
        (("manor-has-no-such-program",), "failed", []),
    ],
)
def test_it_does_what_the_administrator_configured(
    tmp_path: Path, argv: tuple[str, ...], state: str, lines: list[str]
) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="upgrade"))

    assert main([job_id(1)], CLOCK, Places(tmp_path), lambda: configured(*argv)) == 0

    job = ledger.entry(job_id(1)).job
    assert (job.state, job.ended_at) == (state, NOON)
    assert job.message
    assert [line for line in ledger.log(job_id(1), 10) if line in ("one", "two")] == lines


def test_how_it_ended_is_told_though_its_log_takes_nothing(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="upgrade"))
    (ledger.folder / f"{job_id(1)}.log").mkdir()

    assert main([job_id(1)], CLOCK, Places(tmp_path), lambda: configured("echo", "one")) == 0

    assert ledger.entry(job_id(1)).job.state == "done"


def test_a_configuration_that_is_not_believed_fails_the_job(tmp_path: Path) -> None:
    def read() -> HostConfig:
        raise NotHere("config.toml may be written by others")

    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="upgrade"))

    assert main([job_id(1)], CLOCK, Places(tmp_path), read) == 0
    job = ledger.entry(job_id(1)).job
    assert (job.state, job.message, job.ended_at) == ("failed", "config.toml may be written by others", NOON)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["../../etc/passwd"], [job_id(2)]])
def test_what_is_no_job_is_not_done(tmp_path: Path, arguments: list[str]) -> None:
    new_ledger(tmp_path).create(asked(kind="upgrade"))

    assert main(arguments, CLOCK, Places(tmp_path), lambda: configured("touch", str(tmp_path / "done"))) in (1, 64)
    assert not (tmp_path / "done").exists()


def test_a_job_that_has_ended_is_not_done_again(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    job = ledger.create(asked(kind="upgrade"))
    ledger.write(Entry(msgspec.structs.replace(job, state="done"), asked(kind="upgrade")))

    assert main([job_id(1)], CLOCK, Places(tmp_path), lambda: configured("touch", str(tmp_path / "done"))) == 1
    assert not (tmp_path / "done").exists()


RUNNER = """
import sys
from pathlib import Path
from manor.clock import SetClock
from manor_hostservices.config import HostConfig, JobCommands
from manor_hostservices.jobs.running import main
from manor_hostservices.places import Places
from tests.host_jobs import NOON, job_id
argv = ("sh", "-c", "echo begun; sleep 60 & echo $! > " + sys.argv[1] + "/child; wait")
config = HostConfig(jobs=JobCommands(upgrade=argv))
sys.exit(main([job_id(1)], SetClock(NOON), Places(Path(sys.argv[1])), lambda: config))
"""


@pytest.mark.parametrize(("is_asked", "state"), [(True, "cancelled"), (False, "failed")])
def test_sigterm_ends_the_job_and_its_programs(tmp_path: Path, is_asked: bool, state: str) -> None:
    ledger = new_ledger(tmp_path)
    ledger.create(asked(kind="upgrade"))
    argv = [sys.executable, "-c", RUNNER, str(tmp_path)]
    with subprocess.Popen(argv, env={"PYTHONPATH": os.pathsep.join(sys.path)}) as runner:
        wait_for_log(tmp_path, runner)
        if is_asked:
            ledger.ask_to_end(job_id(1))
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(20) == 0

    job: Job = ledger.entry(job_id(1)).job
    assert job.state == state
    child = int((tmp_path / "child").read_text())
    assert not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text()


def wait_for_log(root: Path, runner: subprocess.Popen[bytes]) -> None:
    """Until the job's program has said something that is written down."""
    deadline = time.monotonic() + 20
    while "begun" not in new_ledger(root).log(job_id(1), 10) or not (root / "child").exists():
        assert time.monotonic() < deadline
        assert runner.poll() is None
        time.sleep(0.01)
