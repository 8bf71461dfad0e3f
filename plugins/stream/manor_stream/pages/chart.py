"""Charts for the admin's pages: points in a box, drawn as SVG by the template. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

WIDTH, HEIGHT = 600, 120

MOST_POINTS = 300
"""More than that are thinned out: nobody sees them, and the page would carry a day of minutes."""


class Value(Protocol):
    """One value."""

    @property
    def time(self) -> datetime:
        """When."""
        ...

    @property
    def value(self) -> int:
        """How many."""
        ...


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Args:
        points: Of a polyline, in a box of `WIDTH` by `HEIGHT`.
        first: When it begins.
        last: When it ends.
        now: The newest value.
        most: The greatest.
        top: The value at the upper edge.
    """

    points: str
    first: datetime
    last: datetime
    now: int
    most: int
    top: int


def chart_of(values: Sequence[Value], *, top: int = 0) -> Chart | None:
    """Draw values, oldest first; None for fewer than two.

    Args:
        values: What is drawn.
        top: The value at the upper edge; 0 for the greatest of them, and some more.
    """
    if len(values) < 2:
        return None
    first, last = values[0].time, values[-1].time
    seconds = (last - first).total_seconds() or 1.0
    most = max(each.value for each in values)
    top = top or max(5, most + most // 5)
    spots = (
        ((each.time - first).total_seconds() / seconds * WIDTH, HEIGHT - min(each.value, top) / top * HEIGHT)
        for each in _thinned(values)
    )
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return Chart(points, first, last, values[-1].value, most, top)


def _thinned(values: Sequence[Value]) -> Sequence[Value]:
    """The greatest of each group of neighbours, and the newest of all: peaks stay."""
    size = -(-len(values) // MOST_POINTS)
    if size == 1:
        return values
    groups = (values[start : start + size] for start in range(0, len(values) - 1, size))
    return [*(max(group, key=lambda each: each.value) for group in groups), values[-1]]
