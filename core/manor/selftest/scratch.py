"""A folder for one run on the disk that is proven, and nothing of it afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import trio

PREFIX = "selftest-"

T = TypeVar("T")


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """Make a folder in `place` that is gone afterwards; what runs that were killed left there goes first."""
    _remove_stale(place)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place) as name, _held(Path(name)):
        yield Path(name)


def _remove_stale(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        try:
            with _held(folder):
                shutil.rmtree(folder)
        except OSError:
            continue  # another run's, which still holds it, or not ours to remove


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the lock that says that a run is in there; the kernel lets go of it however the run ends.

    Raises:
        BlockingIOError: Another run holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class Stopped(Exception):
    """A signal ended the run.

    Attributes:
        signal: Its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


async def until_stopped(run: Callable[[], Awaitable[T]]) -> T:
    """Run it; SIGTERM and SIGHUP cancel it, as Ctrl-C does, so that it cleans up behind itself.

    Raises:
        Stopped: Such a signal came.
    """
    results: list[T] = []
    numbers: list[int] = []

    async def obey(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as received:
            task_status.started()
            async for number in received:
                numbers.append(number)
                scope.cancel()

    async with trio.open_nursery() as nursery:
        await nursery.start(obey, nursery.cancel_scope)
        results.append(await run())
        nursery.cancel_scope.cancel()
    if not results:
        raise Stopped(numbers[0])
    return results[0]
