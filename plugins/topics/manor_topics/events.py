"""What this plugin tells the house."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from manor import Event
from manor_topics.messages import NO_EXTRAS, Extras, Message

_JSON = msgspec.json.Encoder()


class TopicCreated(Event, frozen=True):
    """A topic was made. Told once it is stored."""

    name: ClassVar[str] = "topics.topic_created"
    topic_id: UUID
    topic: str
    owner_id: UUID
    access_level: str


class TopicUpdated(Event, frozen=True):
    """A topic was changed: its name, who owns it, who may read it, or what is said about it.

    Args:
        topic_id: The topic.
        topic: Its name from now on.
        old_name: Its name until now; the same when it was not renamed.
        owner_id: Whose it is.
        access_level: Who may read it.
    """

    name: ClassVar[str] = "topics.topic_updated"
    topic_id: UUID
    topic: str
    old_name: str
    owner_id: UUID
    access_level: str


class TopicDeleted(Event, frozen=True):
    """A topic is gone, with everything in it."""

    name: ClassVar[str] = "topics.topic_deleted"
    topic_id: UUID
    topic: str


class MessagePublished(Event, frozen=True, dict=True):
    """Someone published a message. Told once it is on disk, in the order of `position`.

    Args:
        publisher_id: The person who published it; None when nobody knows.
        extras: What it has beside its text.
    """

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
    publisher_id: UUID | None = None
    extras: Extras | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The message as JSON, made once for the publisher's answer and for every stream.

        One that waits for its time has no sequence yet.
        """
        extras = self.extras or NO_EXTRAS
        message = Message(
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
            click=extras.click,
            icon=extras.icon,
            markdown=extras.markdown,
            actions=extras.actions,
            attachment=extras.attachment,
        )
        if self.sequence:
            return _JSON.encode(message)
        members: dict[str, Any] = msgspec.to_builtins(message)
        del members["sequence"]
        return msgspec.json.encode(members)


class MessageEdited(Event, frozen=True):
    """A message's text or title was changed.

    Args:
        position: A place in the server's order, taken by the change; the message keeps its own.
        content: The message as it is now.
    """

    name: ClassVar[str] = "topics.message_edited"
    position: int
    content: Message


class MessageDeleted(Event, frozen=True):
    """A message was deleted; it is hidden from now on.

    Args:
        id: The message.
        position: A place in the server's order, taken by the deletion.
        timestamp: When it was deleted.
    """

    name: ClassVar[str] = "topics.message_deleted"
    id: UUID
    topic_id: UUID
    topic: str
    position: int
    timestamp: datetime
    priority: int


class SubscriptionCreated(Event, frozen=True):
    """Someone subscribed to a topic."""

    name: ClassVar[str] = "topics.subscription_created"
    subscription_id: UUID
    topic_id: UUID
    user_id: UUID


class SubscriptionDeleted(Event, frozen=True):
    """Someone unsubscribed from a topic; not told where the topic or the person goes."""

    name: ClassVar[str] = "topics.subscription_deleted"
    subscription_id: UUID
    topic_id: UUID
    user_id: UUID
