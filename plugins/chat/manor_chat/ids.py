"""Ids as chat's clients write them, and tokens that look like ids."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from uuid import UUID

from manor import from_chat_id, to_chat_id

ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
TOKEN_LENGTH = 26

SESSION_LETTER = "s"
ACCESS_LETTER = "p"
OAUTH_LETTER = "o"
"""What a token of each kind begins with: all look alike, and one look says which table knows it."""


NONESUCH = UUID(int=(1 << 128) - 1)
"""Stands for an id that is well-formed and that nothing here has."""

_ID = re.compile(r"[A-Za-z0-9]{26}")


def new_token(letter: str = "") -> str:
    """26 characters like an id's, 125 random bits at the least.

    Args:
        letter: The first character, where it says what kind of token it is.
    """
    rest = TOKEN_LENGTH - len(letter)
    return letter + "".join(secrets.choice(ALPHABET) for _ in range(rest))


def shown_id(id_: UUID | None) -> str:
    """An id as it is sent; "" for none."""
    return "" if id_ is None else to_chat_id(id_)


def read_id(text: str) -> UUID | None:
    """The id in a text; `NONESUCH` for one that nothing of ours can have, None for what is no id."""
    if _ID.fullmatch(text) is None:
        return None
    return from_chat_id(text) or NONESUCH


def read_ids(texts: Iterable[str]) -> list[UUID]:
    """The ids among these, each once, in their order; what is no id of ours names nothing and is left out."""
    return list(dict.fromkeys(found for text in texts if (found := from_chat_id(text)) is not None))
