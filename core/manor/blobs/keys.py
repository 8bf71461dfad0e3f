"""What files are called: words between slashes, which mean the same to a folder, a bucket and a URL. Pure."""

from __future__ import annotations

import re

from manor.blobs.refusals import BadKey, BadRange

LONGEST_KEY = 512
LONGEST_WORD = 128
MOST_WORDS = 16

# No word begins with a dot: there is no way up, and what stores keep for themselves is nobody's file.
_WORD = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LONGEST_WORD - 1}}}")

_EXPECTED = "expected words of letters, digits, '.', '_' and '-' with slashes between them"


def check_key(key: str) -> str:
    """See that a file can be called so; gives it back.

    Raises:
        BadKey: It cannot.
    """
    words = key.split("/")
    if len(key) > LONGEST_KEY or len(words) > MOST_WORDS or not all(map(_WORD.fullmatch, words)):
        raise BadKey(_EXPECTED)
    return key


def check_prefix(prefix: str) -> str:
    """See that keys can begin so, with "" as well; gives it back.

    Raises:
        BadKey: None can.
    """
    *words, last = prefix.split("/")
    is_fine = all(map(_WORD.fullmatch, words)) and (not last or _WORD.fullmatch(last))
    if len(prefix) > LONGEST_KEY or len(words) >= MOST_WORDS or not is_fine:
        raise BadKey(_EXPECTED)
    return prefix


def check_range(start: int, length: int | None) -> None:
    """See that this can be a part of some file.

    Raises:
        BadRange: It cannot.
    """
    if start < 0 or (length is not None and length < 0):
        raise BadRange("a range begins at 0 or later, and is not shorter than nothing")


def is_word(text: str) -> bool:
    """Whether this may stand between the slashes of a key."""
    return _WORD.fullmatch(text) is not None
