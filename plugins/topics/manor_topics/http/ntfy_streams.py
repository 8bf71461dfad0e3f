"""ntfy's streams, below `/ntfy`."""

from __future__ import annotations

from collections.abc import Sequence

from manor import PUBLIC, Live, Request, Route, Stream, Upgrade
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.ntfy.account import Success
from manor_topics.ntfy.api import QUERY_PLACES, SUBSCRIBING
from manor_topics.ntfy.subscribing import Subscribing, read_question
from manor_topics.ntfy.wire import Form
from manor_topics.parts import Shared
from manor_topics.rights import in_scope


class StreamHandlers:
    """One method per form of a stream.

    Args:
        shared: What all parts use.
        subscribing: Opens streams.
    """

    def __init__(self, shared: Shared, subscribing: Subscribing) -> None:
        self._shared = shared
        self._subscribing = subscribing

    async def hear_json(self, request: Request) -> Live | Stream:
        """Hear topics, one JSON object a line; with `poll=1` what is kept alone."""
        return await self._hear(request, Form.JSON)

    async def hear_events(self, request: Request) -> Live | Stream:
        """Hear topics as server-sent events; with `poll=1` what is kept alone."""
        return await self._hear(request, Form.SSE)

    async def hear_raw(self, request: Request) -> Live | Stream:
        """Hear topics, the text of a message a line; empty lines are signs of life."""
        return await self._hear(request, Form.RAW)

    async def hear_socket(self, request: Request) -> Live | Stream:
        """Hear topics on a WebSocket, one JSON object a message."""
        return await self._hear(request, Form.WS)

    async def _hear(self, request: Request, form: Form) -> Live | Stream:
        principals = in_scope(request.principals, "subscribe")

        def get(*names: str) -> str | None:
            # Of headers only those with an X- of their own: Title and Tags are no questions.
            values = [request.head.parameter(name) for name in names]
            values += [request.headers.get(f"x-{name}") for name in names]
            return next(filter(None, values), None)

        try:
            question = read_question(form, get, now=self._shared.context.clock.now())
            if form is Form.WS and question.is_polled:
                raise Misfit("poll", "is not for WebSockets")
            return await self._subscribing.hear(request.params["topic"], question, principals, request.head.address)
        except Misfit as misfit:
            raise refusal(misfit) from misfit

    async def may_read(self, request: Request) -> Success:
        """Whether the caller may hear topics; an error says why not."""
        try:
            await self._subscribing.topics(request.params["topic"], in_scope(request.principals, "subscribe"))
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        return Success()


def stream_routes(handlers: StreamHandlers) -> Sequence[Route]:
    """All streams of ntfy's."""
    forms = [
        ("json", handlers.hear_json, Upgrade.NO),
        ("sse", handlers.hear_events, Upgrade.NO),
        ("raw", handlers.hear_raw, Upgrade.NO),
        ("ws", handlers.hear_socket, Upgrade.ONLY),
    ]
    return [
        *(
            Route(
                "GET",
                f"/ntfy/{{topic}}/{word}",
                handler,
                api=SUBSCRIBING,
                access=PUBLIC,
                returns=None if upgrade is Upgrade.ONLY else Live,
                websocket=upgrade,
                errors=(422,),
                places=QUERY_PLACES,
            )
            for word, handler, upgrade in forms
        ),
        Route(
            "GET",
            "/ntfy/{topic}/auth",
            handlers.may_read,
            api=SUBSCRIBING,
            access=PUBLIC,
            returns=Success,
            errors=(422,),
            places=QUERY_PLACES,
        ),
    ]
