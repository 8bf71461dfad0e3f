"""Two servers measured in turn, so that a slow phase of the machine hits both, and what one is of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench.loads import FAULTS, Figures


@dataclass(frozen=True)
class Side:
    """One of the two: its name, and one run of it."""

    name: str
    measure: Callable[[], Figures]


def contest(key: str, ours: Side, other: Side | None, rounds: int, *, is_between: bool = True) -> Figures:
    """Measure ours, and then as often as there are rounds the other and ours again.

    Args:
        key: The figure whose ratio counts.
        ours: What is measured.
        other: What it is measured against; None for nothing: then ours runs once.
        rounds: How often the other runs.
        is_between: Whether the other stands between two of ours; if not, each round measures both of them once.

    Returns:
        `sides` with the typical figures of each by name; `ratio` of ours to the other, the median of the rounds, and
        `ratios`; `runs`, all figures in the order in which they came.
    """
    runs = [_run(ours)]
    ratios: list[float] = []
    for number in range(rounds if other is not None else 0):
        assert other is not None
        if number and not is_between:
            runs.append(_run(ours))
        around, against = [runs[-1]], _run(other)
        runs.append(against)
        if is_between:
            runs.append(_run(ours))
            around.append(runs[-1])
        if all(run.get(key) for run in (*around, against)):
            ratios.append(mean(run[key] for run in around) / against[key])
    names = [ours.name, *([other.name] if other is not None else [])]
    return {
        "key": key,
        "sides": {name: typical([run for run in runs if run["server"] == name]) for name in names},
        "ratio": round(median(ratios), 3) if ratios else None,
        "ratios": [round(ratio, 3) for ratio in ratios],
        "runs": runs,
    }


def typical(runs: Sequence[Figures]) -> Figures:
    """The median of each figure; of faults the sum, as none is forgiven; or the first run that failed."""
    for run in runs:
        if "failed" in run:
            return run
    numbers = {key: [run[key] for run in runs] for key, value in runs[0].items() if isinstance(value, int | float)}
    return {key: sum(each) if key in FAULTS else median(each) for key, each in numbers.items()}


def _run(side: Side) -> Figures:
    return {**side.measure(), "server": side.name}
