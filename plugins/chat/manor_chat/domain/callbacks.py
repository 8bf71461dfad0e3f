"""Addresses that a program may be led back to."""

from __future__ import annotations

from urllib.parse import urlsplit

LONGEST = 256
MOST = 20


def is_web_address(text: str) -> bool:
    """Whether this is an absolute address of the web."""
    parts = _split(text)
    return parts is not None and parts[0] in ("http", "https") and bool(parts[1])


def is_callback(text: str) -> bool:
    """Whether a program may name this: an address of the web, or of an app's own scheme, without a fragment."""
    if not 1 <= len(text) <= LONGEST or "#" in text:
        return False
    parts = _split(text)
    if parts is None:
        return False
    scheme, host = parts
    if scheme in ("http", "https"):
        return bool(host)
    return "." in scheme and scheme not in ("javascript", "data", "vbscript", "file")


def _split(text: str) -> tuple[str, str] | None:
    if not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        return parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        return None
