"""The topics that somebody may care about, and the search through all of them."""

from __future__ import annotations

from functools import partial

import msgspec

from manor import PUBLIC, Reply, Request, Route
from manor_topics import store
from manor_topics.pages.face import HOME, MOST_LISTED, SIGNED_IN, TOPIC_PAGES, Face
from manor_topics.pages.finding import Finding, Words
from manor_topics.parts import Shared
from manor_topics.subscriptions import Subscriptions

DONE = {"deleted": "The topic is deleted."}

SEARCH = "/app/search"


class ListQuery(msgspec.Struct, frozen=True):
    """Which part of the public ones, and what was done last."""

    offset: str = ""
    done: str = ""

    @property
    def start(self) -> int:
        """How many come before it."""
        return int(self.offset) if self.offset.isascii() and self.offset.isdigit() and len(self.offset) < 9 else 0


class ListPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        finding: Searches.
    """

    def __init__(self, shared: Shared, face: Face, finding: Finding) -> None:
        self._shared = shared
        self._face = face
        self._finding = finding
        self._subscriptions = Subscriptions(shared)

    def routes(self) -> list[Route]:
        """The list, and the search."""
        page = partial(self._face.pages.page, "GET", api=TOPIC_PAGES, returns=Reply)
        return [
            page(HOME, self.show, access=PUBLIC, query=ListQuery),
            page(SEARCH, self.search, access=SIGNED_IN, query=Words),
        ]

    async def show(self, request: Request[None, ListQuery]) -> Reply:
        """Those that one is subscribed to, one's own, and the public ones that are meant to be found."""
        shared, start = self._shared, request.query.start
        caller = await shared.callers.find(request.principals)
        subscribed = await self._subscriptions.listed(request.principals) if caller.people else []
        heard = {subscription.topic_id for subscription in subscribed}
        own = await shared.context.storage.read(
            lambda transaction: store.list_of(
                transaction.connection, owners=caller.people, teams=caller.teams, limit=MOST_LISTED, offset=0
            )
        )
        public = await shared.reading.list_public(limit=MOST_LISTED + 1, offset=start)
        return self._face.show(
            request,
            "topics.html",
            subscribed=subscribed,
            own=[topic for topic in own if topic.id not in heard] if caller.people else [],
            public=public[:MOST_LISTED],
            older=f"?offset={start + MOST_LISTED}" if len(public) > MOST_LISTED else "",
            newer=f"?offset={max(0, start - MOST_LISTED)}" if start else "",
            done=DONE.get(request.query.done, ""),
        )

    async def search(self, request: Request[None, Words]) -> Reply:
        """Messages of all topics that somebody cares about."""
        words, found, trouble = request.query, None, ""
        if words.is_asking:
            found, trouble = await self._finding.everywhere(request.principals, words)
        return self._face.show(request, "search.html", query=words, found=found, search_trouble=trouble)
