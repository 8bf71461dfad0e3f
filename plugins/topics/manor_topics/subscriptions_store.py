"""Questions asked of subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, or_, select, true, update

from manor import new_id
from manor_topics.callers import Caller
from manor_topics.subscriptions_tables import subscriptions
from manor_topics.tables import topics

DEFAULT_SOUND = "default"


class MobileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a phone tells of messages: those of `priority_threshold` or more important that have one of the tags."""

    priority_threshold: Annotated[int, Meta(ge=1, le=5)] = 5
    sound_enabled: bool = True
    vibrate_enabled: bool = True
    tags_filter: list[str] = msgspec.field(default_factory=list)
    notification_sound: str = DEFAULT_SOUND


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber decides."""

    web_notifications_enabled: bool = True
    mobile_notifications_enabled: bool = True
    mobile_notification_settings: MobileSettings = msgspec.field(default_factory=MobileSettings)
    is_pinned: bool = False


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's subscription with its topic. `access_level` is in upper case here, and in lower case of topics."""

    id: UUID
    user_id: UUID
    topic_id: UUID
    topic_name: str
    topic_description: str | None
    access_level: Literal["PUBLIC", "PRIVATE"]
    team_id: UUID | None
    icon_name: str | None
    icon_color: str | None
    created_at: datetime
    last_viewed_at: datetime | None
    last_notified_at: datetime | None
    web_notifications_enabled: bool
    mobile_notifications_enabled: bool
    mobile_notification_settings: MobileSettings
    is_pinned: bool
    topic_last_message_at: datetime | None
    unread_count: int
    message_count: int
    subscriber_count: int

    @property
    def settings(self) -> Settings:
        """What its subscriber has decided."""
        return Settings(**{name: getattr(self, name) for name in Settings.__struct_fields__})


# --- Finding -------------------------------------------------------------------------------------------------------


def find_subscription(connection: Connection, user_id: UUID, condition: ColumnElement[bool]) -> Subscription | None:
    """The one of somebody's subscriptions of which that is true."""
    row = connection.execute(listing_of(user_id).where(condition)).one_or_none()
    return None if row is None else read_subscription(row)


def list_subscriptions(connection: Connection, user_id: UUID, caller: Caller) -> list[Subscription]:
    """Somebody's subscriptions to topics that they may read: pinned ones first, then those with the newest messages."""
    order = (subscriptions.c.is_pinned.desc(), topics.c.last_message_at.desc().nulls_last(), topics.c.name)
    statement = listing_of(user_id).where(is_readable(caller)).order_by(*order)
    return [read_subscription(row) for row in connection.execute(statement)]


def count_of(connection: Connection, user_id: UUID) -> int:
    """How many subscriptions somebody has, those to topics that they may not read any more too."""
    return connection.execute(
        select(func.count()).select_from(subscriptions).where(subscriptions.c.user_id == user_id)
    ).scalar_one()


def topics_of(connection: Connection, people: Collection[UUID]) -> set[UUID]:
    """The topics that one of these people is subscribed to, whether they may still read them or not."""
    statement = select(subscriptions.c.topic_id).where(subscriptions.c.user_id.in_(people))
    return set(connection.execute(statement).scalars())


def is_readable(caller: Caller) -> ColumnElement[bool]:
    """Whether a person may read a topic; what `rights.can_read` says, of all topics at once.

    Args:
        caller: The person's own credentials, no topic's token among them.
    """
    if caller.is_admin:
        return true()
    is_theirs = or_(topics.c.owner_id.in_(caller.people), topics.c.team_id.in_(caller.teams))
    return or_(topics.c.access_level == "public", is_theirs)


def listing_of(user_id: UUID) -> Select[*tuple[Any, ...]]:
    """The statement that brings somebody's subscriptions; `read_subscription` reads its rows."""
    return (
        select(
            *subscriptions.c,
            topics.c.name.label("topic_name"),
            topics.c.description.label("topic_description"),
            topics.c.access_level,
            topics.c.team_id,
            topics.c.icon_name,
            topics.c.icon_color,
            topics.c.last_message_at.label("topic_last_message_at"),
            (topics.c.last_sequence - subscriptions.c.viewed_sequence - subscriptions.c.gone).label("unread_count"),
            topics.c.message_count,
            topics.c.subscriber_count,
        )
        .join_from(subscriptions, topics, topics.c.id == subscriptions.c.topic_id)
        .where(subscriptions.c.user_id == user_id)
    )


