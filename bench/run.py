"""Measure this checkout: run every scenario, print a table, write JSON. README.md says how to read it.

Run it as `python -m bench.run` from the project's root, in its virtual environment.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.loads import Figures, built, driven, is_bad, quietest, raise_descriptor_limit
from bench.reports import keep, machine
from bench.scenarios import Scenario, scenarios
from bench.server import CHAT, Server, create_topic

STARTS = 5
SETTLED_AFTER = 2.0  # seconds; what a start leaves behind is collected by then


def main() -> int:
    """Run what was asked for; the exit status is 1 when a scenario lost messages or failed."""
    options = _options()
    raise_descriptor_limit()
    with built() as loadgen:
        results = _measure(options, loadgen)
    keep(options.name, "bench.run", results, machine=machine(options.scratch, is_pinned=not options.unpinned))
    return 1 if any(is_bad(result) for result in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--match", default="", help="only scenarios whose name this regular expression finds")
    parser.add_argument("--seconds", type=int, default=3, help="of load per scenario")
    parser.add_argument("--tries", type=int, default=3, help="repeats of a run that others on the machine disturbed")
    parser.add_argument(
        "--unpinned", action="store_true", help="do not pin the daemon to core 0 and the load to core 1"
    )
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    return parser.parse_args()


def _measure(options: argparse.Namespace, loadgen: Path) -> list[Figures]:
    results: list[Figures] = []
    if re.search(options.match, "start-up"):
        results.append(_start_up(options))
        print(_row(results[-1]), flush=True)
    for scenario in scenarios(options.seconds):
        if re.search(options.match, scenario.name):
            results.append(quietest(partial(_once, scenario, options, loadgen), options.tries))
            print(_row(results[-1]), flush=True)
    return results


def _start_up(options: argparse.Namespace) -> Figures:
    """Starts with an existing database, as a reboot does; the time runs from exec to the first 200 of /readyz."""
    seconds: list[float] = []
    memory: list[int] = []
    for _ in range(STARTS):
        with Server(options.scratch, is_pinned=not options.unpinned) as server:
            seconds.append(server.seconds_to_ready)
            time.sleep(SETTLED_AFTER)
            memory.append(server.memory_kib())
    return {
        "scenario": "start-up",
        "group": "start-up",
        "seconds_to_ready": round(statistics.median(seconds), 3),
        "seconds_to_ready_all": [round(value, 3) for value in seconds],
        "idle_memory_kib": int(statistics.median(memory)),
    }


def _once(scenario: Scenario, options: argparse.Namespace, loadgen: Path) -> Figures:
    # A fresh server each time: growth of memory and database belongs to the scenario that caused it.
    is_pinned = not options.unpinned
    generator = [sys.executable, "-m", "bench.accounts"] if scenario.group == "accounts" else [str(loadgen)]
    plugins = {"chat": CHAT} if scenario.has_chat else {}
    furnish = partial(_furnish, people=scenario.people)
    with Server(options.scratch, is_pinned=is_pinned, plugins=plugins, furnish=furnish) as server:
        figures = driven([*generator, *scenario.arguments], server.target, is_pinned=is_pinned)
    return {
        "scenario": scenario.name,
        "group": scenario.group,
        "loadgen": [Path(generator[-1]).name, *scenario.arguments],
        **figures,
    }


def _furnish(config: Path, *, people: int) -> None:
    create_topic(config)
    if people:
        adding = [sys.executable, "-m", "bench.accounts", "people", "--people", str(people), "--config", str(config)]
        subprocess.run(adding, check=True, stdout=subprocess.DEVNULL, timeout=60)


def _row(result: Figures) -> str:
    name = f"{result['scenario']:28}"
    if "failed" in result:
        return f"{name} failed: {result['failed']}"
    match result["group"]:
        case "start-up":
            return f"{name} {result['seconds_to_ready']:.2f} s, idle {result['idle_memory_kib'] / 1024:.0f} MiB"
        case "publish":
            rate = f"{result['msgs_per_s']:>9,.0f} publishes/s"
            latency = f"p50 {result['pub_p50_ms']:.1f} p99 {result['pub_p99_ms']:.1f} ms"
        case "idle":
            rate = f"{result['rss_per_conn_bytes'] / 1024:>9.1f} KiB a stream"
            latency = f"{result['subs_ready']} of {result['subs']} open"
        case "accounts":
            return _accounts_row(name, result)
        case _:
            rate = f"{result['deliveries_per_s']:>9,.0f} deliveries/s"
            latency = f"p50 {result['del_p50_ms']:.1f} p99 {result['del_p99_ms']:.1f} ms"
            latency += f"; lost {result['lost']}, twice {result['dup']}"
    cpu = f"{result.get('server_cpu_us_per_msg', 0):.0f} us CPU each"
    return f"{name} {rate}; {latency}; {cpu}; others {result['others']:.2f}"


def _accounts_row(name: str, result: Figures) -> str:
    kinds = [key.removesuffix("_per_s") for key in result if key.endswith("_per_s")]
    figures = (
        f"{kind} {result[f'{kind}_per_s']:,.1f}/s, "
        f"p50 {result[f'{kind}_p50_ms']:.1f} p99 {result[f'{kind}_p99_ms']:.1f} ms"
        for kind in kinds
    )
    return f"{name} {'; '.join(figures)}; others {result['others']:.2f}"


if __name__ == "__main__":
    sys.exit(main())
