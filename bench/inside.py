"""Measuring inside one house, without sockets: the command line, the house, the language of its texts, the clock."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from bench.language import Language
from manor.testing import House, SetClock, open_test_house

NOW = datetime(2030, 1, 31, tzinfo=UTC)
"""When it is, in the house."""

Measure = Callable[[House, Language, argparse.Namespace, Path], Awaitable[dict[str, Any]]]
"""Fills the house and measures; told the options and a folder that is the benchmark's own. Returns its figures."""

_seconds = time.perf_counter


def seconds() -> float:
    """The time for measuring: the clock's, or with --cpu what this process has computed."""
    return _seconds()


def run(description: str | None, plugin: str, measure: Measure, counts: Mapping[str, tuple[int, str]]) -> None:
    """Measure in a fresh house, the same at every run, and print JSON.

    Args:
        description: For --help.
        plugin: The one that the house has.
        measure: What is measured.
        counts: Options that are numbers: the default and the help of each.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, told) in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=told)
    parser.add_argument("--cpu", action="store_true", help="count the process's CPU time")
    parser.add_argument("--scratch", type=Path, help="a folder on the disk that matters")
    options = parser.parse_args()
    global _seconds
    _seconds = time.process_time if options.cpu else time.perf_counter
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="manor-bench-") as folder:
        print(json.dumps(trio.run(_measured, Path(folder), plugin, measure, options), indent=2))


async def _measured(folder: Path, plugin: str, measure: Measure, options: argparse.Namespace) -> dict[str, Any]:
    async with open_test_house(folder, plugins=[plugin], clock=SetClock(NOW), inline=False) as house:
        figures = await measure(house, Language(random.Random(1)), options, folder)
    return {"is_cpu_time": options.cpu, **figures}
