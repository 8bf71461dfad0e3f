"""Children of the daemon that encode: started so that they take no processor time from those who serve."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import trio

ENCODER_NICENESS = 5
PICTURE_NICENESS = 15

MOST_OUTPUT = 32 * 1024 * 1024
MOST_COMPLAINTS = 64 * 1024
TERM_SECONDS = 2.0


class ChildFailed(Exception):
    """A child did not do what it was started for; the text says why."""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child gets of ours: no secrets of the configuration, and no proxy between it and this machine."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("MANOR_") and not name.lower().endswith("_proxy")
    }


async def start(
    argv: Sequence[str], *, niceness: int, stdin: int = subprocess.PIPE, variables: Mapping[str, str] | None = None
) -> trio.Process:
    """Start one in a session of its own, with pipes for output and errors.

    It may use every processor, though the daemon stays on one, and gets less of each than the daemon does.

    Args:
        argv: The command, which every user of this machine can read.
        niceness: How much it gives way to the daemon.
        stdin: As `subprocess` has it.
        variables: Added to its environment, which only the daemon's own user can read.

    Raises:
        ChildFailed: It cannot be started.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**environment(os.environ), **(variables or {})},
        )
    except OSError as error:
        raise ChildFailed(f"{argv[0]}: {error.strerror}") from error
    # A system that forbids either, or a child that is gone already, is no reason to do without it. Threads that it
    # makes later are as it is itself.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
    with suppress(OSError):
        os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))
    return process


async def output_of(
    argv: Sequence[str],
    data: bytes = b"",
    *,
    seconds: float,
    niceness: int = ENCODER_NICENESS,
    most_bytes: int = MOST_OUTPUT,
) -> bytes:
    """Run one to its end, with `data` as its input, and give what it wrote.

    Raises:
        ChildFailed: It cannot be started, failed, took longer than `seconds` or wrote more than `most_bytes`.
    """
    process = await start(argv, niceness=niceness)
    written = bytearray()
    complaints = bytearray()
    try:
        with trio.move_on_after(seconds) as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_write, process, data)
                nursery.start_soon(_collect, process.stderr, complaints, MOST_COMPLAINTS)
                await _collect(process.stdout, written, most_bytes + 1)
                await process.wait()
    finally:
        await end(process)
    if patience.cancelled_caught:
        raise ChildFailed(f"took longer than {seconds:g} s")
    if len(written) > most_bytes:
        raise ChildFailed(f"wrote more than {most_bytes} bytes")
    if process.returncode:
        lines = complaints.decode("utf-8", "replace").strip().splitlines()
        raise ChildFailed(lines[-1] if lines else f"ended with {process.returncode}")
    return bytes(written)


def signal_all(process: trio.Process, number: signal.Signals) -> None:
    """Send a signal to it and to all that it has started: an admin's ffmpeg may be a script around the real one."""
    # The number of a session stays taken while anybody is in it. Where nobody is, there is nothing to do.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def end(process: trio.Process) -> None:
    """See it gone with all that it has started, and its pipes closed, whatever is cancelled meanwhile."""
    with trio.CancelScope(shield=True):
        if process.returncode is None:
            signal_all(process, signal.SIGTERM)
            with trio.move_on_after(TERM_SECONDS):
                await process.wait()
        signal_all(process, signal.SIGKILL)
        await process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def _write(process: trio.Process, data: bytes) -> None:
    stdin = process.stdin
    assert stdin is not None, "started with a pipe"
    # One that has seen enough closes its end.
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stdin.send_all(data)
        await stdin.aclose()


async def _collect(stream: trio.abc.ReceiveStream | None, into: bytearray, most_bytes: int) -> None:
    """Read to the end, and keep the beginning."""
    assert stream is not None, "started with a pipe"
    async for chunk in stream:
        into += chunk[: most_bytes - len(into)]
