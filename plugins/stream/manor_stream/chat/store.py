"""Questions asked of the chat's tables, and what is written in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, insert, or_, select, update

from manor import Transaction, new_id
from manor_stream.chat.frames import Message, server_user
from manor_stream.chat.rules import renamed
from manor_stream.chat.tables import bans, messages, users
from manor_stream.events import ChatUser

MODERATOR = "MODERATOR"
"""What those may do who keep order in the chat."""

HISTORY = timedelta(hours=5)
MOST_HISTORY = 100
MOST_LISTED = 2_000
MOST_BANS = 1_000

BATCH = 200
"""Rows that go in one transaction."""

MESSAGES_KEPT = timedelta(days=30)
PASSERS_BY_KEPT = timedelta(days=30)
USERS_KEPT = timedelta(days=180)

_AnyRow = Row[*tuple[Any, ...]]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's row.

    Args:
        user: As everybody sees them.
        is_registered: Whether they have a token: those who came by the socket without registration do not.
        disabled_at: Since when they may not write; None while they may.
    """

    user: ChatUser
    is_registered: bool
    disabled_at: datetime | None = None

    @property
    def is_moderator(self) -> bool:
        """Whether they keep order."""
        return MODERATOR in self.user.scopes


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is about to be known; `token` None for those without registration."""

    name: str
    color: int
    token: str | None = None
    is_bot: bool = False
    id: UUID | None = None


def digest(token: str) -> bytes:
    """What is kept of a token: nobody guesses its 256 bits, so one pass is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


# --- People ------------------------------------------------------------------------------------------------------


def add_person(transaction: Transaction, new: NewPerson) -> Person:
    """Make somebody's row."""
    row = {
        "id": new.id or new_id(),
        "token_digest": None if new.token is None else digest(new.token),
        "display_name": new.name,
        "display_color": new.color,
        "previous_names": msgspec.json.encode([new.name]).decode(),
        "is_moderator": False,
        "is_bot": new.is_bot,
        "created_at": transaction.now,
        "seen_at": transaction.now,
    }
    transaction.connection.execute(insert(users).values(row))
    user = ChatUser(
        id=str(row["id"]),
        display_name=new.name,
        display_color=new.color,
        created_at=transaction.now,
        previous_names=(new.name,),
        is_bot=new.is_bot,
    )
    return Person(user=user, is_registered=new.token is not None)


def find_person(connection: Connection, user_id: UUID) -> Person | None:
    """Somebody by their id."""
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return None if row is None else _person(row)


def find_by_token(connection: Connection, token: str) -> UUID | None:
    """Whose token it is."""
    found = select(users.c.id).where(users.c.token_digest == digest(token))
    return connection.execute(found).scalar_one_or_none()


def touch(transaction: Transaction, user_id: UUID) -> Person | None:
    """Note that somebody is here; None when their row is gone."""
    seen = update(users).where(users.c.id == user_id).values(seen_at=transaction.now)
    transaction.connection.execute(seen)
    return find_person(transaction.connection, user_id)


def rename(connection: Connection, person: Person, name: str) -> Person:
    """Call somebody otherwise."""
    names = renamed(person.user.previous_names, name)
    values = {"display_name": name, "previous_names": msgspec.json.encode(names).decode()}
    connection.execute(update(users).where(users.c.id == UUID(person.user.id)).values(values))
    return replace(person, user=replace(person.user, display_name=name, previous_names=names))


def recolor(connection: Connection, person: Person, color: int) -> Person:
    """Give somebody another color."""
    connection.execute(update(users).where(users.c.id == UUID(person.user.id)).values(display_color=color))
    return replace(person, user=replace(person.user, display_color=color))


def set_enabled(transaction: Transaction, person: Person, *, enabled: bool) -> Person:
    """Have somebody write, and their messages seen, or not."""
    since = None if enabled else person.disabled_at or transaction.now
    changed = update(users).where(users.c.id == UUID(person.user.id)).values(disabled_at=since)
    transaction.connection.execute(changed)
    return replace(person, disabled_at=since)


def set_moderator(connection: Connection, person: Person, *, is_moderator: bool) -> Person:
    """Have somebody keep order, or not."""
    changed = update(users).where(users.c.id == UUID(person.user.id)).values(is_moderator=is_moderator)
    connection.execute(changed)
    return replace(person, user=replace(person.user, scopes=(MODERATOR,) if is_moderator else ()))


def disabled_people(connection: Connection) -> list[Person]:
    """Those who may not write, the newest first."""
    found = select(users).where(users.c.disabled_at.is_not(None)).order_by(users.c.disabled_at.desc())
    return [_person(row) for row in connection.execute(found)]


def moderators(connection: Connection) -> list[Person]:
    """Those who keep order, by name."""
    found = select(users).where(users.c.is_moderator).order_by(users.c.display_name)
    return [_person(row) for row in connection.execute(found)]


def _person(row: _AnyRow) -> Person:
    return Person(user=_user(row), is_registered=row.token_digest is not None, disabled_at=row.disabled_at)


def _user(row: _AnyRow) -> ChatUser:
    return ChatUser(
        id=str(row.id),
        display_name=row.display_name,
        display_color=row.display_color,
        created_at=row.created_at,
        previous_names=msgspec.json.decode(row.previous_names, type=tuple[str, ...]),
        scopes=(MODERATOR,) if row.is_moderator else (),
        is_bot=row.is_bot,
    )


