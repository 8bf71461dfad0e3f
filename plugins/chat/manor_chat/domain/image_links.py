"""Pictures that a message shows by their address."""

from __future__ import annotations

import re

from manor_chat.domain.code import without_code

MOST = 10

_IMAGE = re.compile(r"!\[[^\[\]\n]{0,200}\]\(<?(https?://[^\s<>()]{1,2000})", re.IGNORECASE)


def image_links(message: str) -> list[str]:
    """The addresses of pictures in a message (`![…](https://…)`) that are not in code, each once."""
    if "](" not in message:
        return []
    return list(dict.fromkeys(_IMAGE.findall(without_code(message))))[:MOST]
