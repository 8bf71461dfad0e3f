"""What people may be called, and when two names are the same: pure rules, shared by every API."""

from __future__ import annotations

import re
import unicodedata

from manor.errors import FieldProblem, Unprocessable

USERNAME_LENGTHS = (3, 64)
EMAIL_LENGTH = 254
NEVER = frozenset({"all", "channel", "here", "matterbot", "system", "manor"})
"""Words that mean something else where people are mentioned, and the system person's own name."""

_USERNAME = re.compile(r"[A-Za-z0-9._-]+")
# Said by what is left out of ASCII: ranges up to the last character of all take long to compile, at every start.
_LOCAL = re.compile(r"""[^\x00- "(),.:;<>@\[\\\]\x7f]+(\.[^\x00- "(),.:;<>@\[\\\]\x7f]+)*""")
_LABEL = re.compile(r"[^\x00-/:-@\[-`{-\x7f]([^\x00-,./:-@\[-`{-\x7f]{0,61}[^\x00-/:-@\[-`{-\x7f])?")


def fold_username(username: str) -> str:
    """The handle: what two usernames that differ by case alone have in common."""
    return username.lower()


def fold_email(email: str) -> str:
    """What two spellings of one address have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())


def refuse_field(field: str, message: str) -> Unprocessable:
    """A 422 about one member: its path, and what is wrong with it."""
    return Unprocessable(f"{field}: {message}", errors=[FieldProblem(field, message)])


def check_username(username: str) -> None:
    """See that somebody may be called this.

    Raises:
        Unprocessable: 422 with the field `username`.
    """
    least, most = USERNAME_LENGTHS
    if not least <= len(username) <= most:
        raise refuse_field("username", f"expected {least} to {most} characters, got {len(username)}")
    if _USERNAME.fullmatch(username) is None:
        raise refuse_field("username", "expected only letters A to Z, digits, '.', '_' and '-'")
    if fold_username(username) in NEVER:
        raise refuse_field("username", f"{username!r} is reserved")


def check_email(email: str) -> None:
    """See that this looks like an address; whether mail arrives is for the verification to find out.

    Raises:
        Unprocessable: 422 with the field `email`.
    """
    if not _is_email(email):
        raise refuse_field("email", "expected an e-mail address, as somebody@example.org")


def _is_email(email: str) -> bool:
    local, at, domain = email.rpartition("@")
    if not at or _LOCAL.fullmatch(local) is None or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        return False
    if any(unicodedata.category(character)[0] in "CZ" for character in email):
        return False
    return len(local.encode()) <= 64 and len(email.encode()) <= EMAIL_LENGTH