# --- Messages ----------------------------------------------------------------------------------------------------


def add_message(transaction: Transaction, message: Message, raw_body: str) -> None:
    """Keep what was said."""
    row = {
        "position": transaction.position(),
        "id": message.id,
        "kind": message.type,
        "user_id": UUID(message.user.id) if message.user and message.user.id else None,
        "author": message.author,
        "client_id": message.client_id,
        "body": message.body,
        "raw_body": raw_body,
        "is_visible": message.visible,
        "timestamp": message.timestamp,
    }
    transaction.connection.execute(insert(messages).values(row))


_IS_SEEN = and_(messages.c.is_visible, users.c.disabled_at.is_(None))


def _selected() -> Select[Any]:
    return select(
        messages,
        users.c.display_color,
        users.c.previous_names,
        users.c.is_moderator,
        users.c.is_bot,
        users.c.created_at,
        users.c.disabled_at,
    ).join_from(messages, users, users.c.id == messages.c.user_id, isouter=True)


def history(transaction: Transaction) -> list[Message]:
    """What viewers see of the last hours, the oldest first."""
    recent = messages.c.timestamp > transaction.now - HISTORY
    return _newest(transaction.connection, and_(_IS_SEEN, recent), MOST_HISTORY)


def newest(connection: Connection) -> list[Message]:
    """The newest messages, hidden ones too, the oldest first."""
    return _newest(connection, None, MOST_LISTED)


def newest_of(connection: Connection, user_id: UUID) -> list[Message]:
    """The newest messages of somebody, hidden ones too, the oldest first."""
    return _newest(connection, messages.c.user_id == user_id, MOST_HISTORY)


def _newest(connection: Connection, condition: ColumnElement[bool] | None, limit: int) -> list[Message]:
    found = _selected().order_by(messages.c.position.desc()).limit(limit)
    rows = connection.execute(found if condition is None else found.where(condition)).all()
    return [_message(row) for row in reversed(rows)]


def by_ids(connection: Connection, ids: Sequence[UUID]) -> list[Message]:
    """Messages by their ids, the oldest first; those that are gone are left out."""
    found = _selected().where(messages.c.id.in_(ids)).order_by(messages.c.position)
    return [_message(row) for row in connection.execute(found)]


def set_visible(connection: Connection, ids: Sequence[UUID], *, visible: bool) -> None:
    """Hide messages, or show them again."""
    connection.execute(update(messages).where(messages.c.id.in_(ids)).values(is_visible=visible))


def shown_by(transaction: Transaction, user_id: UUID) -> list[Message]:
    """Those of somebody's messages that viewers have before them as long as their writer is not disabled."""
    recent = messages.c.timestamp > transaction.now - HISTORY
    condition = and_(messages.c.user_id == user_id, messages.c.is_visible, recent)
    return _newest(transaction.connection, condition, MOST_LISTED)


def _message(row: _AnyRow) -> Message:
    user = server_user(row.author, row.timestamp)
    if row.user_id is not None and row.created_at is not None:
        user = ChatUser(
            id=str(row.user_id),
            # As they were called then: bots, and those without registration, have a name for each message.
            display_name=row.author,
            display_color=row.display_color,
            created_at=row.created_at,
            previous_names=msgspec.json.decode(row.previous_names, type=tuple[str, ...]),
            scopes=(MODERATOR,) if row.is_moderator else (),
            is_bot=row.is_bot,
        )
    return Message(
        type=row.kind,
        id=row.id,
        timestamp=row.timestamp,
        author=row.author,
        body=row.body,
        visible=row.is_visible and row.disabled_at is None,
        user=user,
        client_id=row.client_id,
    )


# --- Addresses ---------------------------------------------------------------------------------------------------


def banned(connection: Connection) -> Sequence[_AnyRow]:
    """Addresses that are shut out, with since when, the newest first."""
    return connection.execute(select(bans).order_by(bans.c.created_at.desc(), bans.c.address)).all()


def ban(transaction: Transaction, address: str) -> None:
    """Shut an address out."""
    transaction.connection.execute(insert(bans).values(address=address, created_at=transaction.now))


def unban(connection: Connection, address: str) -> bool:
    """Let it in again; False when it was not shut out."""
    return connection.execute(delete(bans).where(bans.c.address == address)).rowcount > 0


# --- What is too old ---------------------------------------------------------------------------------------------


def remove_old_messages(transaction: Transaction) -> int:
    """Remove some of the messages that were kept long enough; how many are gone."""
    old = messages.c.timestamp <= transaction.now - MESSAGES_KEPT
    some = select(messages.c.position).where(old).order_by(messages.c.timestamp).limit(BATCH)
    return transaction.connection.execute(delete(messages).where(messages.c.position.in_(some))).rowcount


def remove_old_people(transaction: Transaction) -> int:
    """Remove some of those who were not seen for long, but nobody about whom an administrator has decided something."""
    gone_long = or_(users.c.token_digest.is_(None), users.c.seen_at <= transaction.now - USERS_KEPT)
    old = and_(users.c.seen_at <= transaction.now - PASSERS_BY_KEPT, gone_long)
    undecided = and_(users.c.disabled_at.is_(None), users.c.is_moderator.is_(False))
    has_written = select(messages.c.position).where(messages.c.user_id == users.c.id).exists()
    some = select(users.c.id).where(old, undecided, ~has_written).limit(BATCH)
    return transaction.connection.execute(delete(users).where(users.c.id.in_(some))).rowcount
