"""Putting the host into the state that was set from here: every piece is tried, whatever became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from manor_hostservices.jobs.reporting import Report
from manor_hostservices.refusals import Failed, HostRefusal


class PutRight(Protocol):
    """Puts something right."""

    async def __call__(self, *, dry_run: bool) -> bool:
        """Do it, or only look when this is a dry run; gives whether it was otherwise than it was set."""
        ...


@dataclass(frozen=True)
class Piece:
    """Something that was set from here.

    Args:
        name: What it is, for a person.
        put_right: Makes the host as it was set.
    """

    name: str
    put_right: PutRight


async def put_right(pieces: Sequence[Piece], report: Report, *, dry_run: bool) -> None:
    """Put right what differs.

    Args:
        pieces: In their order.
        report: Hears of each.
        dry_run: Only say what differs.

    Raises:
        Failed: Some could not be; its sentence has all of them.
    """
    failures, changed = [], 0
    for number, piece in enumerate(pieces):
        report.progress(number / len(pieces))
        report.message(f"Looking at {piece.name}")
        try:
            was_otherwise = await piece.put_right(dry_run=dry_run)
        except HostRefusal as refusal:
            failures.append(f"{piece.name}: {refusal.detail}")
            report.log(failures[-1])
            continue
        changed += was_otherwise
        done = ("would be put right" if dry_run else "put right") if was_otherwise else "as it was set"
        report.log(f"{piece.name}: {done}")
    if failures:
        raise Failed("; ".join(failures))
    report.progress(1)
    report.message(f"{changed} of {len(pieces)} settings {'would be' if dry_run else 'were'} put right")
