"""The table of who is subscribed to what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table

from manor import Id, Time
from manor_topics.tables import metadata

subscriptions = Table(
    "topics_subscriptions",
    metadata,
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
"""`tags_filter` is a JSON array. What is unread is the topic's `last_sequence` - `viewed_sequence` - `gone`, which are
those of the messages after `viewed_sequence` that have vanished: nobody has to count messages to know it."""
