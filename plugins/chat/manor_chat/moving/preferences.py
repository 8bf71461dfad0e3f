"""Preferences that the format has names of its own for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from manor_chat.ids import shown_id
from manor_chat.moving.lines import UserSaid
from manor_chat.store.people import Person
from manor_chat.store.preferences import Preference

TUTORIAL = "tutorial_step"
THEME = "theme"
FAVORITE = "favorite_channel"
DIRECT_SHOWN = "direct_channel_show"
GROUP_SHOWN = "group_channel_show"
_INTERVAL = ("notifications", "email_interval")

_KEYS = {
    "theme": (THEME, ""),
    "military_time": ("display_settings", "use_military_time"),
    "link_previews": ("display_settings", "collapse_previews"),
    "message_display": ("display_settings", "message_display"),
    "collapse_consecutive_messages": ("display_settings", "collapse_consecutive_messages"),
    "colorize_usernames": ("display_settings", "colorize_usernames"),
    "channel_display_mode": ("display_settings", "channel_display_mode"),
    "name_format": ("display_settings", "name_format"),
    "feature_enabled_markdown_preview": ("advanced_settings", "feature_enabled_markdown_preview"),
    "formatting": ("advanced_settings", "formatting"),
    "send_on_ctrl_enter": ("advanced_settings", "send_on_ctrl_enter"),
    "code_block_ctrl_enter": ("advanced_settings", "code_block_ctrl_enter"),
    "show_join_leave": ("advanced_settings", "join_leave"),
    "show_unread_scroll_position": ("advanced_settings", "unread_scroll_position"),
    "sync_drafts": ("advanced_settings", "sync_drafts"),
    "show_unread_section": ("sidebar_settings", "show_unread_section"),
    "limit_visible_dms_gms": ("sidebar_settings", "limit_visible_dms_gms"),
}
_MEMBERS = {key: member for member, key in _KEYS.items()}
_SECONDS = {"immediately": "30", "fifteen": "900", "hour": "3600"}
_WORDS = {seconds: word for word, seconds in _SECONDS.items()}

LONGEST_VALUE = 20_000
"""Characters: a theme of somebody's own is the longest, with some hundreds."""


def fits(preference: Preference) -> bool:
    """Whether the API would take it so: clients read themes without asking."""
    if preference.category == THEME:
        try:
            msgspec.json.decode(preference.value, type=dict[str, object])
        except (msgspec.MsgspecError, RecursionError):
            return False
    return len(preference.value) <= LONGEST_VALUE


def preferences_said(said: UserSaid, person: Person) -> Iterator[Preference]:
    """The preferences that a line says."""
    for member, (category, name) in _KEYS.items():
        value = getattr(said, member)
        if value is not None:
            yield Preference(category=category, name=name, value=value)
    if said.tutorial_step is not None:
        yield Preference(category=TUTORIAL, name=shown_id(person.id), value=said.tutorial_step)
    if said.email_interval in _SECONDS:
        category, name = _INTERVAL
        yield Preference(category=category, name=name, value=_SECONDS[said.email_interval])


def say_preferences(said: UserSaid, person: Person, known: Iterable[Preference]) -> None:
    """Have a line say those preferences that it has members for."""
    for each in known:
        member = _MEMBERS.get((each.category, each.name))
        if member is not None:
            setattr(said, member, each.value)
        elif each.category == TUTORIAL and each.name == shown_id(person.id):
            said.tutorial_step = each.value
        elif (each.category, each.name) == _INTERVAL and each.value in _WORDS:
            said.email_interval = _WORDS[each.value]
