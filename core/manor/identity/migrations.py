"""The steps to today's `identity_` tables; a step that has been released is never edited."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Boolean, Column, Connection, MetaData, String, Table, insert
from sqlalchemy.schema import CreateTable

from manor.identity.tables import SYSTEM_ID
from manor.storage import Id, Migration, Time


def _people(connection: Connection) -> None:
    """The people, and the system person among them. The table is written out here: `tables.py` goes on to change."""
    users = Table(
        "identity_users",
        MetaData(),
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
    )
    connection.execute(CreateTable(users))
    system = {
        "id": SYSTEM_ID,
        "username": "manor",
        "handle": "manor",
        "tier": "",
        "is_active": True,
        "is_admin": False,
        "is_bot": False,
        "is_system": True,
        "is_verified": False,
        "created_at": datetime(1970, 1, 1, tzinfo=UTC),
    }
    connection.execute(insert(users).values(system))


MIGRATIONS = (Migration("0001_people", _people),)
