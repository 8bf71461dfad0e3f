"""Erasing a person: the account in one transaction, what they left behind in many small ones.

The account goes at once, and its names are free again. What is looked for afterwards, the id and the words that rows of
others may hold, stands in `identity_erasures` until nothing of it is left.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Column, ColumnElement, String, Table, and_, delete, insert, or_, select, tuple_, update

from manor.audit import Audit, AuditRow
from manor.errors import Conflict, NotFound
from manor.identity.credential_tables import (
    consents,
    credentials,
    links,
    recovery_codes,
    sessions,
    totp,
)
from manor.identity.credentials import revoke_all
from manor.identity.events import UserErased
from manor.identity.lockout import account_of, forget_account
from manor.identity.logins import logins
from manor.identity.names import fold_email, fold_username
from manor.identity.sessions import end_sessions
from manor.identity.tables import metadata, users
from manor.identity.team_tables import invites
from manor.identity.teams import leave_teams
from manor.identity.users import User, find_user
from manor.outbox import Job, OutboxRow
from manor.storage import Id, Time, Transaction

BATCH = 500
"""Rows that one transaction removes: others get their turn in between."""

MAIL = "core.mail"
"""The job that sends mail: what it says to a person, or of one, goes with them."""

erasures = Table(
    "identity_erasures",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("username", String),
    Column("email", String),
    Column("begun_at", Time, nullable=False),
)


class Erase(msgspec.Struct, frozen=True):
    """Whose traces are to be removed."""

    user_id: UUID


# Two days of trying: a backup that reads the old state for hours holds up the end, not the work before it.
ERASE = Job("identity.erase", Erase, attempts=60, deadline=3600.0, backoff=10.0)


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that is not over.

    Args:
        user_id: Whose.
        username: What they were called; None once no row can hold it any more.
        email: Where they were reached; None for bots, and once no row can hold it any more.
        begun_at: When. What was made later, under names that are free again, is somebody else's.
    """

    user_id: UUID
    username: str | None
    email: str | None
    begun_at: datetime


_COLUMNS = [erasures.c[name] for name in Erasure.__struct_fields__]


def begin_erasure(transaction: Transaction, user_id: UUID) -> User:
    """Remove the account: no credential opens anything, streams end, the names are free. The rest goes by a job.

    Returns:
        Who it was.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    user = find_user(transaction, user_id=user_id)
    if user is None:
        raise NotFound("There is no such person")
    if user.is_system:
        raise Conflict(f"{user.username} is the server itself and stays as it is")
    row = {"user_id": user.id, "username": user.username, "email": user.email, "begun_at": transaction.now}
    transaction.connection.execute(insert(erasures).values(row))
    end_sessions(transaction, user.id)
    revoke_all(transaction, user_id=user.id)
    forget_account(transaction, account_of(user, ""))
    transaction.connection.execute(delete(users).where(users.c.id == user.id))
    transaction.emit(UserErased(user_id=user.id))
    transaction.defer(ERASE, Erase(user.id), key=str(user.id))
    return user


def find_erasure(transaction: Transaction, user_id: UUID) -> Erasure | None:
    """Someone's erasure while it is not over; None when there was none, or all is gone."""
    row = transaction.connection.execute(select(*_COLUMNS).where(erasures.c.user_id == user_id)).mappings()
    found = row.one_or_none()
    return None if found is None else Erasure(**found)


def list_erasures(transaction: Transaction) -> Sequence[Erasure]:
    """All erasures that are not over, the oldest first."""
    rows = transaction.connection.execute(select(*_COLUMNS).order_by(erasures.c.begun_at, erasures.c.user_id))
    return [Erasure(**row) for row in rows.mappings()]


def forget_words(transaction: Transaction, user_id: UUID) -> None:
    """No row holds them any more, and neither shall this one."""
    blank = update(erasures).where(erasures.c.user_id == user_id).values(username=None, email=None)
    transaction.connection.execute(blank)


