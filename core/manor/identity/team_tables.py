"""The core's tables of teams: part of `identity_…`, with the rest of `tables.py`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, String, Table

from manor.identity.tables import metadata
from manor.storage import Id, Time

teams = Table(
    "identity_teams",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("display_name", String, nullable=False),
    Column("description", String),
    Column("owner_id", Id, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
)

members = Table(
    "identity_members",
    metadata,
    Column("id", Id, primary_key=True),
    Column("team_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("role", String, nullable=False),
    Column("joined_at", Time, nullable=False),
)

invites = Table(
    "identity_invites",
    metadata,
    Column("id", Id, primary_key=True),
    Column("team_id", Id, nullable=False),
    Column("email", String, nullable=False),
    Column("email_folded", String, nullable=False),
    Column("role", String, nullable=False),
    Column("invited_by_id", Id, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
    Column("cancelled_at", Time),
)
"""`hash` is the SHA-256 of the token."""
