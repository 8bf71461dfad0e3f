"""The core's tables of people, all named `identity_…`: purging a plugin drops none of them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Boolean, Column, MetaData, String, Table

from manor.storage import Id, Time

metadata = MetaData()

SYSTEM_ID = UUID("00000000-0000-7000-8000-000000000000")
"""The system person `manor`: owns what nobody made, and cannot log in."""

users = Table(
    "identity_users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("username", String, nullable=False),
    Column("handle", String, nullable=False, unique=True),
    Column("email", String),
    Column("email_folded", String, unique=True),
    Column("password_hash", String),
    Column("tier", String, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("is_bot", Boolean, nullable=False),
    Column("is_system", Boolean, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("avatar_url", String),
    Column("last_login", Time),
    Column("terms_accepted_at", Time),
)
"""People, bots and the system person. `handle` is the folded username, `email_folded` the folded address."""