def conclude(transaction: Transaction, audit: Audit, user_id: UUID) -> None:
    """All is gone; that it is stays in the audit log, with a salted digest that only who knows the id can check."""
    transaction.connection.execute(delete(erasures).where(erasures.c.user_id == user_id))
    audit.erase(transaction, str(user_id))
    audit.record(transaction, "identity.user_erased", actor="manor", target=salted(user_id))


def salted(user_id: UUID, salt: str | None = None) -> str:
    """`<salt>:<SHA-256 of salt and id>`, both in hex.

    Args:
        user_id: Of somebody who is erased.
        salt: That of a digest, to compare with it; a fresh one when not given.
    """
    salt = salt or secrets.token_hex(16)
    return f"{salt}:{hashlib.sha256(f'{salt}{user_id}'.encode()).hexdigest()}"


# --- The core's own rows -------------------------------------------------------------------------------------------

Step = Callable[[Transaction, Erasure, int], int]
"""Removes at most so many rows; returns how many, 0 when none is left."""


def _with_user_id(table: Table) -> Step:
    def step(transaction: Transaction, erasure: Erasure, limit: int) -> int:
        return _remove(transaction, table, table.c.user_id == erasure.user_id, limit)

    return step


def _links(transaction: Transaction, erasure: Erasure, limit: int) -> int:
    if erasure.email is None:
        return 0
    is_old = and_(links.c.user_id.is_(None), links.c.created_at <= erasure.begun_at)
    return _remove(transaction, links, and_(links.c.email_folded == fold_email(erasure.email), is_old), limit)


def _invites(transaction: Transaction, erasure: Erasure, limit: int) -> int:
    theirs = invites.c.invited_by_id == erasure.user_id
    if erasure.email is not None:
        received = invites.c.email_folded == fold_email(erasure.email)
        theirs = or_(theirs, and_(received, invites.c.created_at <= erasure.begun_at))
    return _remove(transaction, invites, theirs, limit)


def _teams(transaction: Transaction, erasure: Erasure, limit: int) -> int:
    return leave_teams(transaction, erasure.user_id, limit)


STEPS: tuple[Step, ...] = (
    *(_with_user_id(table) for table in (credentials, sessions, links, consents, totp, recovery_codes, logins)),
    _links,
    _invites,
    _teams,
)
"""What holds someone's id or address in the `identity_` tables."""


def _remove(transaction: Transaction, table: Table, condition: ColumnElement[bool], limit: int) -> int:
    key = list(table.primary_key)
    some = select(*key).where(condition).limit(limit)
    gone = delete(table).where(tuple_(*key).in_(some))
    return transaction.connection.execute(gone).rowcount


# --- Words in rows of others ---------------------------------------------------------------------------------------


def mentioned_in_outbox(erasure: Erasure, rows: Sequence[OutboxRow]) -> list[int]:
    """Those of the outbox's rows that hold the person's address, and mail to them or about them."""
    return [row.id for row in rows if row.created_at <= erasure.begun_at and _is_about(erasure, row)]


def _is_about(erasure: Erasure, row: OutboxRow) -> bool:
    texts = list(_strings(msgspec.json.decode(row.payload)))
    if row.name == MAIL and str(erasure.user_id) in texts:
        return True
    if erasure.email is None:
        return False
    email = fold_email(erasure.email)
    return any(fold_email(text) == email or (row.name == MAIL and email in fold_email(text)) for text in texts)


def mentioned_in_audit(erasure: Erasure, rows: Sequence[AuditRow]) -> list[int]:
    """Those of the audit log's rows whose detail holds the person's id, name or address."""
    words = {str(erasure.user_id)}
    if erasure.username is not None:
        words.add(fold_username(erasure.username))
    if erasure.email is not None:
        words.add(fold_email(erasure.email))
    return [
        row.id
        for row in rows
        if row.detail is not None
        and row.at <= erasure.begun_at
        and any(fold_email(text) in words for text in _strings(msgspec.json.decode(row.detail)))
    ]


def _strings(value: Any) -> Iterator[str]:
    """Every string in what JSON can say; the names of members too."""
    match value:
        case str():
            yield value
        case dict():
            for name, inside in value.items():
                yield name
                yield from _strings(inside)
        case list():
            for inside in value:
                yield from _strings(inside)
        case _:
            return
