"""URLs that people are shown: pure rules for what clients send."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from manor_topics.domain import Misfit

MOST_URL = 2048

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):\S+")
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_RUNS_CODE = ("javascript", "vbscript", "data", "blob", "file", "about")
"""What a browser would run, or read from a disk, in the name of the page that shows the link."""


def check_target(field: str, value: Any, *, web_only: bool = False) -> str:
    """A URL as it came.

    Args:
        field: What it is, for the error.
        value: As it was sent.
        web_only: Whether it is fetched (`https`, `http`); otherwise any scheme that an app may open, `mailto:` too.

    Raises:
        Misfit: It is none, or one that runs code in the page that shows it.
    """
    kind = "a URL that begins with http:// or https://" if web_only else "a URL such as https://example.org"
    misfit = Misfit(field, f"is {kind}, of at most {MOST_URL} characters")
    if not isinstance(value, str) or len(value) > MOST_URL or _SPACE_OR_CONTROL.search(value):
        raise misfit
    found = _SCHEME.fullmatch(value)
    if found is None or found[1].lower() in _RUNS_CODE:
        raise misfit
    if found[1].lower() in ("http", "https"):
        try:
            host = urlsplit(value).hostname
        except ValueError:
            host = None
        if not host:
            raise misfit
    elif web_only:
        raise misfit
    return value
