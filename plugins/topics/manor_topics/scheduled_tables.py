"""The table of messages that are accepted and not published yet."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

from manor import Id, Time

scheduled = Table(
    "topics_scheduled",
    MetaData(),
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, nullable=False),
    Column("message", String, nullable=False),
    Column("title", String),
    Column("priority", Integer, nullable=False),
    Column("tags", String, nullable=False),
    Column("extras", String),
    Column("publisher_id", Id),
    Column("due_at", Time, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("publisher", String),
    Column("key", String),
    Column("fingerprint", LargeBinary),
)
"""The last three are the `Idempotency-Key` that it was sent with, and whose it is."""
