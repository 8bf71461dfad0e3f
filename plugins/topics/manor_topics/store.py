"""Questions asked of topics."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, or_, select, update

from manor_topics.domain import Topic
from manor_topics.messages import TopicListed
from manor_topics.tables import topics

_AnyRow = Row[*tuple[Any, ...]]
_OWN = tuple(topics.c[name] for name in Topic.__struct_fields__)
_COUNTERS = (topics.c.message_count, topics.c.subscriber_count, topics.c.last_message_at)


def find_topic(connection: Connection, reference: UUID | str) -> Topic | None:
    """The topic of that id or name."""
    column = topics.c.id if isinstance(reference, UUID) else topics.c.name
    row = connection.execute(select(*_OWN).where(column == reference)).one_or_none()
    return None if row is None else Topic(*row)


def find_listed(connection: Connection, topic_id: UUID) -> TopicListed | None:
    """The topic with its counters."""
    row = connection.execute(_listing().where(topics.c.id == topic_id)).one_or_none()
    return None if row is None else read_listed(row)


def list_topics(
    connection: Connection,
    *,
    discoverable_only: bool,
    owners: Collection[UUID],
    teams: Collection[UUID],
    reads_all: bool,
    limit: int,
    offset: int,
) -> list[TopicListed]:
    """Topics that someone may read, those with the newest messages first, then by name.

    Args:
        connection: Of a reading transaction.
        discoverable_only: Leave out public topics that are not discoverable.
        owners: Whose private topics are listed too.
        teams: The teams whose private topics are listed too.
        reads_all: List every private topic.
        limit: How many at most.
        offset: How many to skip.
    """
    is_shown: ColumnElement[bool] = topics.c.access_level == "public"
    if discoverable_only:
        is_shown = and_(is_shown, topics.c.is_discoverable)
    if reads_all:
        is_shown = or_(is_shown, topics.c.access_level == "private")
    else:
        is_shown = or_(is_shown, of_people(owners, teams))
    return _page(connection, is_shown, limit=limit, offset=offset)


def list_of(
    connection: Connection, *, owners: Collection[UUID], teams: Collection[UUID], limit: int, offset: int
) -> list[TopicListed]:
    """The topics that somebody owns, and those of these teams, in the same order."""
    return _page(connection, of_people(owners, teams), limit=limit, offset=offset)


def count_owned(connection: Connection, owner_id: UUID) -> int:
    """How many topics somebody owns."""
    return connection.execute(
        select(func.count()).select_from(topics).where(topics.c.owner_id == owner_id)
    ).scalar_one()


def listing_of(owner_id: UUID) -> Select[*tuple[Any, ...]]:
    """The statement that brings somebody's topics, oldest first; `read_listed` reads its rows."""
    return _listing().where(topics.c.owner_id == owner_id).order_by(topics.c.id)


def owned_by(connection: Connection, owner_id: UUID, *, but: Collection[UUID], limit: int) -> list[Topic]:
    """Some of the topics that somebody owns, without those of some teams."""
    is_left = or_(topics.c.team_id.is_(None), topics.c.team_id.not_in(but))
    statement = select(*_OWN).where(topics.c.owner_id == owner_id, is_left).limit(limit)
    return [Topic(*row) for row in connection.execute(statement)]


def of_team(connection: Connection, team_id: UUID, limit: int) -> list[Topic]:
    """Some of a team's topics."""
    statement = select(*_OWN).where(topics.c.team_id == team_id).limit(limit)
    return [Topic(*row) for row in connection.execute(statement)]


def teams_with_topics(connection: Connection) -> list[UUID]:
    """The teams that topics name, also those that are gone."""
    return [*connection.execute(select(topics.c.team_id).where(topics.c.team_id.is_not(None)).distinct()).scalars()]


def add_topic(connection: Connection, topic: Topic) -> None:
    """Store a new topic. The caller has seen that its name is free."""
    counters = {"last_sequence": 0, "message_count": 0, "subscriber_count": 0}
    connection.execute(insert(topics).values({**msgspec.structs.asdict(topic), **counters}))


def change_topic(connection: Connection, topic: Topic) -> None:
    """Store what somebody has changed about a topic. The caller has seen that its name is free."""
    connection.execute(update(topics).where(topics.c.id == topic.id).values(msgspec.structs.asdict(topic)))


def remove_topic(connection: Connection, topic_id: UUID) -> None:
    """Remove a topic's row."""
    connection.execute(delete(topics).where(topics.c.id == topic_id))


def named_like(connection: Connection, names: Collection[str]) -> list[Topic]:
    """The topics that have one of these names."""
    return [Topic(*row) for row in connection.execute(select(*_OWN).where(topics.c.name.in_(names)))]


def by_ids(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Topic]:
    """The topics of these ids, as many as there are."""
    return {row.id: Topic(*row) for row in connection.execute(select(*_OWN).where(topics.c.id.in_(ids)))}


def of_people(owners: Collection[UUID], teams: Collection[UUID]) -> ColumnElement[bool]:
    """Whether a topic is one of these people's or these teams'."""
    return or_(topics.c.owner_id.in_(owners), topics.c.team_id.in_(teams))


def _page(connection: Connection, is_shown: ColumnElement[bool], *, limit: int, offset: int) -> list[TopicListed]:
    statement = _listing().where(is_shown).order_by(topics.c.last_message_at.desc().nulls_last(), topics.c.name)
    return [read_listed(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def _listing() -> Select[*tuple[Any, ...]]:
    return select(*_OWN, *_COUNTERS)


def read_listed(row: _AnyRow) -> TopicListed:
    """A topic with its counters, of a row that a listing brought."""
    own: Sequence[Any] = row[: len(_OWN)]
    message_count, subscriber_count, last_message_at = row[len(_OWN) :]
    return TopicListed(
        **dict(zip(Topic.__struct_fields__, own, strict=True)),
        message_count=message_count,
        subscriber_count=subscriber_count,
        last_message_at=last_message_at,
    )
