"""What this plugin tells the house: the broadcast, its viewers and its chat."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from manor import Event


class StreamStarted(Event, frozen=True):
    """A broadcast is live: every quality has its first segment. Told once for each broadcast.

    Args:
        broadcast_id: The broadcast.
        server_name: What the server is called.
        summary: A sentence about it.
        stream_title: What is on; "" when nobody said.
        url: Where it is watched; "" when the server does not know how people reach it.
        timestamp: When it went live.
    """

    name: ClassVar[str] = "stream.started"
    broadcast_id: UUID
    server_name: str
    summary: str
    stream_title: str
    url: str
    timestamp: datetime


class StreamStopped(Event, frozen=True):
    """A broadcast is over; a short disconnect is none. `reason` is a sentence for the admin, the rest as it began."""

    name: ClassVar[str] = "stream.stopped"
    broadcast_id: UUID
    server_name: str
    summary: str
    stream_title: str
    url: str
    reason: str
    peak_viewers: int
    timestamp: datetime


class StreamTitleChanged(Event, frozen=True):
    """Somebody said what is on."""

    name: ClassVar[str] = "stream.title_changed"
    stream_title: str
    server_name: str
    summary: str
    timestamp: datetime


class ViewerCountChanged(Event, frozen=True):
    """The number of viewers has changed; told at most once in five seconds, and only while a broadcast is live."""

    name: ClassVar[str] = "stream.viewer_count_changed"
    broadcast_id: UUID
    viewer_count: int


class ChatUser(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Somebody in the chat, as the API shows them (Owncast's `user`).

    Args:
        id: Theirs.
        display_name: What they are called now.
        display_color: A number from 0 to 7, that pages make a colour of.
        created_at: When they were first seen.
        previous_names: What they were called before, and are called now at the end.
        scopes: What they may do besides writing: `MODERATOR`.
        is_bot: Whether a credential of the integrations writes.
        authenticated: Whether they have proven who they are; never yet.
    """

    id: str
    display_name: str
    display_color: int
    created_at: datetime
    previous_names: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    is_bot: bool = False
    authenticated: bool = False


class ChatMessageSent(Event, frozen=True):
    """Somebody wrote in the chat. Told once it is on disk.

    Args:
        id: The message.
        kind: `CHAT`, `SYSTEM` or `CHAT_ACTION`.
        user: Who wrote it; None for the server itself.
        author: The name beside it.
        client_id: The connection it came by, as `/api/admin/clients` has it; 0 for none.
        body: HTML that is safe to show.
        raw_body: As it was typed.
        visible: Whether viewers see it.
        timestamp: When.
    """

    name: ClassVar[str] = "stream.chat_message_sent"
    id: UUID
    kind: str
    user: ChatUser | None
    author: str
    client_id: int
    body: str
    raw_body: str
    visible: bool
    timestamp: datetime


class ChatUserJoined(Event, frozen=True):
    """Somebody came into the chat while a broadcast is live; `client_id` as where they write."""

    name: ClassVar[str] = "stream.chat_user_joined"
    id: UUID
    user: ChatUser
    client_id: int
    timestamp: datetime


class ChatUserParted(Event, frozen=True):
    """Somebody left the chat while a broadcast is live."""

    name: ClassVar[str] = "stream.chat_user_parted"
    id: UUID
    user: ChatUser
    timestamp: datetime


class ChatNameChanged(Event, frozen=True):
    """Somebody in the chat is called otherwise; `user` has the new name already, `client_id` as where they write."""

    name: ClassVar[str] = "stream.chat_name_changed"
    id: UUID
    user: ChatUser
    client_id: int
    old_name: str
    new_name: str
    timestamp: datetime


class ChatVisibilityChanged(Event, frozen=True):
    """Messages were hidden from viewers, or shown again."""

    name: ClassVar[str] = "stream.chat_visibility_changed"
    ids: tuple[UUID, ...]
    visible: bool
    timestamp: datetime


class ChatUserModerated(Event, frozen=True):
    """Somebody may write in the chat no more, or again, or was made a moderator, or is none any more.

    Args:
        user: Who; their scopes are those of now.
        is_enabled: Whether they may write, and their messages are seen.
        timestamp: When.
    """

    name: ClassVar[str] = "stream.chat_user_moderated"
    user: ChatUser
    is_enabled: bool
    timestamp: datetime


class ChatAddressBanned(Event, frozen=True):
    """An address, or a network, was shut out of the chat; or, where `is_banned` is false, let in again."""

    name: ClassVar[str] = "stream.chat_address_banned"
    address: str
    is_banned: bool
    timestamp: datetime


BROADCAST_EVENTS = (StreamStarted, StreamStopped, StreamTitleChanged, ViewerCountChanged)
CHAT_EVENTS = (
    ChatMessageSent,
    ChatUserJoined,
    ChatUserParted,
    ChatNameChanged,
    ChatVisibilityChanged,
    ChatUserModerated,
    ChatAddressBanned,
)
