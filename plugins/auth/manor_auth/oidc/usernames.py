"""What somebody may be called who did not choose a name: pure rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LENGTHS = (3, 32)
NUMBERED = 1000
"""How many numbers are tried behind a name that is taken."""

_OTHER = re.compile(r"[^a-z0-9._-]+")


def suggestions(full_name: str, email: str) -> Iterator[str]:
    """Names to try, best first: what somebody is called, else what stands before the `@`, then with numbers.

    Args:
        full_name: As the provider or the app says; "" when neither does.
        email: Theirs.
    """
    least, most = LENGTHS
    name = next((each for each in (_plain(full_name), _plain(email.rpartition("@")[0])) if len(each) >= least), "")
    name = (name or f"user-{_plain(email.rpartition('@')[0])}").strip("._-")[:most]
    yield name
    for number in range(2, NUMBERED):
        yield f"{name[: most - len(str(number))]}{number}"


def _plain(text: str) -> str:
    """The letters, digits and dots of it that names are made of; accents are left off."""
    letters = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode("ascii").lower()
    return _OTHER.sub(".", letters.strip()).strip("._-")[: LENGTHS[1]].strip("._-")
