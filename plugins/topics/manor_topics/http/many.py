"""Streams of many topics over HTTP, and the sessions that make them last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import PUBLIC, Live, Query, Request, Route, Transaction, Unauthorized
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, read_id
from manor_topics.http.api import KINDS, NOTIFER, SIGNED_IN, STREAM_PLACES
from manor_topics.http.streams import LAST_EVENT_ID, SCOPE, last_event_id
from manor_topics.live import Listener, Rejected
from manor_topics.parts import Shared
from manor_topics.rights import in_scope
from manor_topics.streams.choosing import MOST_TOPICS, Chosen, choose
from manor_topics.streams.limit import StreamLimit
from manor_topics.streams.merging import Start, before_newest, begin, position_in
from manor_topics.streams.sessions import STREAM_SESSION, Sessions
from manor_topics.streams.watching import Watched

MANY = replace(NOTIFER, name="notifer streams", kinds=KINDS | {STREAM_SESSION})
"""The same API, where a stream session opens what it was made for."""

_SESSION_PLACE = Query("session")


class NewSession(msgspec.Struct, frozen=True):
    """Which topics, and the last message that the client has of some of them."""

    topics: Annotated[list[str], Meta(min_length=1, max_length=MOST_TOPICS)]
    since_id: dict[str, UUID] | None = None


class SessionMade(msgspec.Struct, frozen=True):
    """A session: what to open it with, what it hears, and for how many seconds it waits."""

    session_id: str
    topics: list[str]
    expires_in: int
    rejected: list[Rejected]


class ManyQuery(msgspec.Struct, frozen=True):
    """What is heard: a session's topics, or those that are named, with commas between them; and since when."""

    session: str | None = None
    topics: str | None = None
    since_id: str | None = None
    events: Literal["message"] | None = None


class ManyHandlers:
    """Streams of many topics.

    Args:
        shared: What all parts use.
        limit: Counts open streams.
        sessions: Knows sessions.
    """

    def __init__(self, shared: Shared, limit: StreamLimit, sessions: Sessions) -> None:
        self._shared = shared
        self._limit = limit
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Where they stand."""
        return [
            Route(
                "GET",
                "/sse",
                self.hear,
                api=MANY,
                access=PUBLIC,
                query=ManyQuery,
                returns=Live,
                headers=LAST_EVENT_ID,
                places=(*STREAM_PLACES, _SESSION_PLACE),
                errors=(404,),
                tag=NOTIFER.name,
            ),
            Route(
                "POST",
                "/api/sse/sessions",
                self.make_session,
                api=NOTIFER,
                access=SIGNED_IN,
                body=NewSession,
                returns=SessionMade,
                errors=(404,),
            ),
        ]

    async def make_session(self, request: Request[NewSession]) -> SessionMade:
        """Make a session: a stream of many topics that a browser may open again and again."""
        body, since = request.body, request.body.since_id or {}
        for reference in since:
            if reference not in body.topics:
                raise refusal(Misfit("since_id", f"names '{reference[:64]}', which is none of the topics"))
        made = await self._sessions.make(body.topics, since, in_scope(request.principals, SCOPE))
        return SessionMade(made.secret, list(made.topics), made.seconds, list(made.rejected))

    async def hear(self, request: Request[None, ManyQuery]) -> Live:
        """Hear many topics over one stream: a session's, or those that are named."""
        query = request.query
        if bool(query.session) == bool(query.topics):
            raise refusal(Misfit("session", "or topics is needed, one of them"))
        checked = self._shared.streams.watch.changes
        last = last_event_id(request.headers)
        principals = in_scope(request.principals, SCOPE)
        by_session = [principal for principal in principals if principal.kind == STREAM_SESSION]
        if bool(query.session) != (len(by_session) == 1):
            # A session's secret stands in its own place, and nothing else does.
            raise Unauthorized("The stream session is unknown or over")
        resumed = None
        if query.session:
            resumed = await self._sessions.resume(by_session[0], principals, last)
            chosen, start = resumed.chosen, resumed.start
        else:
            references = _references(query.topics or "")
            since = _since(query.since_id or "", references)
            chosen = await choose(self._shared, references, principals)
            start = await self._start(chosen, since, last)
        released = await self._limit.hold(principals, request.head.address, chosen.topics[0])
        connection = None if resumed is None else self._sessions.connected(resumed)

        def over() -> None:
            released()
            if connection is not None:
                self._sessions.left(connection)

        listener = Listener(
            principals=principals, checked=checked, messages_only=query.events is not None, released=over
        )
        live = self._shared.streams.open_many(chosen.topics, start, listener, rejected=chosen.rejected)
        if connection is not None:
            assert isinstance(live.source, Watched), "all streams are watched"
            connection.is_heard_over(live.source)
        return live

    async def _start(self, chosen: Chosen, since: Mapping[str, UUID], last: UUID | None) -> Start:
        had = {chosen.named[reference].id: id_ for reference, id_ in since.items() if reference in chosen.named}
        ids, most = [topic.id for topic in chosen.topics], self._shared.config.replay_max

        def work(transaction: Transaction) -> Start:
            connection, now = transaction.connection, transaction.now
            start = begin(connection, ids, had, most=most, now=now)
            if last is None:
                return start
            place = position_in(connection, ids, last, now=now)
            if place is None:
                return start.behind(before_newest(connection, ids, most, now=now)).with_gap()
            return start.behind(place)

        return await self._shared.context.storage.read(work)


def _references(text: str) -> list[str]:
    found = [word for part in text.split(",") if (word := part.strip())]
    if not 1 <= len(found) <= MOST_TOPICS:
        raise refusal(Misfit("topics", f"is 1 to {MOST_TOPICS} names of topics, with commas between them"))
    return found


def _since(text: str, references: list[str]) -> dict[str, UUID]:
    found = {}
    for pair in text.split(",") if text else ():
        reference, _, written = pair.strip().rpartition(":")
        id_ = read_id(written.lower())
        if id_ is None or reference not in references:
            raise refusal(Misfit("since_id", "is TOPIC:ID, the last message of one of the topics, or several of these"))
        found[reference] = id_
    return found
