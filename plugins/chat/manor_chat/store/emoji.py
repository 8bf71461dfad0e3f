"""Custom emoji, as rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, delete, insert, select, update

from manor import Transaction
from manor_chat.store.files import known_ids
from manor_chat.store.posts import portions
from manor_chat.tables.emoji import emojis


class Emoji(msgspec.Struct, frozen=True, kw_only=True):
    """An emoji that somebody made; see the table."""

    id: UUID
    name: str
    creator_id: UUID
    create_at: int
    update_at: int
    blob: str
    mime_type: str


def add_emoji(transaction: Transaction, emoji: Emoji) -> None:
    """Have a new one; nobody else's has its name."""
    transaction.connection.execute(insert(emojis).values(msgspec.structs.asdict(emoji)))


def find_emoji(transaction: Transaction, emoji_id: UUID) -> Emoji | None:
    """The emoji with this id."""
    return _first(transaction, select(emojis).where(emojis.c.id == emoji_id))


def find_emoji_by_name(transaction: Transaction, name: str) -> Emoji | None:
    """The emoji with this name, written just so."""
    return _first(transaction, select(emojis).where(emojis.c.name == name))


def find_by_names(transaction: Transaction, names: Collection[str]) -> list[Emoji]:
    """Those that have these names, by name; names of built-in emoji and of none are left out."""
    found = [
        each
        for some in portions(set(names))
        for each in _read(transaction, select(emojis).where(emojis.c.name.in_(some)))
    ]
    return sorted(found, key=lambda each: each.name)


def list_emojis(transaction: Transaction, *, by_name: bool, limit: int, offset: int) -> list[Emoji]:
    """Some of all emoji, by name or the oldest first."""
    query = select(emojis).order_by(emojis.c.name if by_name else emojis.c.id).limit(limit).offset(offset)
    return _read(transaction, query)


def search_emojis(transaction: Transaction, term: str, *, prefix_only: bool, limit: int) -> list[Emoji]:
    """Those whose names have a text in them, whatever its case; those that begin with it come first."""
    begins = emojis.c.name.istartswith(term, autoescape=True)
    fits = begins if prefix_only else emojis.c.name.icontains(term, autoescape=True)
    query = select(emojis).where(fits).order_by(begins.desc(), emojis.c.name).limit(limit)
    return _read(transaction, query)


def known_emojis(transaction: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that emoji have."""
    return known_ids(transaction, emojis.c.id, ids)


def remove_emoji(transaction: Transaction, emoji_id: UUID) -> None:
    """Have it no more."""
    transaction.connection.execute(delete(emojis).where(emojis.c.id == emoji_id))


def give_emojis(transaction: Transaction, creator_id: UUID, to: UUID, limit: int) -> int:
    """Have at most so many emoji of one person be another's; how many are."""
    some = select(emojis.c.id).where(emojis.c.creator_id == creator_id).limit(limit)
    return transaction.connection.execute(update(emojis).where(emojis.c.id.in_(some)).values(creator_id=to)).rowcount


def _first(transaction: Transaction, query: Select[Any]) -> Emoji | None:
    return next(iter(_read(transaction, query)), None)


def _read(transaction: Transaction, query: Select[Any]) -> list[Emoji]:
    return [Emoji(**row) for row in transaction.connection.execute(query).mappings()]
