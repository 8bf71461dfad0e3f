"""What chat keeps of how people come in, of bots, and of what it has told about people."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

session_devices = Table(
    "chat_session_devices",
    metadata,
    Column("session_id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("device_id", String, nullable=False),
    Index("chat_session_devices_user", "user_id"),
)
"""Where a phone's session is reached by push."""

disabled_tokens = Table(
    "chat_disabled_tokens",
    metadata,
    Column("credential_id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Index("chat_disabled_tokens_user", "user_id"),
)
"""Personal access tokens that open nothing until they are enabled again."""

bots = Table(
    "chat_bots",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
    Column("description", String, nullable=False),
    Index("chat_bots_owner", "owner_id"),
)
"""Bots that were made in chat; what a bot is displayed as is its profile's `first_name`."""

people_told = Table(
    "chat_people_told",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("handle", String, nullable=False),
    Column("email", String, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("is_verified", Boolean, nullable=False),
)
"""What clients were told of somebody: what differs from it was changed by another API."""
