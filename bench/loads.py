"""Runs of a load generator: built, pinned beside the server, and judged by what else the machine did meanwhile."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import Target
from bench.server import quiet

LOAD_CORE = 1
NOISE = 0.25
"""Cores that others may use before a run is repeated."""

FAULTS = ("lost", "dup", "out_of_order", "misrouted", "subs_lost", "errors", "non_2xx", "wrong")
"""Figures that are zero in a run that counts."""

Figures = dict[str, Any]

_LONGEST = 180.0  # seconds


@contextmanager
def built() -> Iterator[Path]:
    """The load generator in C, compiled; it is gone with the block."""
    with tempfile.TemporaryDirectory(prefix="manor-loadgen-") as folder:
        target = Path(folder) / "loadgen"
        source = Path(__file__).with_name("loadgen.c")
        subprocess.run(["gcc", "-O2", "-Wall", "-Wno-misleading-indentation", "-o", target, source], check=True)
        yield target


@contextmanager
def header_file(secrets: Iterable[str]) -> Iterator[str]:
    """A file with a header for each credential, as the load generator reads them; it is gone with the block."""
    with tempfile.NamedTemporaryFile("w", prefix="manor-bench-") as file:
        file.writelines(f"Authorization: Bearer {secret}\n" for secret in secrets)
        file.flush()
        yield file.name


def driven(command: Sequence[str], target: Target, *, is_pinned: bool = True) -> Figures:
    """What a load generator says of one run, and how busy others kept the machine.

    Args:
        command: The generator and its arguments, without port and process.
        target: Who is under load.
        is_pinned: Whether it has a core to itself.

    Returns:
        Its figures with `others`, in cores; or `failed`, why there are none.
    """
    pin = ["taskset", "-c", str(LOAD_CORE)] if is_pinned else []
    where = ["--port", str(target.port), "--pid", str(target.pid), "--tree"]
    with quiet() as busy:
        done = subprocess.run([*pin, *command, *where], check=False, capture_output=True, text=True, timeout=_LONGEST)
    if done.returncode != 0 or not done.stdout:
        return {"failed": (done.stderr or done.stdout).strip()[-300:], "others": 0.0}
    figures: Figures = json.loads(done.stdout)
    others = busy[0] - figures["loadgen_cpu"] - figures.get("server_cpu", 0.0)
    return {"others": round(max(0.0, others), 2), **figures}


def quietest(measure: Callable[[], Figures], tries: int) -> Figures:
    """Repeat until nobody else disturbs the run: the least disturbed one, or the first that anything is wrong with."""
    best: Figures = {}
    for _ in range(tries):
        figures = measure()
        if is_bad(figures):
            return figures
        if not best or figures["others"] < best["others"]:
            best = figures
        if best["others"] <= NOISE:
            break
    return best


def is_bad(figures: Figures) -> bool:
    """Whether a run failed, or lost, doubled or refused anything."""
    return "failed" in figures or any(figures.get(key) for key in FAULTS)


def raise_descriptor_limit() -> None:
    """Let this process and those it starts open as many sockets as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
