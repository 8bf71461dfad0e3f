"""What people may be called who sign up here; other APIs of this server make longer names, served as they are."""

from __future__ import annotations

from manor import FieldProblem, Unprocessable, check_username

SHORTEST, LONGEST = 3, 32
"""Characters."""


def check_new_username(username: str) -> None:
    """See that somebody may take this name.

    Raises:
        Unprocessable: 422 with the field `username`.
    """
    if not SHORTEST <= len(username) <= LONGEST:
        message = f"expected {SHORTEST} to {LONGEST} characters, got {len(username)}"
        raise Unprocessable(f"username: {message}", errors=[FieldProblem("username", message)])
    check_username(username)
