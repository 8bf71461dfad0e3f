"""People with their chat profiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, insert, select, update

from manor import Prepared, Transaction, fold_email, users_table
from manor_chat.tables.people import profiles
from manor_chat.times import to_milliseconds


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What chat knows of somebody besides who they are; see the table. An empty one is what everybody begins with."""

    nickname: str = ""
    first_name: str = ""
    last_name: str = ""
    position: str = ""
    locale: str = "en"
    roles: str = ""
    props: dict[str, str] = {}
    notify_props: dict[str, str] = {}
    timezone: dict[str, str] = {}
    update_at: int = 0
    delete_at: int = 0
    last_password_update: int = 0
    last_picture_update: int = 0
    picture: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with their profile.

    Args:
        id: The same in all of Manor.
        handle: What chat calls them: the username in lower case.
        email: "" where there is none.
        is_active: Whether they may sign in.
        is_admin: Whether they administer this server.
        is_bot: Whether it is a bot.
        is_system: Whether it is the server itself.
        is_verified: Whether the address is known to be theirs.
        created_at: When they were added.
        profile: See `Profile`.
    """

    id: UUID
    handle: str
    email: str
    is_active: bool
    is_admin: bool
    is_bot: bool
    is_system: bool
    is_verified: bool
    created_at: datetime
    profile: Profile

    @property
    def create_at(self) -> int:
        """When they were added, in milliseconds."""
        return to_milliseconds(self.created_at)

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of their system roles."""
        own = self.profile.roles.split()
        return ("system_admin", "system_user", *own) if self.is_admin else ("system_user", *own)


_WHO = ("id", "handle", "email", "is_active", "is_admin", "is_bot", "is_system", "is_verified", "created_at")
PERSON = [
    *(users_table.c[name].label(f"user_{name}") for name in _WHO),
    *(profiles.c[name] for name in Profile.__struct_fields__),
]


def select_people() -> Select[Any]:
    """A query of people with their profiles, for further conditions; `person_of` reads its rows."""
    return select(*PERSON).join_from(users_table, profiles, profiles.c.user_id == users_table.c.id, isouter=True)


def person_of(row: Mapping[Any, Any]) -> Person:
    """A person of such a row."""
    who = {name: row[f"user_{name}"] for name in _WHO}
    known = row["update_at"] is not None
    profile = Profile(**{name: row[name] for name in Profile.__struct_fields__}) if known else Profile()
    return Person(**who | {"email": who["email"] or ""}, profile=profile)


_BY_ID = Prepared(select_people().where(users_table.c.id == bindparam("id")), ["id"])


def find_person(transaction: Transaction, user_id: UUID) -> Person | None:
    """The person with this id."""
    rows = _BY_ID.read(transaction.connection, user_id.bytes)
    return person_of(rows[0]) if rows else None


def find_person_by_name(transaction: Transaction, name: str) -> Person | None:
    """The person of this name, whatever the case."""
    return _one(transaction, users_table.c.handle == name.lower())


def find_person_by_email(transaction: Transaction, email: str) -> Person | None:
    """The person with this address, whatever the case."""
    return _one(transaction, users_table.c.email_folded == fold_email(email))


def find_people(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, Person]:
    """People by id; those who are not there are left out."""
    if not ids:
        return {}
    rows = transaction.connection.execute(select_people().where(users_table.c.id.in_(ids))).mappings()
    return {person.id: person for person in map(person_of, rows)}


def list_people(transaction: Transaction, query: Select[Any]) -> Sequence[Person]:
    """The people that a query made of `select_people` gives, in its order."""
    return [person_of(row) for row in transaction.connection.execute(query).mappings()]


def change_profile(transaction: Transaction, person: Person, **changes: Any) -> Person:
    """Store what is different about somebody's profile, making it where there was none; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    profile = msgspec.structs.replace(person.profile, **changes)
    changed = update(profiles).where(profiles.c.user_id == person.id).values(changes)
    if not transaction.connection.execute(changed).rowcount:
        row = msgspec.structs.asdict(profile) | {"user_id": person.id}
        transaction.connection.execute(insert(profiles).values(row))
    return msgspec.structs.replace(person, profile=profile)


def _one(transaction: Transaction, condition: ColumnElement[bool]) -> Person | None:
    row = transaction.connection.execute(select_people().where(condition)).mappings().one_or_none()
    return None if row is None else person_of(row)
