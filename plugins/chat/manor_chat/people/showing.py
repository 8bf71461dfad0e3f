"""People as somebody sees them, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Transaction, have_totp
from manor_chat.config import ChatConfig
from manor_chat.rights import Rights
from manor_chat.store.bots import find_bots
from manor_chat.store.people import Person
from manor_chat.wire.people import UserShown, show_user


def show_people(
    transaction: Transaction, people: Sequence[Person], rights: Rights, config: ChatConfig
) -> list[UserShown]:
    """People in the same order: oneself whole, and everybody to administrators; others as the configuration says."""
    is_admin = rights.may("manage_system")
    whole = {person.id for person in people if is_admin or person.id == rights.user_id}
    guarded = have_totp(transaction, whole)
    bots = find_bots(transaction, [person.id for person in people if person.is_bot])
    return [
        show_user(
            person,
            whole=person.id in whole,
            shows_email=config.show_email_addresses,
            shows_name=config.show_full_names,
            has_mfa=person.id in guarded,
            bot_description=bots[person.id].description if person.id in bots else "",
        )
        for person in people
    ]


def show_person(transaction: Transaction, person: Person, rights: Rights, config: ChatConfig) -> UserShown:
    """One of them."""
    return show_people(transaction, [person], rights, config)[0]


def show_to_themselves(transaction: Transaction, person: Person) -> UserShown:
    """Somebody as they see themselves."""
    bot = find_bots(transaction, [person.id] if person.is_bot else []).get(person.id)
    return show_user(
        person,
        whole=True,
        has_mfa=bool(have_totp(transaction, [person.id])),
        bot_description="" if bot is None else bot.description,
    )


def show_to_others(transaction: Transaction, person: Person, config: ChatConfig) -> UserShown:
    """Somebody as those see them who are neither they nor administrators."""
    bot = find_bots(transaction, [person.id] if person.is_bot else []).get(person.id)
    return show_user(
        person,
        whole=False,
        shows_email=config.show_email_addresses,
        shows_name=config.show_full_names,
        bot_description="" if bot is None else bot.description,
    )
