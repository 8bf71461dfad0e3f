"""Publishing over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable

from manor import BadRequest, Headers, Later, Principal, Reply, Request, TooLarge, UnsupportedMediaType
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic, check_name
from manor_topics.drafts import BrokenJson, Draft, MessageTooLong, Sent, check_key, read_draft
from manor_topics.events import MessagePublished
from manor_topics.parts import Shared
from manor_topics.payers import Payer
from manor_topics.publishing import Publisher
from manor_topics.rights import check_anonymous, check_publish, in_scope, missing


class PublishHandlers:
    """One method for the two operations that publish.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def publish(self, request: Request[bytes]) -> Later | Awaitable[Later]:
        """Publish a message; the answer says that it is on disk."""
        shared = self._shared
        topic = shared.catalog.known(request.params["topic"])
        # Almost always all that is needed is in memory, and the answer takes no task of its own.
        payer = None if topic is None else shared.payers.known(topic)
        caller = shared.callers.known(in_scope(request.principals, "publish"))
        if topic is None or payer is None or caller is None:
            return self._publish_to_unknown(request)
        return self._publish_to(request, topic, payer, caller)

    def _publish_to(self, request: Request[bytes], topic: Topic, payer: Payer, caller: Caller) -> Later:
        principal = check_publish(topic, caller, self._shared.config)
        draft, publisher = self._draft(request), _publisher(request, principal)
        return self._shared.publishing.submit(topic, payer, draft, publisher).map(_published)

    async def _publish_to_unknown(self, request: Request[bytes]) -> Later:
        shared = self._shared
        name = request.params["topic"]
        topic = await shared.catalog.find(name)
        caller = await shared.callers.find(in_scope(request.principals, "publish"))
        if topic is not None:
            return self._publish_to(request, topic, await shared.payers.find(topic), caller)
        creator = next((principal for principal in caller.principals if principal.user_id is not None), None)
        if not self._may_create(caller, creator):
            raise missing(name)
        try:
            check_name(name, shared.taken())
        except Misfit as misfit:
            raise missing(name) from misfit
        check_anonymous(caller.principals, shared.config)
        draft, publisher = self._draft(request), _publisher(request, creator)
        return shared.publishing.submit_to_new(name, draft, publisher).map(_published)

    def _may_create(self, caller: Caller, creator: Principal | None) -> bool:
        match self._shared.config.auto_create:
            case "off":
                return False
            case "authenticated":
                return creator is not None
            case "anyone":
                return creator is not None or caller.is_anonymous

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
            return read_draft(request.body, sent, most_bytes=self._shared.config.max_message_bytes)
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


def _publisher(request: Request[bytes], principal: Principal | None) -> Publisher:
    if principal is None:
        scope = f"address:{request.head.address}"
    else:
        scope = f"{principal.kind}:{principal.credential_id or principal.user_id}"
    try:
        return Publisher(scope, principal, check_key(_only(request.headers, "Idempotency-Key")))
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
