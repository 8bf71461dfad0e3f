"""What chat knows of people besides who they are, and of teams besides what they are called."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

profiles = Table(
    "chat_profiles",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("nickname", String, nullable=False),
    Column("first_name", String, nullable=False),
    Column("last_name", String, nullable=False),
    Column("position", String, nullable=False),
    Column("locale", String, nullable=False),
    Column("roles", String, nullable=False),
    Column("props", JSON, nullable=False),
    Column("notify_props", JSON, nullable=False),
    Column("timezone", JSON, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("last_password_update", BigInteger, nullable=False),
    Column("last_picture_update", BigInteger, nullable=False),
    Column("picture", String),
)
"""A person's profile; somebody without a row has an empty one. `roles` are those besides `system_user` and
`system_admin`; `delete_at` is when they were deactivated; `picture` is a blob's key."""

mention_keys = Table(
    "chat_mention_keys",
    metadata,
    Column("key", String, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Index("chat_mention_keys_user", "user_id"),
)
"""Words in lower case that somebody wants to hear of, besides their name: written with the profile's notify_props."""

teams = Table(
    "chat_teams",
    metadata,
    Column("team_id", Id, primary_key=True),
    Column("type", String, nullable=False),
    Column("allow_open_invite", Boolean, nullable=False),
    Column("invite_id", String, nullable=False, unique=True),
    Column("company_name", String, nullable=False),
    Column("allowed_domains", String, nullable=False),
    Column("email", String, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("last_team_icon_update", BigInteger, nullable=False),
    Column("icon", String),
)
"""A team's settings in chat; made with its default channels."""
