"""Finding people by the beginnings of what they are called."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_

from manor import Transaction, users_table
from manor_chat.config import ChatConfig
from manor_chat.people.listing import everybody
from manor_chat.rights import Rights
from manor_chat.store.people import Person, list_people, select_people
from manor_chat.tables.people import profiles

LIMIT = 100
MOST = 1000
LONGEST_TERM = 200

_MOST_WORDS = 8


def search_people(
    transaction: Transaction,
    rights: Rights,
    config: ChatConfig,
    term: str,
    *conditions: ColumnElement[bool],
    limit: int = LIMIT,
    with_inactive: bool = False,
) -> Sequence[Person]:
    """People by name whose names begin with what was typed: each word is the beginning of one of somebody's names.

    Names are the username, the nickname and, where the configuration shows them, first and last name and address.

    Args:
        transaction: The caller's.
        rights: The caller's: administrators find by all names.
        config: The plugin's.
        term: What was typed; `@ann` is `ann`, and nothing finds everybody.
        conditions: Whom it is looked for among.
        limit: How many are found at most.
        with_inactive: Whether the deactivated are found.
    """
    sees_all = rights.may("manage_system")
    # SQLite ends a pattern at a NUL: it would find everybody.
    typed = term[:LONGEST_TERM].replace("\0", "\ufffd")
    words = [word.removeprefix("@") for word in typed.split()][:_MOST_WORDS]
    matching = [
        _begins(word, emails=sees_all or config.show_email_addresses, names=sees_all or config.show_full_names)
        for word in words
        if word
    ]
    query = select_people().where(everybody(), *conditions, *matching)
    if not with_inactive:
        query = query.where(users_table.c.is_active.is_(True))
    return list_people(transaction, query.order_by(users_table.c.handle).limit(limit))


def _begins(word: str, *, emails: bool, names: bool) -> ColumnElement[bool]:
    found = [users_table.c.handle.startswith(word.lower(), autoescape=True)]
    if emails:
        found.append(users_table.c.email.istartswith(word, autoescape=True))
    columns = [profiles.c.nickname, *((profiles.c.first_name, profiles.c.last_name) if names else ())]
    # SQLite folds the case of ASCII alone: other words are looked for as people write them.
    spellings = {word} if word.isascii() else {word, word.lower(), word.capitalize(), word.upper()}
    for spelling in sorted(spellings):
        for column in columns:
            found.append(column.istartswith(spelling, autoescape=True))
            found.append(column.icontains(f" {spelling}", autoescape=True))
    return or_(*found)
