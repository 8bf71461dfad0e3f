"""What files are called. Pure."""

from __future__ import annotations

import unicodedata

LONGEST = 256
"""Characters of a name."""

LONGEST_EXTENSION = 20

UNNAMED = "file"

# They make `gpj.exe` look like `exe.jpg`.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def clean_name(text: str) -> str:
    """A name as it is kept: the last part of a path, nothing in it that is not shown, at most `LONGEST` characters."""
    last = text.replace("\\", "/").rpartition("/")[2]
    shown = "".join(each for each in unicodedata.normalize("NFC", last) if _is_shown(each)).strip()
    if not shown.strip("."):
        return UNNAMED
    if len(shown) <= LONGEST:
        return shown
    ending = shown[shown.rindex(".") :] if "." in shown[-LONGEST_EXTENSION:] else ""
    return shown[: LONGEST - len(ending)].rstrip() + ending


def extension_of(name: str) -> str:
    """What stands behind the last dot, in lower case; "" where nothing does."""
    before, dot, after = name.rpartition(".")
    return after.lower() if dot and before and len(after) <= LONGEST_EXTENSION else ""


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") and character not in _TURNING
