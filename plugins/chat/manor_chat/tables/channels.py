"""Channels, who is in them, and what they have read."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, UniqueConstraint, text

from manor import Id
from manor_chat.tables.meta import metadata

channels = Table(
    "chat_channels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("team_id", Id),
    Column("type", String, nullable=False),
    Column("name", String, nullable=False),
    Column("display_name", String, nullable=False),
    Column("header", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("creator_id", Id),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("last_post_at", BigInteger, nullable=False),
    Column("last_root_post_at", BigInteger, nullable=False),
    Column("total_msg_count", Integer, nullable=False),
    Column("total_msg_count_root", Integer, nullable=False),
    Column("last_sequence", Integer, nullable=False),
    UniqueConstraint("team_id", "name"),
    Index("chat_channels_direct", "name", unique=True, sqlite_where=text("team_id IS NULL")),
)
"""`type` is O (public), P (private), D (direct) or G (group); D and G have no team. `last_sequence` is the number of
the newest post; the totals leave comings and goings out."""

channel_members = Table(
    "chat_channel_members",
    metadata,
    Column("channel_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("is_admin", Boolean, nullable=False),
    Column("roles", String, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("last_viewed_at", BigInteger, nullable=False),
    Column("last_update_at", BigInteger, nullable=False),
    Column("msg_count", Integer, nullable=False),
    Column("msg_count_root", Integer, nullable=False),
    Column("mention_count", Integer, nullable=False),
    Column("mention_count_root", Integer, nullable=False),
    Column("notify_props", JSON, nullable=False),
    Index("chat_channel_members_user", "user_id"),
)
"""`msg_count` is what the channel's total was at the last view: the difference is unread. `roles` are explicit ones."""

uncounted = Table(
    "chat_uncounted",
    metadata,
    Column("channel_id", Id, primary_key=True),
    Column("total", Integer, nullable=False),
    Column("roots", Integer, nullable=False),
)
"""Posts that came in by an import and that the channel's totals do not have yet."""
