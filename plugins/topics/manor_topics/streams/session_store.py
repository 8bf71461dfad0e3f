"""Questions asked of stream sessions."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, select, update

from manor import Principal, Time, Transaction, new_id
from manor_topics.streams.merging import Start
from manor_topics.streams.session_tables import sessions

_AnyRow = Row[*tuple[Any, ...]]


class Session(msgspec.Struct, frozen=True):
    """A stream session.

    Args:
        id: Names it.
        user_id: Whose it is.
        session_id: The sign-in it was made with.
        credential_id: The API key it was made with.
        start: Where each of its topics begins.
        position: Up to where its client has everything for sure; None until that is known.
    """

    id: UUID
    user_id: UUID
    session_id: UUID | None
    credential_id: UUID | None
    start: Start
    position: int | None


class _Heard(msgspec.Struct, frozen=True, array_like=True):
    topic_id: UUID
    place: int
    was_had: bool
    has_gap: bool


def add(connection: Connection, secret: str, owner: Principal, start: Start, *, now: datetime, until: datetime) -> None:
    """Store a new one. Its secret is shown to its owner now, or never again."""
    heard = [_Heard(id_, place, id_ in start.had, id_ in start.gaps) for id_, place in start.places.items()]
    connection.execute(
        insert(sessions).values(
            id=new_id(),
            hash=_digest(secret),
            user_id=owner.user_id,
            session_id=owner.session_id,
            credential_id=owner.credential_id,
            heard=msgspec.json.encode(heard).decode(),
            created_at=now,
            expires_at=until,
        )
    )


def find_by_secret(connection: Connection, secret: str, now: datetime) -> Session | None:
    """The session with this secret; None when it is unknown, or over."""
    wanted = _digest(secret)
    row = connection.execute(select(sessions).where(sessions.c.hash == wanted)).one_or_none()
    if row is None or not hmac.compare_digest(row.hash, wanted):
        return None
    return _session(row, now)


def find(connection: Connection, id_: UUID, now: datetime) -> Session | None:
    """The session of this id; None when it is unknown, or over."""
    row = connection.execute(select(sessions).where(sessions.c.id == id_)).one_or_none()
    return None if row is None else _session(row, now)


def keep(connection: Connection, positions: Mapping[UUID, int | None], until: datetime) -> None:
    """Have sessions last until then; those with a position stand there from now on."""
    statement = update(sessions).where(sessions.c.id == bindparam("kept_id"))
    ends = {"expires_at": bindparam("kept_until", type_=Time)}
    kept = [{"kept_id": id_, "kept_until": until} for id_, position in positions.items() if position is None]
    if kept:
        connection.execute(statement.values(ends), kept)
    moved = [
        {"kept_id": id_, "kept_until": until, "kept_at": position}
        for id_, position in positions.items()
        if position is not None
    ]
    if moved:
        connection.execute(statement.values(ends | {"position": bindparam("kept_at")}), moved)


def has_expired(transaction: Transaction) -> bool:
    """Whether there is one that is over."""
    is_over = sessions.c.expires_at <= transaction.now
    return transaction.connection.execute(select(sessions.c.id).where(is_over).limit(1)).first() is not None


def remove(connection: Connection, condition: ColumnElement[bool], limit: int) -> int:
    """Remove sessions, at most so many; how many are gone."""
    some = select(sessions.c.id).where(condition).limit(limit)
    return connection.execute(delete(sessions).where(sessions.c.id.in_(some))).rowcount


def _digest(secret: str) -> bytes:
    # One pass is enough: nobody tries 256 bits.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _session(row: _AnyRow, now: datetime) -> Session | None:
    if row.expires_at <= now:
        return None
    heard: Sequence[_Heard] = msgspec.json.decode(row.heard, type=list[_Heard])
    start = Start(
        {each.topic_id: each.place for each in heard},
        frozenset(each.topic_id for each in heard if each.was_had),
        frozenset(each.topic_id for each in heard if each.has_gap),
    )
    return Session(row.id, row.user_id, row.session_id, row.credential_id, start, row.position)
