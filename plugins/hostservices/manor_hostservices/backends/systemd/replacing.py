"""Replacing a configuration file for as long as nobody objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manor_hostservices.stored import write_whole


@contextmanager
def replaced(path: Path, text: str) -> Iterator[None]:
    """Write a file that everybody may read; it is as it was before when what is done with it raises.

    Args:
        path: The file, which need not be there; its folder is.
        text: What is in it.
    """
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = None
    write_whole(path, text.encode(), 0o644)
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink()
        else:
            write_whole(path, before, 0o644)
        raise
