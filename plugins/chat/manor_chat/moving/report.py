"""What became of an import or an export: what was counted, and what went wrong on which line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

MOST_TROUBLES = 1000
"""Troubles that are told one by one; the others are only counted."""

MOST_ALIKE = 10
"""Of those that say the same: all posts of one unknown author would hide every other trouble."""


class Trouble(msgspec.Struct, frozen=True):
    """Something that could not be carried over; `line` is 0 where it stands on no line."""

    line: int
    what: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it.

    Args:
        is_dry_run: Whether nothing was written.
        lines: How many lines there are.
        made: What was not there before, by kind.
        changed: What was there and is different now, by kind.
        unchanged: What was there just so, by kind.
        left_out: What is not carried over, by what it is.
        trouble_count: How many troubles there were.
        troubles: The first thousand of them, at most ten that say the same.
    """

    is_dry_run: bool = False
    lines: int = 0
    made: dict[str, int] = {}
    changed: dict[str, int] = {}
    unchanged: dict[str, int] = {}
    left_out: dict[str, int] = {}
    trouble_count: int = 0
    troubles: list[Trouble] = []


class Tally:
    """Counts as it goes. A unit of work counts in one of its own, which is added once it is committed."""

    def __init__(self) -> None:
        self.lines = 0
        self.made: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.unchanged: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.trouble_count = 0
        self.troubles: list[Trouble] = []
        self._alike: Counter[str] = Counter()

    def trouble(self, line: int, what: str) -> None:
        """Note that something on a line could not be carried over."""
        self.trouble_count += 1
        self._tell(Trouble(line, what))

    def add(self, other: Tally) -> None:
        """Add what another counted."""
        self.lines += other.lines
        for mine, theirs in zip(self._counters(), other._counters(), strict=True):
            mine.update(theirs)
        self.trouble_count += other.trouble_count
        for trouble in other.troubles:
            self._tell(trouble)

    def report(self, *, is_dry_run: bool = False) -> Report:
        """All of it, kinds in the order of their names; troubles in that of their lines."""
        made, changed, unchanged, left_out = (_shown(each) for each in self._counters())
        return Report(
            is_dry_run=is_dry_run,
            lines=self.lines,
            made=made,
            changed=changed,
            unchanged=unchanged,
            left_out=left_out,
            trouble_count=self.trouble_count,
            troubles=sorted(self.troubles, key=lambda each: each.line),
        )

    def _tell(self, trouble: Trouble) -> None:
        if len(self.troubles) < MOST_TROUBLES and self._alike[trouble.what] < MOST_ALIKE:
            self._alike[trouble.what] += 1
            self.troubles.append(trouble)

    def _counters(self) -> tuple[Counter[str], ...]:
        return self.made, self.changed, self.unchanged, self.left_out


def _shown(counter: Mapping[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in sorted(counter.items()) if count}
