"""What people may be called in chat, and how much they may say about themselves (the API's limits, in characters)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

EMAIL = 128
BOT_DESCRIPTION = 1024
TOKEN_DESCRIPTION = 255
DEVICE = 512
PROPS = 8000
NOTIFY_PROPS = 2000
PASSWORD_BYTES = 72
PASSWORD_LEAST = 8

_USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,63}")
_LOCALE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})?")
_RESERVED = frozenset({"all", "channel", "here", "matterbot", "system", "manor"})

USERNAME_RULE = (
    "A username has 3 to 64 characters, which are letters of a to z, digits, '.', '-' and '_', with a letter first; "
    "some names are reserved."
)

TIMEZONE_MEMBERS = frozenset({"useAutomaticTimezone", "automaticTimezone", "manualTimezone"})


def is_username(name: str) -> bool:
    """Whether somebody who is made or renamed through this API may be called this; lower case."""
    return _USERNAME.fullmatch(name) is not None and name not in _RESERVED


def is_locale(locale: str) -> bool:
    """Whether this names a language, as `en` and `pt-BR` do."""
    return _LOCALE.fullmatch(locale) is not None


def size_of(texts: Mapping[str, str]) -> int:
    """Characters of a map."""
    return sum(len(name) + len(value) for name, value in texts.items())


def words_heard(notify_props: Mapping[str, str], first_name: str) -> frozenset[str]:
    """The words that somebody wants to hear of, in lower case: their keys, and their first name if they want that.

    A key of several words is none: messages are looked through word by word.
    """
    keys = [key.strip().lower() for key in notify_props.get("mention_keys", "").split(",")]
    if notify_props.get("first_name") == "true":
        keys.append(first_name.strip().lower())
    return frozenset(key for key in keys if key and not any(character.isspace() for character in key))


def renamed_keys(mention_keys: str, old: str, new: str) -> str:
    """Somebody's keys once they are called otherwise: where their name stood, the new one does."""
    return ",".join(_renamed(mention_keys.split(","), {old: new, f"@{old}": f"@{new}"}))


def _renamed(keys: Iterable[str], names: Mapping[str, str]) -> Iterable[str]:
    return (names.get(key.strip().lower(), key) for key in keys)
