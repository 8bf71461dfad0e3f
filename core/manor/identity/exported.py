"""The core's own sections of what a person is given of themselves; nothing in them is a secret, or a digest of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Table, or_, select

from manor.errors import NotFound
from manor.identity.consents import list_consents
from manor.identity.credential_tables import credentials, sessions
from manor.identity.logins import list_logins
from manor.identity.names import fold_email
from manor.identity.team_tables import invites, members, teams
from manor.identity.users import User, find_user
from manor.storage import Transaction

SECTIONS = ("account", "logins", "consents", "sessions", "teams", "invites", "credentials")
"""Their names; `account` has one row."""

R = TypeVar("R", bound=msgspec.Struct)


class AccountExported(msgspec.Struct, frozen=True, kw_only=True):
    """Who they are here."""

    user_id: UUID
    email: str | None
    username: str
    subscription_tier: str
    created_at: datetime
    is_active: bool
    is_verified: bool
    is_admin: bool
    avatar_url: str | None
    last_login: datetime | None
    terms_accepted_at: datetime | None


class SessionExported(msgspec.Struct, frozen=True, kw_only=True):
    """A time that they signed in."""

    id: UUID
    kind: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ip: str
    user_agent: str


class CredentialExported(msgspec.Struct, frozen=True, kw_only=True):
    """A key of theirs, of whatever kind."""

    id: UUID
    kind: str
    prefix: str
    scopes: list[str]
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    use_count: int
    revoked_at: datetime | None


class TeamExported(msgspec.Struct, frozen=True, kw_only=True):
    """A team that they are in."""

    team_id: UUID
    name: str
    display_name: str
    role: str
    joined_at: datetime


class InviteExported(msgspec.Struct, frozen=True, kw_only=True):
    """An invite that they sent or were sent."""

    id: UUID
    team_id: UUID
    email: str
    role: str
    invited_by_id: UUID
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    cancelled_at: datetime | None


def own_rows(transaction: Transaction, user_id: UUID) -> Sequence[tuple[str, msgspec.Struct]]:
    """All rows of the core's sections, each with its section's name, in the sections' order.

    Raises:
        NotFound: There is no such person.
    """
    user = find_user(transaction, user_id=user_id)
    if user is None:
        raise NotFound("There is no such person")
    theirs = invites.c.invited_by_id == user_id
    if user.email is not None:
        theirs = or_(theirs, invites.c.email_folded == fold_email(user.email))
    sections: dict[str, Sequence[msgspec.Struct]] = {
        "account": [_account(user)],
        "logins": list_logins(transaction, user_id),
        "consents": list_consents(transaction, user_id),
        "sessions": _rows(transaction, SessionExported, sessions, sessions.c.user_id == user_id),
        "teams": _teams(transaction, user_id),
        "invites": _rows(transaction, InviteExported, invites, theirs),
        "credentials": _rows(transaction, CredentialExported, credentials, credentials.c.user_id == user_id),
    }
    return [(section, row) for section in SECTIONS for row in sections[section]]


def _account(user: User) -> AccountExported:
    return AccountExported(
        user_id=user.id,
        email=user.email,
        username=user.username,
        subscription_tier=user.tier,
        created_at=user.created_at,
        is_active=user.is_active,
        is_verified=user.is_verified,
        is_admin=user.is_admin,
        avatar_url=user.avatar_url,
        last_login=user.last_login,
        terms_accepted_at=user.terms_accepted_at,
    )


def _teams(transaction: Transaction, user_id: UUID) -> list[TeamExported]:
    query = (
        select(members.c.team_id, teams.c.name, teams.c.display_name, members.c.role, members.c.joined_at)
        .join_from(members, teams, teams.c.id == members.c.team_id)
        .where(members.c.user_id == user_id)
        .order_by(members.c.id)
    )
    return [TeamExported(**row) for row in transaction.connection.execute(query).mappings()]


def _rows(transaction: Transaction, shape: type[R], table: Table, condition: ColumnElement[bool]) -> list[R]:
    """A table's rows in a shape whose members are columns, the oldest first."""
    query = select(*(table.c[name] for name in shape.__struct_fields__)).where(condition).order_by(table.c.id)
    return [shape(**row) for row in transaction.connection.execute(query).mappings()]
