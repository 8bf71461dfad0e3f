"""The tables of topics and messages, as they are today."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

from manor import Id, Time

metadata = MetaData()

topics = Table(
    "topics_topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("owner_id", Id, nullable=False),
    Column("team_id", Id),
    Column("access_level", String, nullable=False),
    Column("description", String),
    Column("is_discoverable", Boolean, nullable=False),
    Column("icon_name", String),
    Column("icon_color", String),
    Column("created_at", Time, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("last_message_at", Time),
    Column("subscriber_count", BigInteger, nullable=False),
    Column("latest_at", Time),
)
"""`last_sequence` numbers a topic's messages; the counters change in the transaction of what they count. `latest_at` is
the timestamp that was given last, to whichever message: `last_message_at` goes back when that one is deleted."""

messages = Table(
    "topics_messages",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Id, nullable=False, unique=True),
    Column("topic_id", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("message", String, nullable=False),
    Column("title", String),
    Column("priority", Integer, nullable=False),
    Column("tags", String, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("expires_at", Time),
    Column("is_deleted", Boolean, nullable=False),
    Column("edited_at", Time),
    Column("publisher_id", Id),
    Column("extras", String),
)
"""The server-wide position is the key, so that messages lie in the order in which they are read."""

publish_keys = Table(
    "topics_publish_keys",
    metadata,
    Column("topic_id", Id, primary_key=True),
    Column("publisher", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False),
)
"""What was published under an `Idempotency-Key`."""

daily = Table(
    "topics_daily",
    metadata,
    Column("payer_id", Id, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("messages", BigInteger, nullable=False),
)
"""How much was published on the account of a person, by days since 1970 in UTC."""

followers = Table(
    "topics_followers",
    metadata,
    Column("name", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How far each follower of what is published has come."""
