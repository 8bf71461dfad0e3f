"""Sessions: what one sign-in began, with all the credentials that came from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, RowMapping, insert, select, update

from manor.identity.credential_tables import credentials, sessions
from manor.identity.credentials import revoke_where
from manor.identity.events import SessionEnded
from manor.storage import Transaction, new_id

LONGEST_AGENT = 400
"""Characters that are kept of what a client calls itself."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in.

    Args:
        id: Tokens carry it.
        user_id: Who signed in.
        kind: The kind of credential that it is used through, such as `access`.
        created_at: When they signed in.
        last_used_at: Written at most once a minute.
        expires_at: When it is over unless it is used before.
        ip: Where they signed in from.
        user_agent: What their client called itself.
        ended_at: When it was ended before its time.
    """

    id: UUID
    user_id: UUID
    kind: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    ended_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it still lets its person in."""
        return self.ended_at is None and self.expires_at > now


_COLUMNS = [sessions.c[name] for name in Session.__struct_fields__]


def open_session(
    transaction: Transaction,
    *,
    user_id: UUID,
    kind: str,
    ip: str,
    user_agent: str,
    life: timedelta,
    absolute: timedelta,
) -> Session:
    """Begin a session.

    Args:
        transaction: The caller's.
        user_id: Who signed in.
        kind: The kind of credential that it is used through.
        ip: Where from; "" when nobody knows.
        user_agent: What the client calls itself; only its beginning is kept.
        life: How long it lasts without being used.
        absolute: How long it lasts however much it is used.
    """
    now = transaction.now
    session = Session(
        id=new_id(),
        user_id=user_id,
        kind=kind,
        created_at=now,
        last_used_at=now,
        expires_at=now + min(life, absolute),
        ip=ip,
        user_agent=_printable(user_agent)[:LONGEST_AGENT],
        ended_at=None,
    )
    hidden = {"ends_by": now + absolute, "life_seconds": int(life.total_seconds())}
    transaction.connection.execute(insert(sessions).values(msgspec.structs.asdict(session) | hidden))
    return session


def find_session(transaction: Transaction, session_id: UUID) -> Session | None:
    """The session with this id, an ended or expired one too: look at `is_alive`."""
    row = transaction.connection.execute(select(*_COLUMNS).where(sessions.c.id == session_id)).mappings().one_or_none()
    return None if row is None else _session(row)


def touch_session(transaction: Transaction, session_id: UUID) -> Session | None:
    """Note that it is used, which puts off its end; None when it is over already, or there is none."""
    condition = sessions.c.id == session_id
    row = (
        transaction.connection.execute(select(sessions.c.ends_by, sessions.c.life_seconds, *_COLUMNS).where(condition))
        .mappings()
        .one_or_none()
    )
    if row is None or not _session(row).is_alive(transaction.now):
        return None
    expires_at = min(transaction.now + timedelta(seconds=row["life_seconds"]), row["ends_by"])
    # A clock that was set back does not shorten what was promised.
    changed = {"last_used_at": transaction.now, "expires_at": max(expires_at, row["expires_at"])}
    transaction.connection.execute(update(sessions).where(condition).values(changed))
    return msgspec.structs.replace(_session(row), **changed)


def end_session(transaction: Transaction, session_id: UUID) -> bool:
    """Have it let nobody in from the commit on, nor any of its credentials; False when it is over already."""
    return _end(transaction, sessions.c.id == session_id) > 0


def end_sessions(transaction: Transaction, user_id: UUID, *, but: UUID | None = None, kind: str | None = None) -> int:
    """End a person's sessions, all but one if given, of one kind if given; returns how many ended."""
    condition = sessions.c.user_id == user_id
    if but is not None:
        condition &= sessions.c.id != but
    if kind is not None:
        condition &= sessions.c.kind == kind
    return _end(transaction, condition)


def list_sessions(transaction: Transaction, user_id: UUID, kind: str | None = None) -> list[Session]:
    """A person's sessions that are alive, the newest first, of one kind if given."""
    query = (
        select(*_COLUMNS)
        .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > transaction.now)
        .order_by(sessions.c.id.desc())
    )
    if kind is not None:
        query = query.where(sessions.c.kind == kind)
    return [_session(row) for row in transaction.connection.execute(query).mappings()]


def _end(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    changed = (
        update(sessions)
        .where(condition & sessions.c.ended_at.is_(None))
        .values(ended_at=transaction.now)
        .returning(sessions.c.id, sessions.c.user_id)
    )
    ended = transaction.connection.execute(changed).all()
    for row in ended:
        revoke_where(transaction, credentials.c.session_id == row.id)
        transaction.emit(SessionEnded(session_id=row.id, user_id=row.user_id))
    return len(ended)


def _session(row: RowMapping) -> Session:
    return Session(**{name: row[name] for name in Session.__struct_fields__})


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
