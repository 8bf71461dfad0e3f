"""Emoji that people made themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

emojis = Table(
    "chat_emoji",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False),
    Column("creator_id", Id, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("blob", String, nullable=False),
    Column("mime_type", String, nullable=False),
    Index("chat_emoji_name", "name", unique=True),
    Index("chat_emoji_creator", "creator_id"),
)
"""`blob` is the key of the picture. A deleted emoji has no row: its name is free again."""
