"""The chat's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table

from manor import Id, Time

metadata = MetaData()

users = Table(
    "stream_chat_users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token_digest", LargeBinary),
    Column("display_name", String, nullable=False),
    Column("display_color", Integer, nullable=False),
    Column("previous_names", String, nullable=False),
    Column("is_moderator", Boolean, nullable=False),
    Column("is_bot", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("disabled_at", Time),
)
"""Whoever wrote, or registered to write. No digest: they came without registration, or are a bot with a credential,
whose id they have."""

messages = Table(
    "stream_chat_messages",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Id, nullable=False),
    Column("kind", String, nullable=False),
    Column("user_id", Id),
    Column("author", String, nullable=False),
    Column("client_id", BigInteger, nullable=False),
    Column("body", String, nullable=False),
    Column("raw_body", String, nullable=False),
    Column("is_visible", Boolean, nullable=False),
    Column("timestamp", Time, nullable=False),
)
"""What was said. It is seen while it is visible and who wrote it is not disabled."""

bans = Table(
    "stream_chat_bans",
    metadata,
    Column("address", String, primary_key=True),
    Column("created_at", Time, nullable=False),
)
"""Addresses and networks that are shut out."""
