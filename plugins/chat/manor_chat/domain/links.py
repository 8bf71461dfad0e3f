"""Links in a message."""

from __future__ import annotations

import re

from manor_chat.domain.code import without_code

_LINK = re.compile(r"https?://[^\s<>\"'`|]{1,2000}", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}


def first_link(message: str) -> str | None:
    """The first address in a message that is not in code; a sentence's end behind it is no part of it."""
    if "://" not in message:
        return None
    match = _LINK.search(without_code(message))
    if match is None:
        return None
    link = match[0]
    while link:
        last = link[-1]
        if last in ".,;:!?*_~" or (last in _CLOSING and link.count(last) > link.count(_CLOSING[last])):
            link = link[:-1]
        else:
            break
    return link if link.partition("://")[2] else None
