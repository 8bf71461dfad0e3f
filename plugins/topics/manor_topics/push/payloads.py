"""What travels in a push: the message as a JSON object, cut where a push service takes no more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from manor_topics.push.notices import Notice, shortened

EXPENDABLE = ("actions", "icon", "click", "tags")
"""What is left out, in this order, where even an empty text would be too long."""

LEAST_TEXT = 100
"""Bytes of text that are worth more than what is expendable."""


def about(notice: Notice) -> dict[str, Any]:
    """All that an app or a page needs to know of a message, but for its text."""
    message = notice.message
    optional = {"click": message.click, "icon": message.icon, "actions": message.actions, "markdown": message.markdown}
    return {
        "id": message.id,
        "topic": message.topic,
        "topic_id": message.topic_id,
        "priority": message.priority,
        "tags": message.tags,
        "timestamp": message.timestamp,
        "unread_count": notice.unread,
        "vibrate": notice.vibrates,
        **{name: value for name, value in optional.items() if value is not UNSET},
    }


def fitted(
    document: Mapping[str, Any], text: Sequence[str], most_bytes: int, optional: Sequence[str] = ()
) -> dict[str, Any]:
    """A document whose JSON has at most so many bytes, if need be with a shorter text.

    Args:
        document: Whole.
        text: The path of the member that may be cut.
        most_bytes: The bound.
        optional: The path of the object whose members may go (`EXPENDABLE`), and which is told that it was cut.
    """
    whole = _copied(document)
    if _size(whole) <= most_bytes:
        return whole
    parent, inner = _at(whole, text[:-1]), _at(whole, optional)
    name, full = text[-1], _at(whole, text[:-1])[text[-1]]
    inner["is_shortened"] = True
    parent[name] = ""
    for expendable in EXPENDABLE:
        if most_bytes - _size(whole) >= LEAST_TEXT:
            break
        inner.pop(expendable, None)
    room = most_bytes - _size(whole)
    while room > 0:
        parent[name] = shortened(full, room)
        excess = _size(whole) - most_bytes
        if excess <= 0:
            return whole
        # Quotes and the like take more room in JSON.
        room -= max(1, excess // 2)
    parent[name] = ""
    return whole


def _size(document: Mapping[str, Any]) -> int:
    return len(msgspec.json.encode(document))


def _copied(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, dict) else value for name, value in document.items()}


def _at(document: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    for name in path:
        document = document[name]
    return document
