"""The steps to today's `identity_` tables; a step that has been released is never edited."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    insert,
    text,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from manor.identity.credential_migrations import CREDENTIALS
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


def _profiles(connection: Connection) -> None:
    """What is known of a person besides their names, and the logins at other providers that are theirs."""
    for column in ("avatar_url VARCHAR", "last_login BIGINT", "terms_accepted_at BIGINT"):
        connection.execute(text(f"ALTER TABLE identity_users ADD COLUMN {column}"))
    logins = Table(
        "identity_logins",
        MetaData(),
        Column("issuer", String, nullable=False),
        Column("subject", String, nullable=False),
        Column("user_id", Id, nullable=False),
        Column("provider", String, nullable=False),
        Column("created_at", Time, nullable=False),
        PrimaryKeyConstraint("issuer", "subject"),
    )
    connection.execute(CreateTable(logins))
    connection.execute(CreateIndex(Index("identity_logins_by_user", logins.c.user_id)))


def _teams(connection: Connection) -> None:
    """Teams, who is in them, and who is asked to join."""
    teams = Table(
        "identity_teams",
        MetaData(),
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
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("team_id", Id, nullable=False),
        Column("user_id", Id, nullable=False),
        Column("role", String, nullable=False),
        Column("joined_at", Time, nullable=False),
        UniqueConstraint("team_id", "user_id"),
    )
    invites = Table(
        "identity_invites",
        MetaData(),
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
    for table in (teams, members, invites):
        connection.execute(CreateTable(table))
    for index in (
        Index("identity_teams_by_owner", teams.c.owner_id),
        Index("identity_members_by_user", members.c.user_id),
        Index("identity_invites_by_team", invites.c.team_id),
        Index("identity_invites_by_email", invites.c.email_folded),
        Index("identity_invites_by_inviter", invites.c.invited_by_id),
    ):
        connection.execute(CreateIndex(index))


def _erasures(connection: Connection) -> None:
    """People whose account is gone and whose traces are being removed."""
    erasures = Table(
        "identity_erasures",
        MetaData(),
        Column("user_id", Id, primary_key=True),
        Column("username", String),
        Column("email", String),
        Column("begun_at", Time, nullable=False),
    )
    connection.execute(CreateTable(erasures))


MIGRATIONS = (
    Migration("0001_people", _people),
    CREDENTIALS,
    Migration("0003_profiles", _profiles),
    Migration("0003_teams", _teams),
    Migration("0003_erasures", _erasures),
)
