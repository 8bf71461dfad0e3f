"""What clients are told about people, whoever changed them: chat itself, another API, or an administrator's shell."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, func, insert, select, update

from manor import Transaction, users_table
from manor_chat.config import ChatConfig
from manor_chat.ids import shown_id
from manor_chat.people.showing import show_to_others, show_to_themselves
from manor_chat.store.people import Person, change_profile, find_person
from manor_chat.tables.accounts import people_told
from manor_chat.telling import tell
from manor_chat.times import to_milliseconds

_TOLD = ("handle", "email", "is_active", "is_admin", "is_verified")


def tell_changes(
    transaction: Transaction, before: Person, config: ChatConfig, *, is_new: bool = False, **profile: Any
) -> Person:
    """Note what is different about somebody, whose row may have changed in this transaction, and tell everybody.

    Args:
        transaction: The caller's.
        before: As they were known until now.
        config: Says what others see.
        is_new: Nobody knew them until now.
        profile: What is different about their profile.

    Returns:
        The person as they are now.
    """
    person = find_person(transaction, before.id) or before
    if person.is_active != before.is_active:
        profile["delete_at"] = 0 if person.is_active else to_milliseconds(transaction.now)
    person = change_profile(transaction, person, **profile)
    _note(transaction, person)
    if is_new:
        tell(transaction, "new_user", {"user_id": shown_id(person.id)})
        return person
    _tell_updated(transaction, person, config)
    if person.is_active != before.is_active:
        tell(transaction, "user_activation_status_change", {})
    if person.roles != before.roles:
        data = {"user_id": shown_id(person.id), "roles": " ".join(person.roles)}
        tell(transaction, "user_role_updated", data, user_id=person.id)
    return person


def catch_up(transaction: Transaction, user_id: UUID, config: ChatConfig) -> None:
    """Tell what another API changed about somebody; nothing when all of it was told."""
    person = find_person(transaction, user_id)
    if person is None or person.is_system:
        return
    query = select(people_told).where(people_told.c.user_id == user_id)
    told = transaction.connection.execute(query).mappings().one_or_none()
    if told is None:
        tell_changes(transaction, person, config, is_new=True)
        return
    before = _as_told(person, told)
    if before != person:
        tell_changes(transaction, before, config)


def note_everybody(transaction: Transaction) -> None:
    """Take those who were here before chat was as known: they are no news."""
    missing = (
        select(users_table.c.id, *(_column(name) for name in _TOLD))
        .join(people_told, people_told.c.user_id == users_table.c.id, isouter=True)
        .where(people_told.c.user_id.is_(None), users_table.c.is_system.is_(False))
    )
    transaction.connection.execute(insert(people_told).from_select(["user_id", *_TOLD], missing))


def _column(name: str) -> Any:
    column = users_table.c[name]
    return func.coalesce(column, "") if name == "email" else column


def _as_told(person: Person, told: RowMapping) -> Person:
    """Somebody as clients know them."""
    return msgspec.structs.replace(person, **{name: told[name] for name in _TOLD})


def _note(transaction: Transaction, person: Person) -> None:
    values = {name: getattr(person, name) for name in _TOLD}
    changed = update(people_told).where(people_told.c.user_id == person.id).values(values)
    if not transaction.connection.execute(changed).rowcount:
        transaction.connection.execute(insert(people_told).values(values | {"user_id": person.id}))


def _tell_updated(transaction: Transaction, person: Person, config: ChatConfig) -> None:
    """Three events of one name: administrators hear all of it, others what they may see, and the person themselves."""
    whole = show_to_themselves(transaction, person)
    tell(transaction, "user_updated", {"user": whole}, omit_users=[person.id], audience="admins")
    seen = show_to_others(transaction, person, config)
    tell(transaction, "user_updated", {"user": seen}, omit_users=[person.id], audience="others")
    tell(transaction, "user_updated", {"user": whole}, user_id=person.id)
