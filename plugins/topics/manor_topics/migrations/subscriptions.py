"""Who is subscribed to what, how they want to hear of it, and how far they have read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Integer, MetaData, String, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    subscriptions = Table(
        "topics_subscriptions",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("user_id", Id, nullable=False),
        Column("topic_id", Id, nullable=False),
        Column("created_at", Time, nullable=False),
        Column("last_viewed_at", Time),
        Column("last_notified_at", Time),
        Column("web_notifications_enabled", Boolean, nullable=False),
        Column("mobile_notifications_enabled", Boolean, nullable=False),
        Column("priority_threshold", Integer, nullable=False),
        Column("sound_enabled", Boolean, nullable=False),
        Column("vibrate_enabled", Boolean, nullable=False),
        Column("tags_filter", String, nullable=False),
        Column("notification_sound", String, nullable=False),
        Column("is_pinned", Boolean, nullable=False),
        Column("viewed_sequence", BigInteger, nullable=False),
        Column("gone", BigInteger, nullable=False),
    )
    connection.execute(CreateTable(subscriptions))
    for index in (
        Index("topics_subscriptions_of_person", subscriptions.c.user_id, subscriptions.c.topic_id, unique=True),
        # Also finds those who have not read a message that vanishes.
        Index("topics_subscriptions_of_topic", subscriptions.c.topic_id, subscriptions.c.viewed_sequence),
    ):
        connection.execute(CreateIndex(index))


STEP = Migration("0006_subscriptions", _run)
