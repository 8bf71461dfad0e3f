"""Webhooks and slash commands."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

incoming_hooks = Table(
    "chat_incoming_hooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("channel_id", Id, nullable=False),
    Column("team_id", Id, nullable=False),
    Column("display_name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("username", String, nullable=False),
    Column("icon_url", String, nullable=False),
    Column("channel_locked", Boolean, nullable=False),
    Index("chat_incoming_hooks_team", "team_id"),
    Index("chat_incoming_hooks_user", "user_id"),
)
"""Whoever knows the id may post, so it is drawn at random as a token is."""

outgoing_hooks = Table(
    "chat_outgoing_hooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", String, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("creator_id", Id, nullable=False),
    Column("channel_id", Id),
    Column("team_id", Id, nullable=False),
    Column("trigger_words", JSON, nullable=False),
    Column("trigger_when", Integer, nullable=False),
    Column("callback_urls", JSON, nullable=False),
    Column("display_name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("content_type", String, nullable=False),
    Column("username", String, nullable=False),
    Column("icon_url", String, nullable=False),
    Index("chat_outgoing_hooks_team", "team_id"),
    Index("chat_outgoing_hooks_creator", "creator_id"),
)

commands = Table(
    "chat_commands",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", String, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("creator_id", Id, nullable=False),
    Column("team_id", Id, nullable=False),
    Column("trigger", String, nullable=False),
    Column("method", String, nullable=False),
    Column("username", String, nullable=False),
    Column("icon_url", String, nullable=False),
    Column("auto_complete", Boolean, nullable=False),
    Column("auto_complete_desc", String, nullable=False),
    Column("auto_complete_hint", String, nullable=False),
    Column("display_name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("url", String, nullable=False),
    Index("chat_commands_trigger", "team_id", "trigger", unique=True),
    Index("chat_commands_creator", "creator_id"),
)

command_replies = Table(
    "chat_command_replies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("create_at", BigInteger, nullable=False),
    Column("command_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("channel_id", Id, nullable=False),
    Column("root_id", Id),
    Column("use_count", Integer, nullable=False),
    Index("chat_command_replies_made", "create_at"),
    Index("chat_command_replies_user", "user_id"),
)
"""Where a command may say more for half an hour (`response_url`)."""
