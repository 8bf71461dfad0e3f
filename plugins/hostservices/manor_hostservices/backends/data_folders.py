"""How much room the data of services takes up on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import trio

from manor_hostservices.backends.opening import FOLDER, open_folder, trusted
from manor_hostservices.catalogue import DataSize, Entry
from manor_hostservices.places import Places
from manor_hostservices.refusals import Missing, NotHere

SECONDS = 20.0
"""For the folders of one service."""

MOST = 1_000_000
"""Files and folders of one service that are looked at; their numbers are held in memory."""

DEEPEST = 200
"""Folders within each other: each takes a descriptor."""

_BLOCK = 512  # st_blocks counts these, whatever the file system's are


class DataFolders:
    """Measures the folders that the catalogue names.

    Whoever writes in a folder cannot have us look anywhere else: no link in it is followed.

    Args:
        places: Where the host's files are.
        entries: The catalogue.
    """

    def __init__(self, places: Places, entries: Mapping[str, Entry]) -> None:
        self._root = places.root
        self._entries = entries
        # One at a time: it takes the disk's time, which is the services'.
        self._turns = trio.CapacityLimiter(1)

    async def size(self, key: str) -> DataSize:
        """Measure a service's data, off the loop.

        Raises:
            Missing: There is no such service, or none of its folders.
            NotHere: We may look into none of them.
        """
        entry = self._entries.get(key)
        if entry is None:
            raise Missing(f"There is no service {key}")
        # A disk that does not answer must not hold up whoever asks; the next one waits for it.
        return await trio.to_thread.run_sync(self._measure, entry, limiter=self._turns, abandon_on_cancel=True)

    def _measure(self, entry: Entry) -> DataSize:
        measure = Measure()
        absent, locked = 0, 0
        for path in entry.data:
            try:
                descriptor = open_folder(self._root, path, trusted())
            except PermissionError:
                locked += 1
            except OSError:
                absent += 1
            else:
                measure.add(descriptor)
        if absent == len(entry.data):
            raise Missing(f"{entry.title} has no folder of data here")
        if absent + locked == len(entry.data):
            raise NotHere(f"Only root may look into the data of {entry.title}")
        return DataSize(measure.bytes, measure.is_whole and not locked)


class Measure:
    """Adds up what folders take up on disk; what has several names counts once.

    Args:
        seconds: After which no more is looked at.
        most: Files and folders that are looked at.
        now: The seconds of a clock.

    Attributes:
        bytes: So many so far.
        is_whole: Whether that is all.
    """

    def __init__(
        self, seconds: float = SECONDS, most: int = MOST, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.bytes = 0
        self.is_whole = True
        self._now = now
        self._until = now() + seconds
        self._left = most
        self._seen: set[tuple[int, int]] = set()

    def add(self, folder: int) -> None:
        """Add a folder with all that is in it.

        Args:
            folder: Its descriptor, which is closed.
        """
        # Each level's descriptor, and the folders in it that are still to come: opened by their names in it, nobody
        # can put a link in between.
        levels: list[tuple[int, list[str]]] = [(folder, [])]
        try:
            levels[0][1].extend(self._look(folder))
            while levels:
                here, names = levels[-1]
                if names and (self._is_over() or len(levels) == DEEPEST):
                    self.is_whole = False
                    names.clear()
                if names:
                    self._enter(levels, here, names.pop())
                else:
                    levels.pop()
                    os.close(here)
        finally:
            for descriptor, _ in levels:
                os.close(descriptor)

    def _enter(self, levels: list[tuple[int, list[str]]], here: int, name: str) -> None:
        try:
            inner = os.open(name, FOLDER, dir_fd=here)
        except FileNotFoundError:
            return  # it has gone meanwhile
        except OSError:
            # It is not ours to look into, or has become something else.
            self.is_whole = False
            return
        levels.append((inner, []))
        levels[-1][1].extend(self._look(inner))

    def _look(self, folder: int) -> list[str]:
        """Add a folder's files and the folder itself; gives the names of the folders in it."""
        if not self._count(os.fstat(folder), is_shared=True):
            return []
        inner = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if self._is_over():
                        self.is_whole = False
                        break
                    self._left -= 1
                    if entry.is_dir(follow_symlinks=False):
                        inner.append(entry.name)
                        continue
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    self._count(found, is_shared=found.st_nlink > 1)
        except OSError:
            self.is_whole = False
        return inner

    def _count(self, status: os.stat_result, *, is_shared: bool) -> bool:
        """Add one thing, unless it was added by another name."""
        if is_shared:
            number = status.st_dev, status.st_ino
            if number in self._seen:
                return False
            self._seen.add(number)
        self.bytes += status.st_blocks * _BLOCK
        return True

    def _is_over(self) -> bool:
        return self._left <= 0 or self._now() > self._until
