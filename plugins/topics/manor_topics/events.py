"""What this plugin tells the house."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import ClassVar
from uuid import UUID

import msgspec

from manor import Event
from manor_topics.messages import Message


class TopicCreated(Event, frozen=True):
    """A topic was made. Told once it is stored."""

    name: ClassVar[str] = "topics.topic_created"
    topic_id: UUID
    topic: str
    owner_id: UUID
    access_level: str


class MessagePublished(Event, frozen=True, dict=True):
    """Someone published a message. Told once it is on disk, in the order of `position`."""

    name: ClassVar[str] = "topics.message_published"
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
    position: int

    @cached_property
    def encoded(self) -> bytes:
        """The message as JSON, made once for the publisher's answer and for every stream."""
        return msgspec.json.encode(
            Message(
                id=self.id,
                topic_id=self.topic_id,
                topic=self.topic,
                message=self.message,
                title=self.title,
                priority=self.priority,
                tags=self.tags,
                timestamp=self.timestamp,
                expires_at=self.expires_at,
                sequence=self.sequence,
            )
        )
