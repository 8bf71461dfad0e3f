"""Reports that are kept: what was measured, with the command, the commit and the time that it was."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.loads import LOAD_CORE
from bench.server import SERVER_CORE, sync_milliseconds

HERE = Path(__file__).resolve().parent


def keep(name: str, module: str, results: Any, **beside: Any) -> None:
    """Write `bench/results/NAME.json`.

    Args:
        name: Of the file; nothing is written when it is empty.
        module: What was run, as `bench.hls`.
        results: What it measured.
        beside: What else belongs to them.
    """
    if not name:
        return
    report = {
        "when": time.strftime("%FT%TZ", time.gmtime()),
        "command": " ".join([f"python -m {module}", *sys.argv[1:]]),
        "commit": _git("rev-parse", "--short", "HEAD") + ("-dirty" if _git("status", "--porcelain") else ""),
        "load_average": os.getloadavg()[0],
        **beside,
        "results": results,
    }
    (HERE / "results" / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")


def machine(scratch: Path, *, is_pinned: bool) -> dict[str, Any]:
    """What was measured on; `scratch` is on the disk that carried the data."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "pinned": {"daemon": SERVER_CORE, "load": LOAD_CORE} if is_pinned else None,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "fdatasync_4k_ms": round(sync_milliseconds(scratch), 3),
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
