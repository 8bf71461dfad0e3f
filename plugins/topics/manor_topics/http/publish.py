"""Publishing over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from manor import Headers, Later, Principal, Reply, Request
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.drafts import Draft, Sent, check_key, plain_draft, read_draft
from manor_topics.emailing import Emailing, Mailed
from manor_topics.events import MessagePublished
from manor_topics.http.understanding import check_encoding, understood
from manor_topics.ntfy.drafts import Wanted, read_own_path
from manor_topics.ntfy.saying import HEADER_NAMES, OWN_HEADERS, Said
from manor_topics.parts import Shared
from manor_topics.payers import SYSTEM
from manor_topics.publishing import Publisher
from manor_topics.rights import check_anonymous, check_publish, in_scope, missing

_MORE_HEADERS = HEADER_NAMES | {b"content-encoding"}


class PublishHandlers:
    """One method for the two operations that publish.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._emailing = Emailing(shared.context)

    def publish(self, request: Request[bytes]) -> Later | Awaitable[Later]:
        """Publish a message; the answer says that it is on disk."""
        shared = self._shared
        topic = shared.catalog.known(request.params["topic"])
        # Almost always all that is needed is in memory, and the answer takes no task of its own.
        payer = None if topic is None else shared.payers.known(topic)
        caller = shared.callers.known(in_scope(request.principals, "publish"))
        draft = self._plain_draft(request)
        if topic is None or payer is None or caller is None or (draft is None and self._speaks_ntfy(request)):
            return self.deliver(request, request.params["topic"], lambda: self._wanted(request))
        principal = check_publish(topic, caller, shared.config)
        publisher = _publisher(request, principal)
        return shared.publishing.submit(topic, payer, draft or self._draft(request), publisher).map(_published)

    async def deliver(
        self,
        request: Request[bytes] | Request[None],
        name: str,
        read: Callable[[], Wanted],
        answer: Callable[[MessagePublished], Reply] | None = None,
    ) -> Later:
        """Publish what a request says, whoever's words it is in.

        Args:
            request: With its credentials.
            name: The topic's name or id.
            read: Understands it; asked once it is clear that the caller may publish there.
            answer: Says that it is on disk; our own way when not given.

        Raises:
            Refused: The caller may not, or it cannot be understood.
        """
        shared = self._shared
        topic = await shared.catalog.find(name)
        caller = await shared.callers.find(in_scope(request.principals, "publish"))
        if topic is not None:
            principal = check_publish(topic, caller, shared.config)
            payer = await shared.payers.find(topic)
            wanted, publisher = understood(read), _publisher(request, principal)
            mailed = await self._mailed(wanted, publisher)
            return shared.publishing.submit(topic, payer, wanted.draft, publisher, mailed).map(answer or _published)
        creator = next((principal for principal in caller.principals if principal.user_id is not None), None)
        if not self._may_create(caller, creator):
            raise missing(name)
        try:
            shared.check_name(name)
        except Misfit as misfit:
            raise missing(name) from misfit
        check_anonymous(caller.principals, shared.config)
        wanted, publisher = understood(read), _publisher(request, creator)
        mailed = await self._mailed(wanted, publisher)
        maker = SYSTEM if publisher.user_id is None else await shared.payers.of_person(publisher.user_id)
        return shared.publishing.submit_to_new(name, maker, wanted.draft, publisher, mailed).map(answer or _published)

    async def _mailed(self, wanted: Wanted, publisher: Publisher) -> Mailed | None:
        if wanted.email is None:
            return None
        try:
            return await self._emailing.check(wanted.email, wanted.draft, publisher.user_id)
        except Misfit as misfit:
            raise refusal(misfit) from misfit

    def _may_create(self, caller: Caller, creator: Principal | None) -> bool:
        match self._shared.config.auto_create:
            case "off":
                return False
            case "authenticated":
                return creator is not None
            case "anyone":
                return creator is not None or caller.is_anonymous

    def _speaks_ntfy(self, request: Request[bytes]) -> bool:
        """Whether something in a request may be ntfy's: almost none has it, and is read without looking for more."""
        if not self._shared.config.compat.ntfy:
            return "x-delay" in request.headers
        if request.head.query_string:
            return True
        return not request.headers.has_none_of(HEADER_NAMES) or _has_words(request.headers)

    def _wanted(self, request: Request[bytes]) -> Wanted:
        """A request to a topic's own path, with whatever ntfy's clients say there."""
        headers = request.headers
        check_encoding(headers)
        heard: Callable[[str], bool] = bool
        if not self._shared.config.compat.ntfy:
            heard = ("x-delay", *OWN_HEADERS).__contains__
        said = Said.of(
            ((name, value) for name, value in headers if heard(name.decode("latin-1"))),
            request.head.parameters if self._shared.config.compat.ntfy else (),
        )
        return read_own_path(
            request.body,
            headers.get("content-type"),
            said,
            most_bytes=self._shared.config.max_message_bytes,
            now=self._shared.context.clock.now(),
        )

    def _plain_draft(self, request: Request[bytes]) -> Draft | None:
        """The draft of a request that says nothing but text, title, priority and tags, and says it plainly."""
        first = request.headers.first
        if request.headers.is_repeated() or request.head.query_string or not _MORE_HEADERS.isdisjoint(first):
            return None
        if b"json" in first.get(b"content-type", b"").lower():
            return None
        return plain_draft(
            request.body,
            title=first.get(b"x-title"),
            priority=first.get(b"x-priority"),
            tags=first.get(b"x-tags"),
            most_bytes=self._shared.config.max_message_bytes,
        )

    def _draft(self, request: Request[bytes]) -> Draft:
        headers = request.headers
        check_encoding(headers)
        config, clock = self._shared.config, self._shared.context.clock

        def read() -> Draft:
            content_type = headers.get("content-type")
            sent = Sent(
                content_type=content_type,
                title=_only(headers, "X-Title"),
                priority=_only(headers, "X-Priority"),
                # Lines of a list are one list (RFC 9110 section 5.3).
                tags=",".join(headers.get_all("X-Tags")),
                # Only JSON says when it is to appear.
                now=None if content_type is None else clock.now(),
            )
            return read_draft(request.body, sent, most_bytes=config.max_message_bytes)

        return understood(read)


def _has_words(headers: Headers) -> bool:
    """Whether the priority is a word."""
    priority = headers.get("x-priority")
    return priority is not None and not priority.strip().isdigit()


def _publisher(request: Request[bytes] | Request[None], principal: Principal | None) -> Publisher:
    if "Idempotency-Key" not in request.headers:
        return Publisher("", principal)
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
    if not headers.is_repeated():
        return headers.get(name)
    values = headers.get_all(name)
    if len(values) > 1 and len(set(values)) > 1:
        raise Misfit(name, "is sent more than once, with different values")
    return values[0] if values else None


def _published(published: MessagePublished) -> Reply:
    return Reply(published.encoded)
