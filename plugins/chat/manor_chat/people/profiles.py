"""What people change about themselves, and administrators about everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, insert

from manor import Transaction, mark_verified, update_user
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.domain import people_rules as rules
from manor_chat.domain.names import NICKNAME, PERSON_NAME, POSITION
from manor_chat.people.checking import checked_email, checked_username, invalid, refusals_of_chat
from manor_chat.people.news import tell_changes
from manor_chat.store.people import Person, find_person
from manor_chat.tables.people import mention_keys

_TEXTS = {"nickname": NICKNAME, "first_name": PERSON_NAME, "last_name": PERSON_NAME, "position": POSITION}


class ProfileBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of somebody; what is left out, or null, stays as it is."""

    email: str | UnsetType | None = UNSET
    username: str | UnsetType | None = UNSET
    nickname: str | UnsetType | None = UNSET
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    position: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    props: dict[str, str] | UnsetType | None = UNSET
    notify_props: dict[str, str] | UnsetType | None = UNSET
    timezone: dict[str, str] | UnsetType | None = UNSET
    password: str | UnsetType | None = UNSET

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return "ProfileBody(…)"


def given(value: Any) -> bool:
    """Whether a member was sent."""
    return value is not UNSET and value is not None


def changes_of(body: ProfileBody) -> dict[str, Any]:
    """What a request changes about a profile.

    Raises:
        BadRequest: 400: something cannot be that.
    """
    changes: dict[str, Any] = {}
    for name, longest in _TEXTS.items():
        value = getattr(body, name)
        if given(value):
            if len(value) > longest:
                raise invalid(name)
            changes[name] = value
    if isinstance(body.locale, str):
        if body.locale and not rules.is_locale(body.locale):
            raise invalid("locale")
        changes["locale"] = body.locale or "en"
    for name, longest in (("props", rules.PROPS), ("notify_props", rules.NOTIFY_PROPS)):
        value = getattr(body, name)
        if given(value):
            if rules.size_of(value) > longest:
                raise faults.bad_body_param(name)
            changes[name] = value
    if isinstance(body.timezone, dict):
        if rules.size_of(body.timezone) > rules.NOTIFY_PROPS:
            raise faults.bad_body_param("timezone")
        changes["timezone"] = {
            name: body.timezone[name] for name in sorted(rules.TIMEZONE_MEMBERS & set(body.timezone))
        }
    return changes


def is_new_email(person: Person, body: ProfileBody) -> bool:
    """Whether a request changes somebody's address."""
    return isinstance(body.email, str) and body.email.strip().lower() != person.email.lower()


def change_person(
    transaction: Transaction, person: Person, body: ProfileBody, config: ChatConfig, *, by_admin: bool = False
) -> Person:
    """Change somebody as a request says; who may was checked.

    Args:
        transaction: The caller's.
        person: Who.
        body: What.
        config: The plugin's.
        by_admin: Whether an administrator does it for somebody else: a new address is known to be theirs then.

    Returns:
        The person as they are now.

    Raises:
        BadRequest: 400: something cannot be that, or somebody else has it.
        Forbidden: 403: it is the server itself.
    """
    changes = changes_of(body)
    username = email = None
    if isinstance(body.username, str) and body.username.strip().lower() != person.handle:
        username = checked_username(body.username)
    if is_new_email(person, body) and isinstance(body.email, str):
        if person.is_bot:
            # It has no mailbox; and an address that its owner makes up is somebody's.
            raise invalid("email")
        email = checked_email(body.email)
    with refusals_of_chat():
        if username is not None or email is not None:
            update_user(transaction, person.id, username=username, email=email)
        if email is not None and by_admin:
            mark_verified(transaction, person.id)
    if username is not None:
        props: Mapping[str, str] = changes.get("notify_props", person.profile.notify_props)
        if props.get("mention_keys"):
            renamed = rules.renamed_keys(props["mention_keys"], person.handle, username)
            changes["notify_props"] = {**props, "mention_keys": renamed}
    if person.is_system:
        raise faults.no_permission()
    changed = tell_changes(transaction, person, config, **changes)
    if {"notify_props", "first_name"} & set(changes):
        keep_mention_keys(transaction, changed)
    return changed


def keep_mention_keys(transaction: Transaction, person: Person) -> None:
    """Keep the words that somebody wants to hear of where posts are compared with them."""
    transaction.connection.execute(delete(mention_keys).where(mention_keys.c.user_id == person.id))
    words = rules.words_heard(person.profile.notify_props, person.profile.first_name)
    if words:
        rows = [{"key": word, "user_id": person.id} for word in sorted(words)]
        transaction.connection.execute(insert(mention_keys), rows)


def existing_person(transaction: Transaction, user_id: UUID) -> Person:
    """The person with this id.

    Raises:
        NotFound: 404.
    """
    person = find_person(transaction, user_id)
    if person is None:
        raise faults.missing_user()
    return person
