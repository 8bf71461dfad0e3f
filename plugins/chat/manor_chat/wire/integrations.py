"""Webhooks and commands as the API shows them to those who keep them."""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat.ids import shown_id
from manor_chat.store.commands import SlashCommand
from manor_chat.store.hooks import IncomingHook, OutgoingHook


class IncomingHookShown(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming webhook; whoever knows its id may post."""

    id: str
    create_at: int
    update_at: int
    delete_at: int = 0
    user_id: str
    channel_id: str
    team_id: str
    display_name: str
    description: str
    username: str
    icon_url: str
    channel_locked: bool


class OutgoingHookShown(msgspec.Struct, frozen=True, kw_only=True):
    """An outgoing webhook with its token."""

    id: str
    token: str
    create_at: int
    update_at: int
    delete_at: int = 0
    creator_id: str
    channel_id: str
    team_id: str
    trigger_words: list[str]
    trigger_when: int
    callback_urls: list[str]
    display_name: str
    description: str
    content_type: str
    username: str
    icon_url: str


class CommandShown(msgspec.Struct, frozen=True, kw_only=True):
    """A slash command; what only those need who keep it is "" for others, as is all of that for built-in ones."""

    id: str = ""
    token: str = ""
    create_at: int = 0
    update_at: int = 0
    delete_at: int = 0
    creator_id: str = ""
    team_id: str = ""
    trigger: str
    method: str = ""
    username: str = ""
    icon_url: str = ""
    auto_complete: bool
    auto_complete_desc: str
    auto_complete_hint: str
    display_name: str
    description: str = ""
    url: str = ""


_IDS = ("id", "user_id", "creator_id", "channel_id", "team_id")


def show_incoming(hook: IncomingHook) -> IncomingHookShown:
    """With its id."""
    return IncomingHookShown(**_shown(hook))


def show_outgoing(hook: OutgoingHook) -> OutgoingHookShown:
    """With its token."""
    return OutgoingHookShown(**_shown(hook))


def show_command(command: SlashCommand, *, whole: bool) -> CommandShown:
    """A command; with `whole` as those see it who keep it."""
    shown = CommandShown(**_shown(command))
    if whole:
        return shown
    return msgspec.structs.replace(shown, token="", creator_id="", method="", url="", username="", icon_url="")


def _shown(row: msgspec.Struct) -> dict[str, Any]:
    members = msgspec.structs.asdict(row)
    return members | {name: shown_id(members[name]) for name in _IDS if name in members}
