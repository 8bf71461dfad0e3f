"""ntfy's own paths for who publishes, and for what apps ask about the server; streams are in `ntfy_streams`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manor import PUBLIC, Later, Reply, Request, Route
from manor_topics.events import MessagePublished
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.routes import message_body_limit
from manor_topics.http.understanding import check_encoding, understood
from manor_topics.ntfy.account import Account, Accounts, Config, Health
from manor_topics.ntfy.api import CREDENTIAL, QUERY_PLACES, SENDING, SUBSCRIBING
from manor_topics.ntfy.drafts import Wanted, read_json, read_path
from manor_topics.ntfy.saying import Said
from manor_topics.ntfy.wire import NtfyMessage, answer_of
from manor_topics.parts import Shared

GET_WORDS = ("publish", "send", "trigger")


class NtfyHandlers:
    """One method per operation of ntfy's, streams apart.

    Args:
        shared: What all parts use.
        publish: Publishes.
        accounts: Knows who asks.
    """

    def __init__(self, shared: Shared, publish: PublishHandlers, accounts: Accounts) -> None:
        self._shared = shared
        self._publish = publish
        self._accounts = accounts

    # --- Publishing ------------------------------------------------------------------------------------------------

    async def publish_json(self, request: Request[bytes]) -> Later:
        """Publish a message that is JSON as a whole, its topic too; its numbers are ntfy's: 5 is the highest."""
        check_encoding(request.headers)
        limits = {"most_bytes": self._shared.config.max_message_bytes}
        now = self._shared.context.clock.now()
        wanted = understood(lambda: read_json(request.body, self._said(request), now=now, **limits))
        return await self._publish.deliver(request, wanted.topic, lambda: wanted, _answer)

    async def publish(self, request: Request[bytes]) -> Later:
        """Publish a message: the body is its text; every number is ntfy's: 5 is the highest priority."""
        check_encoding(request.headers)
        return await self._publish.deliver(
            request, request.params["topic"], self._reader(request, request.body), _answer
        )

    async def publish_by_get(self, request: Request) -> Later:
        """Publish a message with the query alone; every number is ntfy's: 5 is the highest priority."""
        return await self._publish.deliver(request, request.params["topic"], self._reader(request, b""), _answer)

    def _reader(self, request: Request[bytes] | Request[None], body: bytes) -> Callable[[], Wanted]:
        now, most_bytes = self._shared.context.clock.now(), self._shared.config.max_message_bytes
        content_type = request.headers.get("content-type")
        return lambda: read_path(body, content_type, self._said(request), most_bytes=most_bytes, now=now)

    def _said(self, request: Request[bytes] | Request[None]) -> Said:
        return Said.of(request.headers, request.head.parameters)

    # --- About the server ------------------------------------------------------------------------------------------

    def health(self, request: Request) -> Health:
        """Whether the server serves."""
        return Health()

    def config(self, request: Request) -> Config:
        """What apps may offer here: nothing that ntfy's own server does beside messages."""
        return self._accounts.config()

    async def account(self, request: Request) -> Account:
        """Who asks, and how many messages they may still publish today."""
        return await self._accounts.of(request.principals)


def _answer(published: MessagePublished) -> Reply:
    return Reply(answer_of(published.encoded))


def routes(handlers: NtfyHandlers, shared: Shared) -> list[Route]:
    """ntfy's operations, streams apart."""
    compat, body_limit = shared.config.compat, message_body_limit(shared.config)
    publishing = [
        Route(
            method,
            path,
            handlers.publish if "{" in path else handlers.publish_json,
            api=SENDING,
            access=PUBLIC,
            body=bytes,
            body_limit=body_limit,
            returns=NtfyMessage,
            errors=(415, 422),
            places=QUERY_PLACES,
            tag=SUBSCRIBING.name,
        )
        for path in ("/", "/ntfy", "/ntfy/", "/ntfy/{topic}")
        for method in ("POST", "PUT")
    ]
    by_get = [
        Route(
            "GET",
            f"{prefix}/{{topic}}/{word}",
            handlers.publish_by_get,
            api=SENDING,
            access=CREDENTIAL,
            returns=NtfyMessage,
            errors=(422,),
            places=QUERY_PLACES,
            tag=SUBSCRIBING.name,
        )
        for prefix in ("", "/ntfy")
        for word in GET_WORDS
        if compat.get_publish
    ]
    return [*publishing, *by_get, *_about(handlers)]


def _about(handlers: NtfyHandlers) -> Sequence[Route]:
    return [
        Route("GET", f"{prefix}/v1/{word}", handler, api=SUBSCRIBING, access=PUBLIC, returns=returns)
        for prefix in ("", "/ntfy")
        for word, handler, returns in (
            ("health", handlers.health, Health),
            ("config", handlers.config, Config),
            ("account", handlers.account, Account),
        )
    ]
