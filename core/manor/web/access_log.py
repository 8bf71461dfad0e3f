"""The access log's view of a request: everything but its secrets."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote_plus

# Of OpenID Connect: what a provider sends a browser back with, and where its owner goes with what that earned.
_SECRET = re.compile(r"(?:[a-z0-9_-]*token|auth|session|code|state|redirect_uri)", re.IGNORECASE)


def blanked(query: bytes, names: Collection[str] = ()) -> str:
    """A query string without the values that open something: tokens, `auth`, `session`, `code` and `state`.

    A parameter is known by its name as a route reads it, percent-decoded: `%74oken` is `token`.

    Args:
        query: As on the request line.
        names: Further parameters that hold a credential here.
    """
    return "&".join(_shown(pair, names) for pair in query.decode("utf-8", "backslashreplace").split("&"))


def _shown(pair: str, names: Collection[str]) -> str:
    written, equals, _ = pair.partition("=")
    name = unquote_plus(written)
    return f"{written}=..." if equals and (name in names or _SECRET.fullmatch(name)) else pair
