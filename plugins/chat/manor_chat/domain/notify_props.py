"""How somebody hears of a channel: which settings there are, and what each may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HOW = frozenset({"default", "all", "mention", "none"})
_SWITCH = frozenset({"default", "on", "off"})

OF_MEMBER: Mapping[str, frozenset[str] | None] = {
    "desktop": _HOW,
    "desktop_sound": _SWITCH,
    "desktop_notification_sound": None,
    "desktop_threads": _HOW,
    "email": _HOW | {"true", "false"},
    "push": _HOW,
    "push_threads": _HOW,
    "mark_unread": frozenset({"all", "mention"}),
    "ignore_channel_mentions": _SWITCH,
    "channel_auto_follow_threads": frozenset({"on", "off"}),
}
"""Of a channel's member, with what each may be; None for any short text."""

MUTED = {"mark_unread": "mention"}
UNMUTED = {"mark_unread": "all"}

_LONGEST = 64


class BadSetting(ValueError):
    """A setting cannot have the value that it was given; its name is the text."""


def chosen(given: Mapping[str, Any], known: Mapping[str, frozenset[str] | None]) -> dict[str, str]:
    """The known ones among the given.

    Raises:
        BadSetting: One cannot have its value.
    """
    found = {}
    for name, allowed in known.items():
        if name not in given:
            continue
        value = given[name]
        if not isinstance(value, str) or len(value) > _LONGEST or (allowed is not None and value not in allowed):
            raise BadSetting(name)
        found[name] = value
    return found


def is_muted(props: Mapping[str, str]) -> bool:
    """Whether a member has muted the channel."""
    return props.get("mark_unread") == "mention"
