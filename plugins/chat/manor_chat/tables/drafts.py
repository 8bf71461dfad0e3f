"""What people have begun to write."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

drafts = Table(
    "chat_drafts",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("channel_id", Id, primary_key=True),
    Column("root_id", Id, primary_key=True),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("message", String, nullable=False),
    Column("props", JSON, nullable=False),
    Column("file_ids", JSON, nullable=False),
    Column("priority", JSON),
    Index("chat_drafts_root", "root_id"),
)
"""One for each channel, and one for each thread; a channel's own has 16 bytes of zeros for a `root_id`."""
