"""Dotted keys: how a place in the configuration is written and found."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

_BARE = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])*")


def dotted(path: tuple[str, ...]) -> str:
    """A key as TOML writes it, such as `plugins.topics.ping_seconds`; parts that need quotes get them."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of an "unknown" message: `; did you mean 'log_level'?`, or nothing when nothing is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
