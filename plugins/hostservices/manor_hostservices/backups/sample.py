"""Proof that files come back from a backup: a few are restored to a folder of their own."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import trio

from manor_hostservices.backups.repository import Repository
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.refusals import Failed

FILES = 20
LARGEST = 64 << 20
"""Bytes of a file that is restored only to try it."""


class Sample:
    """A few of many files, each with the same chance, without having all of them in memory.

    Args:
        count: How many.
        chance: Where chance comes from.
    """

    def __init__(self, count: int, chance: random.Random) -> None:
        self._count = count
        self._chance = chance
        self._seen = 0
        self.files: list[tuple[str, int]] = []

    def take(self, node: dict[str, Any]) -> None:
        """See a file: restic's object."""
        path, size = str(node.get("path", "")), int(node.get("size", 0))
        if size > LARGEST or "\n" in path:
            return
        self._seen += 1
        if len(self.files) < self._count:
            self.files.append((path, size))
        elif (place := self._chance.randrange(self._seen)) < self._count:
            self.files[place] = path, size


async def restore_a_sample(repository: Repository, report: Report, snapshot: str) -> int:
    """Restore a few files of a backup, have restic compare them with it, and look whether they are there.

    Returns:
        How many.

    Raises:
        RepositoryFault: They could not be restored.
        Failed: They are not as they were.
    """
    sample = Sample(FILES, random.Random())  # noqa: S311 - which files are tried is no secret
    await repository.files(snapshot, sample.take)
    if not sample.files:
        return 0
    with tempfile.TemporaryDirectory(dir=repository.scratch) as folder:
        await repository.restore_some(report, snapshot, Path(folder), [path for path, _ in sample.files])
        wrong = await trio.to_thread.run_sync(_wrong, Path(folder), sample.files)
    if wrong:
        raise Failed(f"{len(wrong)} files did not come back as they were backed up, such as {wrong[0]}")
    return len(sample.files)


def _wrong(folder: Path, files: list[tuple[str, int]]) -> list[str]:
    return [path for path, size in files if not _has_size(folder / path.lstrip("/"), size)]


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
