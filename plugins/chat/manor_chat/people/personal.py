"""What chat keeps of a person besides what they wrote: shown to them whole, and removed when they are erased."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from manor import Transaction
from manor_chat.files.keeping import REMOVE_BLOBS, RemovedBlobs
from manor_chat.people.managing_bots import BotShown, show_bot
from manor_chat.people.showing import show_to_themselves
from manor_chat.store.bots import find_bots
from manor_chat.store.people import find_people, find_person
from manor_chat.tables.accounts import bots, disabled_tokens, people_told, session_devices
from manor_chat.tables.people import mention_keys, profiles

PROFILE = "chat_profile"
BOTS = "chat_bots"
SECTIONS = (PROFILE, BOTS)


def own_rows(transaction: Transaction, user_id: UUID) -> list[tuple[str, Any]]:
    """Somebody's profile, and the bots that they own."""
    person = find_person(transaction, user_id)
    if person is None:
        return []
    return [(PROFILE, show_to_themselves(transaction, person)), *((BOTS, bot) for bot in _bots(transaction, user_id))]


def remove_rows(transaction: Transaction, user_id: UUID) -> int:
    """Remove all of it, the picture too; how many rows there were. Their bots go on, and are anybody's no more."""
    query = select(profiles.c.picture).where(profiles.c.user_id == user_id, profiles.c.picture.is_not(None))
    picture = transaction.connection.execute(query).scalar_one_or_none()
    if picture is not None:
        remove_picture(transaction, picture)
    gone = 0
    for table in (profiles, mention_keys, session_devices, disabled_tokens, bots, people_told):
        gone += transaction.connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount
    return gone


def remove_picture(transaction: Transaction, key: str) -> None:
    """Have a picture gone that no profile names any more."""
    transaction.defer(REMOVE_BLOBS, RemovedBlobs([key]))


def _bots(transaction: Transaction, owner_id: UUID) -> list[BotShown]:
    query = select(bots.c.user_id).where(bots.c.owner_id == owner_id)
    ids = transaction.connection.execute(query).scalars().all()
    rows, people = find_bots(transaction, ids), find_people(transaction, ids)
    return [show_bot(people[id_], rows[id_]) for id_ in ids if id_ in people]
