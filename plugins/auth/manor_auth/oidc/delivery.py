"""Where a browser goes with what it has earned: pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode

Way = Literal["fragment", "code", "query"]
"""How tokens travel: behind `#`, which no server sees; as a code that is exchanged for them; behind `?`."""


LOGINS = "/account/logins"
"""The page of one's accounts at providers."""


def usual_target(frontend: str) -> str:
    """Where tokens are taken when nobody says otherwise: the front end's page, or our own."""
    return f"{frontend}/auth/callback"


def delivered(target: str, way: Way, values: Mapping[str, str]) -> str:
    """A target with what is taken there."""
    if way == "fragment":
        return f"{target}#{urlencode(values)}"
    return f"{target}{'&' if '?' in target else '?'}{urlencode(values)}"


def to_page(path: str) -> str:
    """A path of ours as a `Location` header has it."""
    return quote(path, safe="/%:@!$&'()*+,;=~?-._")


def to_logins(word: str = "") -> str:
    """That page, with what went wrong."""
    return f"{LOGINS}?{urlencode({'error': word} if word else {'done': 'linked'})}"


def to_sign_in(word: str, page: str | None = None) -> str:
    """Our own sign-in page, with what went wrong, and where its reader wanted to go."""
    said = {"error": word} if page is None else {"error": word, "next": page}
    return f"/login?{urlencode(said)}"
