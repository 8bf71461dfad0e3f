"""The self-test leaves nothing behind, however it ends, and says how far it is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from manor.selftest import Stopped, scratch, until_stopped


def test_a_run_leaves_no_folder_behind(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        (folder / "data").mkdir()
        assert folder.parent == tmp_path

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_a_running_one_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "selftest-stale/data").mkdir(parents=True)
    (tmp_path / "selftest.txt").touch()

    with scratch(tmp_path) as running, scratch(tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "selftest.txt", running, folder])


async def test_a_run_that_nobody_stops_gives_its_result() -> None:
    async def run() -> str:
        await trio.lowlevel.checkpoint()
        return "kept"

    assert await until_stopped(run) == "kept"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_cancels_a_run_which_then_cleans_up(number: signal.Signals) -> None:
    cleaned = []

    async def run() -> None:
        try:
            signal.raise_signal(number)
            await trio.sleep_forever()
        finally:
            cleaned.append(True)

    with pytest.raises(Stopped) as stopped:
        await until_stopped(run)

    assert (stopped.value.signal, cleaned) == (number, [True])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_leaves_nothing_on_the_disk_and_has_said_how_far_it_was(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "manor", "selftest", "durability", "--kills", "1000", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        process.send_signal(number)
        rest = process.stderr.read()
        status = process.wait(30)

    assert first.startswith(f"killing a daemon of its own 1000 times in {tmp_path}/selftest-")
    assert second.startswith("kill 1 of 1000: "), second + rest
    assert status == (-signal.SIGTERM if number is signal.SIGTERM else 130)
    assert list(tmp_path.iterdir()) == []
