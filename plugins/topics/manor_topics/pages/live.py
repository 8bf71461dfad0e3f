"""What comes while a topic's page is open: the same stream as the API's, on a route that browsers' sessions open."""

from __future__ import annotations

import msgspec

from manor import PUBLIC, Live, Request, Route
from manor_topics.domain import read_id
from manor_topics.http.streams import last_event_id
from manor_topics.live import Listener
from manor_topics.pages.face import HOME, TOPIC_PAGES, Face, able
from manor_topics.parts import Shared
from manor_topics.since import Since, SinceBeginning, SinceMessage
from manor_topics.streams.limit import StreamLimit


class LiveQuery(msgspec.Struct, frozen=True):
    """The newest message that the page shows; empty when it shows none."""

    after: str = ""


class LivePages:
    """The stream behind a topic's page.

    Args:
        shared: What all parts use.
        face: Guards pages.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        self._shared = shared
        self._face = face
        self._limit = StreamLimit(shared.context.limits, shared.payers)

    def routes(self) -> list[Route]:
        """As server-sent events."""
        path = f"{HOME}/{{topic}}/live"
        page = self._face.pages.page
        return [page("GET", path, self.hear, api=TOPIC_PAGES, access=PUBLIC, query=LiveQuery, returns=Live)]

    async def hear(self, request: Request[None, LiveQuery]) -> Live:
        """Hear what came since the page was made, or since the last message that the browser had, and what comes."""
        shared = self._shared
        # Before the right is looked up: what changes from here on is looked at again once the stream is attached.
        checked = shared.streams.watch.changes
        topic = await shared.reading.topic(request.params["topic"], request.principals)
        start = await shared.reading.start(topic, _since(request))
        released = await self._limit.hold(request.principals, request.head.address, topic)
        listener = Listener(principals=able(request.principals), checked=checked, released=released)
        return shared.streams.open(topic, start.cursor, listener, has_gap=start.has_gap)


def _since(request: Request[None, LiveQuery]) -> Since:
    last = last_event_id(request.headers) or read_id(request.query.after)
    return SinceBeginning() if last is None else SinceMessage(last)
