"""What people are given of their topics, messages and tokens, and how all of it goes with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, and_, delete, or_, select, tuple_

from manor import Storage, Transaction, find_team, list_credentials, list_teams
from manor_topics import store
from manor_topics.changing import update_topic
from manor_topics.clearing_tables import clearings
from manor_topics.deleting import clear, delete_topic
from manor_topics.domain import Topic
from manor_topics.message_store import COLUMNS, read_message
from manor_topics.parts import Part
from manor_topics.removing import remove
from manor_topics.rights import TOPIC_TOKEN
from manor_topics.tables import daily, messages, topics

SECTIONS = ("topics", "messages", "topic_access_tokens")

TOPICS_AT_ONCE = 20
"""How many topics one transaction deletes: each has subscriptions, tokens and more that go with it."""


class TokenExported(msgspec.Struct, frozen=True, kw_only=True):
    """A topic access token that somebody made, without its secret."""

    id: UUID
    name: str
    topic_id: UUID | None
    permissions: tuple[str, ...]
    token_prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


# --- Export --------------------------------------------------------------------------------------------------------


async def export(storage: Storage, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
    """Somebody's topics; what they published, and what others published in these topics; the tokens that they made.

    Everything is read on its way out: nobody's messages are held in memory.
    """
    async with storage.stream(store.listing_of(user_id)) as listed:
        async for row in listed:
            yield "topics", store.read_listed(row)
    own = messages.c.publisher_id == user_id
    # Said as two statements, each with an index of its own.
    others = and_(
        messages.c.topic_id.in_(select(topics.c.id).where(topics.c.owner_id == user_id)),
        or_(messages.c.publisher_id.is_(None), messages.c.publisher_id != user_id),
    )
    for condition in (own, others):
        async with storage.stream(_named().where(condition)) as rows:
            async for row in rows:
                yield "messages", read_message(row, row.topic or "")
    tokens = await storage.read(lambda transaction: list_credentials(transaction, kind=TOPIC_TOKEN, user_id=user_id))
    for token in tokens:
        yield (
            "topic_access_tokens",
            TokenExported(
                id=token.id,
                name=token.label,
                topic_id=token.resource,
                permissions=token.scopes,
                token_prefix=token.prefix,
                created_at=token.created_at,
                expires_at=token.expires_at,
                last_used_at=token.last_used_at,
                revoked_at=token.revoked_at,
            ),
        )


def _named() -> Select[*tuple[Any, ...]]:
    """Messages, each with its topic's name, which one whose topic is being removed has no more."""
    return select(*COLUMNS, topics.c.name.label("topic")).join_from(
        messages, topics, topics.c.id == messages.c.topic_id, isouter=True
    )


# --- Erasure -------------------------------------------------------------------------------------------------------


def erase(transaction: Transaction, user_id: UUID, limit: int, parts: Sequence[Part]) -> int:
    """Remove somebody's topics with all that is in them, their messages elsewhere, and what is counted for them.

    Tokens that they made are the core's, which removes them. Topics of teams stay with the team: it has another owner,
    or it is deleted, and then they are theirs alone.

    Returns:
        How many rows are gone, `limit` at most; 0 when none is left.
    """
    gone = _leave_topics(transaction, user_id, min(limit, TOPICS_AT_ONCE), parts)
    if gone < limit:
        gone += _clear_topics(transaction, user_id, limit - gone)
    if gone < limit:
        gone += remove(transaction, messages.c.publisher_id == user_id, limit - gone)
    if gone < limit:
        gone += _forget(transaction, user_id, limit - gone)
    return gone


def _leave_topics(transaction: Transaction, user_id: UUID, limit: int, parts: Sequence[Part]) -> int:
    # A team that has no other owner yet gets one before the next round, or is deleted.
    still_theirs = [team.id for team in list_teams(transaction, user_id) if team.owner_id == user_id]
    owned = store.owned_by(transaction.connection, user_id, but=still_theirs, limit=limit)
    for topic in owned:
        heir = _heir(transaction, topic)
        if heir is None:
            delete_topic(transaction, topic, parts)
        else:
            update_topic(transaction, topic, msgspec.structs.replace(topic, owner_id=heir))
    return len(owned)


def _heir(transaction: Transaction, topic: Topic) -> UUID | None:
    team = None if topic.team_id is None else find_team(transaction, team_id=topic.team_id)
    return None if team is None else team.owner_id


def _clear_topics(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Remove messages of topics that were theirs: the job that does so too may come much later."""
    query = select(clearings.c.topic_id).where(clearings.c.owner_id == user_id).limit(1)
    topic_id = transaction.connection.execute(query).scalar_one_or_none()
    if topic_id is None:
        return 0
    gone = clear(transaction, topic_id, limit)
    # The topic itself was one more.
    return gone if gone == limit else gone + 1


def _forget(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Remove what is counted for them; the keys that they published with went with their messages."""
    key = tuple(daily.primary_key)
    some = select(*key).where(daily.c.payer_id == user_id).limit(limit)
    return transaction.connection.execute(delete(daily).where(tuple_(*key).in_(some))).rowcount
