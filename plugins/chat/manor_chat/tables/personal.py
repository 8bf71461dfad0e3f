"""What people set for themselves: preferences, and whether they are there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

preferences = Table(
    "chat_preferences",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("category", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

statuses = Table(
    "chat_statuses",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("status", String, nullable=False),
    Column("manual", Boolean, nullable=False),
    Column("last_activity_at", BigInteger, nullable=False),
    Column("dnd_end_time", BigInteger, nullable=False),
    Column("prev_status", String, nullable=False),
)
"""`dnd_end_time` is in seconds, as the API has it."""
