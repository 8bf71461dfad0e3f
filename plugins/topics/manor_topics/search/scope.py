"""Which messages somebody searches among: topics, and how the index is asked for just these."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from manor_topics import subscriptions_store
from manor_topics.callers import Caller
from manor_topics.rights import TOPIC_TOKEN, can_read
from manor_topics.search import labels
from manor_topics.search.asking import Asked, But, Either, Term, either
from manor_topics.store import by_ids, of_people
from manor_topics.tables import topics

MOST_NAMED = 200
"""Topics that the index is asked for by name. Of more, each match's own topic is looked at."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search.

    Args:
        asked: What the index is asked for; None for all there is.
        topics: Ids of topics as JSON, in upper-case hexadecimal, that a match's row has to have; None for no such test.
        is_nowhere: Whether there is no topic at all to search in.
    """

    asked: Asked | None
    topics: str | None = None
    is_nowhere: bool = False


NOWHERE = Scope(None, is_nowhere=True)


def of_topics(ids: Collection[UUID]) -> Scope:
    """These topics and no others."""
    if not ids:
        return NOWHERE
    return Scope(_named(ids)) if len(ids) <= MOST_NAMED else _among(ids)


def of_caller(connection: Connection, caller: Caller) -> Scope:
    """What somebody may read and cares about: their own topics, their teams', those that they subscribed to.

    Without a credential: all public topics. A topic's token: that topic.
    """
    changed = _changed(connection)
    if caller.is_anonymous:
        if len(changed) <= MOST_NAMED:
            public = {id_ for id_, topic in by_ids(connection, changed).items() if topic.is_public}
            return Scope(_either(Term(labels.OPEN), changed, public))
        is_public = topics.c.access_level == "public"
        return _among(connection.execute(select(topics.c.id).where(is_public)).scalars().all())
    ids = ids_of_caller(connection, caller)
    if len(ids) <= MOST_NAMED:
        return of_topics(ids)
    theirs = [labels.of_owner(person) for person in caller.people] + [labels.of_team(team) for team in caller.teams]
    covered = set(connection.execute(select(topics.c.id).where(of_people(caller.people, caller.teams))).scalars())
    named = {id_ for id_ in ids if id_ in changed or id_ not in covered}
    if len(changed) + len(named) <= MOST_NAMED:
        return Scope(_either(either(theirs), changed, named))
    return _among(ids)


def ids_of_caller(connection: Connection, caller: Caller) -> set[UUID]:
    """The topics of a caller who has a credential."""
    found = set(connection.execute(select(topics.c.id).where(of_people(caller.people, caller.teams))).scalars())
    subscribed = by_ids(connection, subscriptions_store.topics_of(connection, caller.people) - found)
    found.update(id_ for id_, topic in subscribed.items() if can_read(topic, caller))
    found.update(
        principal.resource
        for principal in caller.principals
        if principal.kind == TOPIC_TOKEN and principal.resource is not None
    )
    return found


def _changed(connection: Connection) -> set[UUID]:
    """Topics whose messages' labels are not true any more; they are named one by one."""
    rows = connection.exec_driver_sql("SELECT topic_id FROM topics_search_places WHERE is_changed = 1 LIMIT 20000")
    return {UUID(bytes=row[0]) for row in rows}


def _either(labelled: Asked, changed: Collection[UUID], named: Collection[UUID]) -> Asked:
    asked = But(labelled, _named(changed)) if changed else labelled
    return Either((asked, _named(named))) if named else asked


def _named(ids: Collection[UUID]) -> Asked:
    return either(labels.of_topic(id_.bytes) for id_ in ids)


def _among(ids: Collection[UUID]) -> Scope:
    return Scope(None, json.dumps(sorted(id_.hex.upper() for id_ in ids))) if ids else NOWHERE