def read_subscription(row: Row[*tuple[Any, ...]]) -> Subscription:
    """The subscription of a row that `listing_of` brought."""
    return Subscription(
        id=row.id,
        user_id=row.user_id,
        topic_id=row.topic_id,
        topic_name=row.topic_name,
        topic_description=row.topic_description,
        access_level="PUBLIC" if row.access_level == "public" else "PRIVATE",
        team_id=row.team_id,
        icon_name=row.icon_name,
        icon_color=row.icon_color,
        created_at=row.created_at,
        last_viewed_at=row.last_viewed_at,
        last_notified_at=row.last_notified_at,
        web_notifications_enabled=row.web_notifications_enabled,
        mobile_notifications_enabled=row.mobile_notifications_enabled,
        mobile_notification_settings=MobileSettings(
            priority_threshold=row.priority_threshold,
            sound_enabled=row.sound_enabled,
            vibrate_enabled=row.vibrate_enabled,
            tags_filter=msgspec.json.decode(row.tags_filter, type=list[str]),
            notification_sound=row.notification_sound,
        ),
        is_pinned=row.is_pinned,
        topic_last_message_at=row.topic_last_message_at,
        unread_count=row.unread_count,
        message_count=row.message_count,
        subscriber_count=row.subscriber_count,
    )


# --- Changing ------------------------------------------------------------------------------------------------------


def add_subscription(
    connection: Connection, user_id: UUID, topic_id: UUID, settings: Settings, *, sequence: int, now: datetime
) -> UUID:
    """Store a new subscription, and count it; brings its id. The caller has seen that there is none.

    Args:
        connection: Of a writing transaction.
        user_id: Whose it is.
        topic_id: To what.
        settings: What they have decided.
        sequence: Of the topic's newest message: only what comes after it is unread.
        now: When it is.
    """
    id_ = new_id()
    connection.execute(
        insert(subscriptions).values(
            id=id_,
            user_id=user_id,
            topic_id=topic_id,
            created_at=now,
            viewed_sequence=sequence,
            gone=0,
            **_columns(settings),
        )
    )
    _count(connection, [topic_id], 1)
    return id_


def change_subscription(connection: Connection, id_: UUID, settings: Settings) -> None:
    """Store what a subscriber has decided."""
    connection.execute(update(subscriptions).where(subscriptions.c.id == id_).values(_columns(settings)))


def remove_subscriptions(connection: Connection, some: Collection[tuple[UUID, UUID]]) -> None:
    """Remove subscriptions of one person, and count them out.

    Args:
        connection: Of a writing transaction.
        some: Their ids, each with its topic's.
    """
    connection.execute(delete(subscriptions).where(subscriptions.c.id.in_([id_ for id_, _ in some])))
    _count(connection, [topic_id for _, topic_id in some], -1)


def some_of(connection: Connection, user_id: UUID, limit: int) -> Sequence[tuple[UUID, UUID]]:
    """Some of somebody's subscriptions: their ids, each with its topic's."""
    statement = select(subscriptions.c.id, subscriptions.c.topic_id).where(subscriptions.c.user_id == user_id)
    return [(row.id, row.topic_id) for row in connection.execute(statement.limit(limit))]


def remove_of_topic(connection: Connection, topic_id: UUID) -> None:
    """Remove everybody's subscriptions to a topic that is going."""
    connection.execute(delete(subscriptions).where(subscriptions.c.topic_id == topic_id))


def is_of(user_id: UUID, topic_id: UUID) -> ColumnElement[bool]:
    """Whether a subscription is this person's to this topic."""
    return and_(subscriptions.c.user_id == user_id, subscriptions.c.topic_id == topic_id)


def _columns(settings: Settings) -> dict[str, Any]:
    values = msgspec.structs.asdict(settings)
    values.update(msgspec.structs.asdict(values.pop("mobile_notification_settings")))
    values["tags_filter"] = msgspec.json.encode(values["tags_filter"]).decode()
    return values


def _count(connection: Connection, topic_ids: Collection[UUID], step: int) -> None:
    counted = update(topics).where(topics.c.id.in_(topic_ids))
    connection.execute(counted.values(subscriber_count=topics.c.subscriber_count + step))
