"""Measure what the daemon does all day, in one run, with nchan and nginx beside it.

Publishing, delivering, streams that wait, chat, video. Run it as `python -m bench.front` from the root of the project,
in its virtual environment; README.md says how to read it. The server is on one core, the load generator on the other.
Whoever stands beside is measured between two runs of ours, so that a slow phase of the machine hits both: of all
figures, the ratios are those to believe.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from bench.front_rows import Setting, rows, rows_of_two_processes, why_no_processes
from bench.loads import NOISE, Figures, built, header_file, is_bad, raise_descriptor_limit
from bench.nchan import MODULE, why_no_nchan
from bench.publisher import KEYS, furnished
from bench.reports import keep, machine

BUSY = 0.9
"""Of its core: a load generator that is busier may have been the limit."""


def main() -> int:
    """Measure; the exit status is 1 when a run failed, or lost or doubled anything."""
    options = _options()
    raise_descriptor_limit()
    no_nchan, no_processes = why_no_nchan(options.nchan), why_no_processes()
    left_out = [why for why in (no_nchan, no_processes) if why]
    module = None if no_nchan else options.nchan
    results: list[Figures] = []
    for why in left_out:
        print(why, flush=True)
    with built() as loadgen, furnished(options.scratch) as furnish, header_file(KEYS) as keys:
        setting = Setting(
            loadgen, furnish, keys, options.seconds, options.rounds, options.tries, options.scratch, module
        )
        for row in [*rows(setting), *(rows_of_two_processes(setting) if not no_processes else ())]:
            if re.search(options.match, row.name):
                results.append({"scenario": row.name, "kind": row.kind, **row.run()})
                print("\n".join(_lines(results[-1])), flush=True)
    name = ("" if options.match else "front") if options.name is None else options.name
    keep(name, "bench.front", results, machine=machine(options.scratch, is_pinned=True), left_out=left_out)
    return 1 if any(is_bad(run) for result in results for run in result["runs"]) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", help="write bench/results/NAME.json; else front.json, and nothing with --match")
    parser.add_argument("--match", default="", help="only rows whose name this regular expression finds")
    parser.add_argument("--seconds", type=int, default=3, help="of load in each run")
    parser.add_argument("--rounds", type=int, default=1, help="how often whoever stands beside is measured")
    parser.add_argument("--tries", type=int, default=3, help="repeats of a run that others on the machine disturbed")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    parser.add_argument("--nchan", type=Path, default=MODULE, help="nginx's module, where it is not in Debian's place")
    return parser.parse_args()


# --- The table -------------------------------------------------------------------------------------------------------


def _lines(result: Figures) -> list[str]:
    lines = []
    for place, (name, figures) in enumerate(result["sides"].items()):
        head = f"{result['scenario'] if place == 0 else '':42} {name:12}"
        lines.append(f"{head} {_told(result['kind'], figures)}")
    if result["ratio"] is not None:
        ours, other = result["sides"]
        lines[-1] += f"; {ours} : {other} {result['ratio']:.2f}"
    return lines


def _told(kind: str, figures: Figures) -> str:
    if "failed" in figures:
        return f"failed: {figures['failed']}"
    match kind:
        case "publish":
            parts = [f"{figures['msgs_per_s']:>10,.0f} publishes/s", _times(figures, "pub")]
        case "idle":
            parts = [f"{figures['rss_per_conn_bytes'] / 1024:>10.1f} KiB each"]
        case "segments":
            parts = [f"{figures['per_s']:>10,.0f} segments/s"]
        case "chat":
            posts, deliveries = figures["msgs_per_s"], figures["deliveries_per_s"]
            parts = [f"{posts:>10,.0f} posts/s", f"{deliveries:,.0f} deliveries/s", _times(figures, "del")]
        case _:
            parts = [f"{figures['deliveries_per_s']:>10,.0f} deliveries/s", _times(figures, "del")]
    each = figures.get("server_cpu_us_per_msg", figures.get("cpu_us_each", 0.0))
    if kind != "idle":
        parts.append(f"{each:.1f} us CPU each")
    return "; ".join([*parts, *_notes(figures)])


def _times(figures: Figures, which: str) -> str:
    return f"p50 {figures[f'{which}_p50_ms']:.1f} p99 {figures[f'{which}_p99_ms']:.1f} ms"


def _notes(figures: Figures) -> list[str]:
    counted = {"lost": "lost", "dup": "twice", "out_of_order": "out of order", "non_2xx": "refused", "errors": "errors"}
    notes = [f"{word} {figures[key]:.0f}" for key, word in counted.items() if figures.get(key)]
    if "lost" in figures and not notes:
        notes = ["none lost or twice"]
    if figures.get("loadgen_cpu", 0.0) > BUSY:
        notes.append(f"load generator {figures['loadgen_cpu']:.2f}")
    if figures["others"] > NOISE:
        notes.append(f"others {figures['others']:.2f}")
    return notes


if __name__ == "__main__":
    sys.exit(main())
