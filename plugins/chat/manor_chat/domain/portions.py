"""What integrations say in one breath and no post can hold: in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

REPEATED = 4
"""What the props of all portions together may be, in times of what those of one may."""


class TooMuch(ValueError):
    """No number of posts can hold it."""


@dataclass
class Portion:
    """What one post says: a text, and props with the attachments that fit."""

    message: str
    props: dict[str, Any] = field(default_factory=dict)


def in_portions(
    message: str,
    props: Mapping[str, Any],
    attachments: Sequence[Mapping[str, Any]],
    *,
    longest_message: int,
    longest_props: int,
) -> list[Portion]:
    """Posts that say it all, in order: the text first, then the attachments on the last of them and after.

    Args:
        message: The text, of any length.
        props: What each post has besides.
        attachments: Each goes into one post; one that is too long by itself loses the end of its text.
        longest_message: Of a post, in characters.
        longest_props: Of a post, in characters of JSON.

    Raises:
        TooMuch: The props alone, or an attachment without its text, are too long; or so are the props of them all.
    """
    own = _length(props)
    if own > longest_props:
        raise TooMuch("props")
    most = REPEATED * longest_props // own
    if len(message) > most * longest_message:
        raise TooMuch("props")
    pieces = [message[at : at + longest_message] for at in range(0, len(message), longest_message)] or [""]
    portions = [Portion(piece, dict(props)) for piece in pieces]
    empty = _length({**props, "attachments": []})
    used = empty
    for each in attachments:
        attachment = each
        size = _length(attachment) + 1
        if used + size > longest_props and "attachments" in portions[-1].props:
            if len(portions) >= most:
                raise TooMuch("props")
            portions.append(Portion("", dict(props)))
            used = empty
        if used + size > longest_props:
            attachment = _cut(attachment, used + size - longest_props)
            size = _length(attachment) + 1
        portions[-1].props.setdefault("attachments", []).append(dict(attachment))
        used += size
    return portions


def _cut(attachment: Mapping[str, Any], by: int) -> Mapping[str, Any]:
    text = attachment.get("text")
    if not isinstance(text, str):
        raise TooMuch("attachments")
    # As JSON a character is at least one: what is cut off saves no less.
    if len(text) < by:
        raise TooMuch("attachments")
    return {**attachment, "text": text[: len(text) - by]}


def _length(value: Any) -> int:
    return len(msgspec.json.encode(value).decode())
