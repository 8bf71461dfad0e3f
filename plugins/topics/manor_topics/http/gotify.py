"""Gotify's paths: a message to the topic whose token comes with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from manor import PUBLIC, Forbidden, Kinds, Later, Reply, Request, Route
from manor_topics.events import MessagePublished
from manor_topics.gotify.api import GOTIFY
from manor_topics.gotify.drafts import Wanted, read_gotify
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.routes import message_body_limit
from manor_topics.http.understanding import check_encoding
from manor_topics.ntfy.drafts import Wanted as WantedHere
from manor_topics.parts import Shared
from manor_topics.rights import TOPIC_TOKEN

_FIELDS = ("message", "title", "priority")

APPLICATIONS = 2**31
"""Numbers of applications; clients want one, and topics have none: it is made of the topic's id."""


class GotifyMessage(msgspec.Struct, frozen=True):
    """A message as Gotify's senders read it. `id` is its place in the server's order."""

    id: int
    appid: int
    message: str
    title: str
    priority: int
    date: datetime
    extras: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """Which version of Gotify's API this is like."""

    version: str = "2.6.0"
    commit: str = "unknown"
    build_date: str = "1970-01-01T00:00:00Z"


class Health(msgspec.Struct, frozen=True):
    """The server serves."""

    health: str = "green"
    database: str = "green"


class GotifyHandlers:
    """One method per operation of Gotify's.

    Args:
        shared: What all parts use.
        publish: Publishes.
    """

    def __init__(self, shared: Shared, publish: PublishHandlers) -> None:
        self._shared = shared
        self._publish = publish

    async def publish(self, request: Request[bytes]) -> Later:
        """Publish a message to the topic of the token; 10 is the highest priority."""
        check_encoding(request.headers)
        tokens = [principal for principal in request.principals if "write" in principal.scopes]
        if not tokens:
            raise Forbidden("This token does not write to its topic")
        parameters = {name: value for name in _FIELDS if (value := request.head.parameter(name)) is not None}
        found: list[Wanted] = []

        def read() -> WantedHere:
            wanted = read_gotify(
                request.body,
                request.headers.get("content-type"),
                parameters,
                most_bytes=self._shared.config.max_message_bytes,
            )
            found.append(wanted)
            return WantedHere(wanted.draft)

        def answer(published: MessagePublished) -> Reply:
            (wanted,) = found
            return Reply(
                msgspec.json.encode(
                    GotifyMessage(
                        id=published.position,
                        appid=published.topic_id.int % APPLICATIONS,
                        message=published.message,
                        title=published.title or "",
                        priority=wanted.priority,
                        date=published.timestamp,
                        extras=wanted.extras or msgspec.UNSET,
                    )
                )
            )

        return await self._publish.deliver(request, str(tokens[0].resource), read, answer)

    def version(self, request: Request) -> Version:
        """Which version this is like."""
        return Version()

    def health(self, request: Request) -> Health:
        """Whether the server serves."""
        return Health()


def routes(handlers: GotifyHandlers, shared: Shared) -> list[Route]:
    """All of Gotify's operations that there are here."""
    return [
        Route(
            "POST",
            "/message",
            handlers.publish,
            api=GOTIFY,
            access=Kinds(TOPIC_TOKEN),
            body=bytes,
            body_limit=message_body_limit(shared.config),
            returns=GotifyMessage,
            errors=(415, 422),
        ),
        Route("GET", "/version", handlers.version, api=GOTIFY, access=PUBLIC, returns=Version),
        Route("GET", "/health", handlers.health, api=GOTIFY, access=PUBLIC, returns=Health),
    ]
