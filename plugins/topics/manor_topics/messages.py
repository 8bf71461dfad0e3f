"""A message and a topic as clients see them: the exact member names of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor_topics.domain import AccessLevel


class Extras(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a message may have beside its text; each member is there only when it was sent.

    Args:
        click: Where a tap on the notification leads.
        icon: The URL of a picture.
        markdown: Whether the text is Markdown.
        actions: Buttons, each with `action` and `label` and what its kind needs.
        attachment: A file: its `name` and `url`, and what else is known of it.
    """

    click: str | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    markdown: bool | UnsetType = UNSET
    actions: list[dict[str, Any]] | UnsetType = UNSET
    attachment: dict[str, Any] | UnsetType = UNSET


NO_EXTRAS = Extras()


class Message(msgspec.Struct, frozen=True, gc=False):
    """A published message. `tags` is never null, and `sequence` counts within the topic, without gaps."""

    id: UUID
    topic_id: UUID
    topic: str
    message: str
    title: str | None
    priority: int
    tags: list[str]
    timestamp: datetime
    expires_at: datetime | None
    sequence: int
    is_deleted: bool = False
    is_edited: bool = False
    edited_at: datetime | UnsetType = UNSET
    click: str | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    markdown: bool | UnsetType = UNSET
    actions: list[dict[str, Any]] | UnsetType = UNSET
    attachment: dict[str, Any] | UnsetType = UNSET


class History(msgspec.Struct, frozen=True):
    """A page of one topic's messages."""

    messages: list[Message]
    topic: str
    count: int


class TopicListed(msgspec.Struct, frozen=True):
    """A topic in a list."""

    id: UUID
    name: str
    owner_id: UUID
    team_id: UUID | None
    access_level: AccessLevel
    description: str | None
    is_discoverable: bool
    icon_name: str | None
    icon_color: str | None
    message_count: int
    subscriber_count: int
    created_at: datetime
    last_message_at: datetime | None


class TopicMine(TopicListed, frozen=True, kw_only=True):
    """A topic in a list of those that the caller may change."""

    can_manage: bool = True


class TopicShown(TopicListed, frozen=True, kw_only=True):
    """A topic by itself: with how many streams are open on it, and whether the caller may change it."""

    connection_count: int
    can_manage: bool
