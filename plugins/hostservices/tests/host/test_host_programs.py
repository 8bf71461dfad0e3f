"""Programs of the host: what they say, how long they may take, and what ends with them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from manor_hostservices.programs import OUTPUT_LIMIT, HostPrograms
from manor_hostservices.refusals import NotHere

PROGRAMS = HostPrograms()


async def test_what_a_program_says_and_how_it_ends() -> None:
    done = await PROGRAMS.run(["sh", "-c", 'cat; echo "$WORD" >&2; exit 3'], stdin=b"in\n", env={"WORD": "out"})

    assert (done.status, done.output) == (3, "in\nout\n")


async def test_lines_are_heard_one_by_one() -> None:
    heard: list[str] = []

    await PROGRAMS.run(["printf", "one\\ntwo\\n\\nthree"], hear=heard.append)

    assert heard == ["one", "two", "", "three"]


async def test_a_long_line_is_heard_whole() -> None:
    heard: list[str] = []
    long = f"print('a' + 'x' * {3 * OUTPUT_LIMIT} + 'z'); print('next')"

    await PROGRAMS.run([sys.executable, "-c", long], hear=heard.append)

    assert [(len(line), line[:1], line[-1:]) for line in heard] == [(3 * OUTPUT_LIMIT + 2, "a", "z"), (4, "n", "t")]


async def test_nothing_of_our_own_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANOR_SECRET", "x")

    done = await PROGRAMS.run(["env"])

    assert {line.partition("=")[0] for line in done.output.splitlines()} - {"PWD", "SHLVL", "_"} == {
        "PATH",
        "HOME",
        "LC_ALL",
    }


async def test_arguments_are_never_read_by_a_shell() -> None:
    assert (await PROGRAMS.run(["echo", "$(id)", "; id", "*"])).output == "$(id) ; id *\n"


async def test_a_flood_is_kept_to_its_end() -> None:
    flood = f"import sys; sys.stdout.write('x' * {5 * OUTPUT_LIMIT}); sys.stdout.write('end')"

    done = await PROGRAMS.run([sys.executable, "-c", flood])

    assert done.status == 0
    assert len(done.output) == OUTPUT_LIMIT
    assert done.output.endswith("xend")


async def test_one_that_takes_too_long_ends_with_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    with pytest.raises(trio.TooSlowError):
        await PROGRAMS.run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], seconds=0.5)

    await ended(int(pid_file.read_text()))


async def test_one_that_leaves_another_behind_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manor_hostservices.programs.LINGERING_SECONDS", 0.2)
    pid_file = tmp_path / "pid"

    with trio.fail_after(20):
        done = await PROGRAMS.run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; echo done; exit 3"], seconds=None)

    assert (done.status, done.output) == (3, "done\n")
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


async def ended(pid: int) -> None:
    """Wait until a process has ended; one that is killed is still there for a moment."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def test_one_that_does_not_read_is_no_fault() -> None:
    assert (await PROGRAMS.run(["true"], stdin=b"x" * 1_000_000)).status == 0


@pytest.mark.parametrize("program", ["no-such-program", "/etc/passwd"])
async def test_one_that_is_missing_is_named(program: str) -> None:
    with pytest.raises(NotHere, match="is not installed"):
        await PROGRAMS.run([program])


async def test_what_is_no_program_is_named(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("id\n")
    script.chmod(0o755)

    with pytest.raises(NotHere, match="script cannot be run: Exec format error"):
        await PROGRAMS.run([str(script)])
