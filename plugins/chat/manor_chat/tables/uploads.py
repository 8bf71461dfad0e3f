"""Uploads that are under way."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

uploads = Table(
    "chat_uploads",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("channel_id", Id, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("filename", String, nullable=False),
    Column("file_size", BigInteger, nullable=False),
    Column("file_offset", BigInteger, nullable=False),
    Column("parts", JSON, nullable=False),
    Index("chat_uploads_updated", "update_at"),
    Index("chat_uploads_user", "user_id"),
)
"""`parts` are the keys of what has come, in its order, `file_offset` bytes together; `update_at` is when the last one
came."""

secrets = Table(
    "chat_secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""Keys that this server signs with, made when they are first needed."""
