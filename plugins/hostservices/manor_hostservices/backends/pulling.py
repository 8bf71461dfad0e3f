"""Pulling the configuration's folder from where it comes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import trio

from manor_hostservices.programs import Programs
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import Pulled

SECONDS = 60.0
FAILED = 1
"""The exit status that stands for a `git` that did not run to its end."""


async def pull(programs: Programs, folder: Path) -> Pulled:
    """Run `git pull` there; it asks nobody for a password, and makes no merge.

    Returns:
        git's exit status and what it said; a `git` that is missing or takes over a minute is told the same way.
    """
    if os.geteuid() == 0 and (loose := await trio.to_thread.run_sync(_loose, folder)) is not None:
        return Pulled(FAILED, f"{loose} may be written by others than root; chmod go-w {loose}")
    try:
        done = await programs.run(
            ["git", "-C", str(folder), "pull", "--ff-only"],
            env={"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"},
            seconds=SECONDS,
        )
    except trio.TooSlowError:
        return Pulled(FAILED, f"git did not end within {SECONDS:.0f} seconds")
    except HostRefusal as refusal:
        return Pulled(FAILED, refusal.detail)
    return Pulled(done.status, done.output)


def _loose(folder: Path) -> Path | None:
    """What of a repository others may write, of all that names programs which git runs; git looks only whose it is."""
    for place in (folder, *(folder / ".git" / name for name in ("", "config", "hooks"))):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue  # git says better what is wrong with it
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            return place
    return None
