"""Hashtags in a message."""

from __future__ import annotations

import re

from manor_chat.domain.code import without_code

_HASHTAG = re.compile(r"(?<![\w#/&])#([^\W\d_][\w.-]*)", re.UNICODE)
SHORTEST = 3
"""Characters, the `#` among them."""

LONGEST_ALL = 1000


def hashtags_in(message: str) -> str:
    """The hashtags of a message, each once, joined by blanks; "" for none. What stands in code is none."""
    if "#" not in message:
        return ""
    found: dict[str, None] = {}
    for match in _HASHTAG.finditer(without_code(message)):
        tag = "#" + match[1].rstrip(".-_")
        if len(tag) >= SHORTEST:
            found[tag] = None
    kept: list[str] = []
    room = LONGEST_ALL
    for tag in found:
        if len(tag) > room:
            break
        kept.append(tag)
        room -= len(tag) + 1
    return " ".join(kept)
