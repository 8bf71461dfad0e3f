"""Publishing over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from manor import BadRequest, Headers, Later, Reply, Request, TooLarge, UnsupportedMediaType
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic, check_name
from manor_topics.drafts import BrokenJson, Draft, MessageTooLong, Sent, check_key, read_draft
from manor_topics.events import MessagePublished
from manor_topics.publishing import Publisher, Publishing
from manor_topics.rights import check_anonymous, check_publish, in_scope, missing


class PublishHandlers:
    """One method for the two operations that publish.

    Args:
        publishing: Puts messages on disk.
        catalog: Topics in memory.
        config: The plugin's own, as it is now.
        taken: First path segments of the server's own routes.
    """

    def __init__(
        self,
        publishing: Publishing,
        catalog: Catalog,
        config: Callable[[], TopicsConfig],
        *,
        taken: Callable[[], Collection[str]],
    ) -> None:
        self._publishing = publishing
        self._catalog = catalog
        self._config = config
        self._taken = taken

    def publish(self, request: Request[bytes]) -> Later | Awaitable[Later]:
        """Publish a message; the answer says that it is on disk."""
        topic = self._catalog.known(request.params["topic"])
        if topic is None:
            return self._publish_to_unknown(request)
        return self._publish_to(request, topic)

    def _publish_to(self, request: Request[bytes], topic: Topic) -> Later:
        check_publish(topic, in_scope(request.principals, "publish"), self._config())
        draft, publisher = self._draft(request), _publisher(request)
        return self._publishing.submit(topic, draft, publisher).map(_published)

    async def _publish_to_unknown(self, request: Request[bytes]) -> Later:
        name = request.params["topic"]
        topic = await self._catalog.find(name)
        if topic is not None:
            return self._publish_to(request, topic)
        if not self._may_create(request):
            raise missing(name)
        try:
            check_name(name, self._taken())
        except Misfit as misfit:
            raise missing(name) from misfit
        check_anonymous(in_scope(request.principals, "publish"), self._config())
        draft, publisher = self._draft(request), _publisher(request)
        return self._publishing.submit_to_new(name, draft, publisher).map(_published)

    def _may_create(self, request: Request[bytes]) -> bool:
        match self._config().auto_create:
            case "off":
                return False
            case "authenticated":
                return request.user_id is not None
            case "anyone":
                return request.user_id is not None or not request.principals

    def _draft(self, request: Request[bytes]) -> Draft:
        headers = request.headers
        _check_encoding(headers)
        try:
            sent = Sent(
                content_type=headers.get("content-type"),
                title=_only(headers, "X-Title"),
                priority=_only(headers, "X-Priority"),
                # Lines of a list are one list (RFC 9110 section 5.3).
                tags=",".join(headers.get_all("X-Tags")),
            )
            return read_draft(request.body, sent, most_bytes=self._config().max_message_bytes)
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        except BrokenJson as error:
            raise BadRequest(str(error)) from error
        except MessageTooLong as error:
            raise TooLarge(str(error)) from error


def _check_encoding(headers: Headers) -> None:
    codings = [coding.strip() for line in headers.get_all("Content-Encoding") for coding in line.split(",")]
    coding = next((coding for coding in codings if coding.lower() not in ("", "identity")), None)
    if coding is not None:
        raise UnsupportedMediaType(
            f"A message is sent as it is, without a Content-Encoding such as '{coding[:64]}'",
            headers={"Accept-Encoding": "identity"},
        )


def _publisher(request: Request[bytes]) -> Publisher:
    principal = request.principals[0] if request.principals else None
    if principal is None:
        scope = f"address:{request.head.address}"
    else:
        scope = f"{principal.kind}:{principal.credential_id or principal.user_id}"
    try:
        return Publisher(scope, request.user_id, check_key(_only(request.headers, "Idempotency-Key")))
    except Misfit as misfit:
        raise refusal(misfit) from misfit


def _only(headers: Headers, name: str) -> str | None:
    """The value of a header that has one; None when it is missing."""
    values = set(headers.get_all(name))
    if len(values) > 1:
        raise Misfit(name, "is sent more than once, with different values")
    return values.pop() if values else None


def _published(published: MessagePublished) -> Reply:
    return Reply(published.encoded)
