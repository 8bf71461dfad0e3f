"""`manor` with its durability broken on purpose, to show that the power-cut test would notice.

python variant.py normal ARGUMENTS…    commits without waiting for the disk (synchronous=NORMAL)
python variant.py early ARGUMENTS…     answers before the commit instead of after it
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import trio

import manor.daemon.running
import manor.storage.storage
from manor.cli import main
from manor.house import open_house
from manor.storage.batch import Committer, Unit
from manor.storage.writer import UNITS_IN_A_BATCH, Writer


class PostponedCommit:
    """A connection whose COMMIT is only remembered."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.is_due = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def execute(self, statement: str, *arguments: Any) -> Any:
        """Run it, unless it is the commit."""
        if statement == "COMMIT":
            self.is_due = True
            return None
        return self._handle.execute(statement, *arguments)

    def make_up(self) -> None:
        """Run the commit that is due."""
        if self.is_due:
            self.is_due = False
            self._handle.execute("COMMIT")


class EarlyCommitter(Committer):
    """Says that a batch is committed when it is not."""

    def commit(self, units: Sequence[Unit]) -> int:
        """Everything but the commit."""
        handle: Any = self._handle
        if not isinstance(handle, PostponedCommit):
            self._handle: Any = PostponedCommit(handle)
        return super().commit(units)

    def make_up(self) -> None:
        """The commit."""
        assert isinstance(self._handle, PostponedCommit)
        self._handle.make_up()


class EarlyWriter(Writer):
    """Answers the callers of a batch, and commits it then."""

    async def run(self) -> None:
        """As the real one, but in the wrong order."""
        assert isinstance(self._committer, EarlyCommitter)
        with trio.CancelScope(shield=True):
            while await self._is_wanted():
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), UNITS_IN_A_BATCH))]
                position = await self._connection.run(self._committer.commit, batch)
                self._announce(batch, position)
                await trio.sleep(0.002)  # by then the answers are on their way, however busy the machine is
                await self._connection.run(self._committer.make_up)


if __name__ == "__main__":
    match sys.argv.pop(1):
        case "normal":
            vars(manor.daemon.running)["open_house"] = partial(open_house, synchronous="NORMAL")
        case "early":
            vars(manor.storage.storage)["Committer"] = EarlyCommitter
            vars(manor.storage.storage)["Writer"] = EarlyWriter
        case other:
            raise SystemExit(f"no such variant: {other}")
    main()
