"""A message and a topic as clients see them: the exact member names of the API."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor_topics.domain import AccessLevel, Topic


class Message(msgspec.Struct, frozen=True):
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


class TopicShown(TopicListed, frozen=True, kw_only=True):
    """A topic by itself: with how many streams are open on it, and whether the caller may change it."""

    connection_count: int
    can_manage: bool


def listed(topic: Topic, *, message_count: int, last_message_at: datetime | None) -> TopicListed:
    """A topic with its counters."""
    return TopicListed(
        **msgspec.structs.asdict(topic),
        message_count=message_count,
        subscriber_count=0,
        last_message_at=last_message_at,
    )
