"""One topic's page: its messages, a form to publish, what came meanwhile, and whether one is subscribed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import trio

from manor import (
    PUBLIC,
    Conflict,
    Later,
    NotFound,
    Refused,
    Reply,
    Request,
    Route,
    TooLarge,
    redirect,
)
from manor_topics import unread
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic, read_id
from manor_topics.drafts import Draft, MessageTooLong, check_priority, check_tags, check_text, check_title
from manor_topics.pages.face import (
    FORM_LIMIT,
    HOME,
    PUBLISHING_PAGES,
    SIGNED_IN,
    TOPIC_PAGES,
    Face,
    Press,
    passed_on,
    person_of,
    somebody,
)
from manor_topics.pages.finding import Finding, Words
from manor_topics.pages.looking import Looked, look
from manor_topics.parts import Shared
from manor_topics.publishing import Publisher
from manor_topics.rights import check_publish
from manor_topics.subscriptions import SettingChanges, Subscriptions

DONE = {
    "subscribed": "You are subscribed.",
    "unsubscribed": "You are not subscribed any more.",
    "made": "The topic is there.",
    "changed": "The topic was changed.",
}


class TopicQuery(Words, frozen=True):
    """Which messages: those found by words, or those before one of them; and what was done last."""

    before: str = ""
    done: str = ""


class PublishForm(msgspec.Struct, frozen=True):
    """A message, as somebody typed it."""

    message: str = ""
    title: str = ""
    priority: str = "3"
    tags: str = ""


NOTHING_TYPED = PublishForm()


class TopicPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        finding: Searches.
        push: The key that browsers subscribe to notifications with; None when there are none.
    """

    def __init__(self, shared: Shared, face: Face, finding: Finding, push: Callable[[], str | None]) -> None:
        self._shared = shared
        self._face = face
        self._finding = finding
        self._push = push
        self._subscriptions = Subscriptions(shared)

    def routes(self) -> list[Route]:
        """The page, and where its forms go."""
        path = f"{HOME}/{{topic}}"
        page = partial(self._face.pages.page, api=TOPIC_PAGES, returns=Reply)
        button = partial(page, "POST", access=SIGNED_IN, form=Press, body_limit=FORM_LIMIT)
        # A form spells a byte with three characters.
        most = self._shared.config.max_message_bytes * 3 + FORM_LIMIT
        return [
            page("GET", path, self.show, access=PUBLIC, query=TopicQuery),
            page(
                "POST",
                f"{path}/publish",
                self.publish,
                access=PUBLIC,
                api=PUBLISHING_PAGES,
                form=PublishForm,
                body_limit=most,
            ),
            button(f"{path}/subscribe", self.subscribe),
            button(f"{path}/unsubscribe", self.unsubscribe),
            self._face.pages.page(
                "POST",
                f"{path}/viewed",
                self.viewed,
                api=TOPIC_PAGES,
                access=SIGNED_IN,
                form=Press,
                body_limit=FORM_LIMIT,
                status=204,
            ),
        ]

    async def show(self, request: Request[None, TopicQuery]) -> Reply:
        """The newest messages, or those that were asked for."""
        return await self._page(request, request.query)

    async def publish(self, request: Request[PublishForm]) -> Reply:
        """Publish what was typed."""
        shared = self._shared
        topic = await shared.reading.find(request.params["topic"])
        caller = await shared.callers.find(request.principals)
        principal = check_publish(topic, caller, shared.config)
        if principal is None:
            scope = f"address:{request.head.address}"
        else:
            scope = f"{principal.kind}:{principal.credential_id or principal.user_id}"
        try:
            draft = _draft(request.body, shared.config.max_message_bytes)
            payer = await shared.payers.find(topic)
            await _arrived(shared.publishing.submit(topic, payer, draft, Publisher(scope, principal)))
        except Refused as refused:
            if passed_on(refused):
                raise
            return await self._page(request, TopicQuery(), refused, typed=request.body)
        return redirect(f"{HOME}/{topic.name}")

    async def subscribe(self, request: Request[Press]) -> Reply:
        """Have what is new here counted, and told."""
        reference = request.params["topic"]
        try:
            await self._subscriptions.create(request.principals, reference, SettingChanges())
        except Conflict:
            pass  # another tab was faster
        except Refused as refused:
            if passed_on(refused):
                raise
            return await self._page(request, TopicQuery(), refused)
        return redirect(f"{HOME}/{reference}?done=subscribed")

    async def unsubscribe(self, request: Request[Press]) -> Reply:
        """Have it told no more."""
        reference = request.params["topic"]
        topic, _ = await self._shared.reading.open(reference, request.principals)
        with suppress(NotFound):  # another tab may have been faster
            await self._subscriptions.end_of_topic(request.principals, reference)
        return redirect(f"{HOME}/{topic.name}?done=unsubscribed")

    async def viewed(self, request: Request[Press]) -> None:
        """Somebody has seen what came while the page was open."""
        topic, _ = await self._shared.reading.open(request.params["topic"], request.principals)
        user_id = somebody(request.principals)
        await self._shared.context.storage.write(lambda transaction: unread.viewed(transaction, user_id, topic.id))

    async def _page(
        self,
        request: Request[Any, Any],
        query: TopicQuery,
        refused: Refused | None = None,
        *,
        typed: PublishForm = NOTHING_TYPED,
    ) -> Reply:
        shared = self._shared
        topic, caller = await shared.reading.open(request.params["topic"], request.principals)
        shown = await shared.reading.shown(topic, caller)
        found, trouble = None, ""
        if query.is_asking:
            found, trouble = await self._finding.in_topic(topic.name, request.principals, query)
        looked = await self._look(topic, caller, query, is_search=query.is_asking)
        page = self._face.show(
            request,
            "topic.html",
            refused,
            topic=shown,
            looked=looked,
            found=found,
            search_trouble=trouble,
            query=query,
            is_newest=not query.before and not query.is_asking,
            can_publish=self._can_publish(topic, caller),
            typed=typed,
            done=DONE.get(query.done, ""),
            push=self._push() if caller.people else None,
        )
        # Browsers hold workers to the policy of scripts, which wants a nonce that no worker can have.
        policy = f"{page.headers['Content-Security-Policy']}; worker-src 'self'"
        return replace(page, headers={**page.headers, "Content-Security-Policy": policy})

    async def _look(self, topic: Topic, caller: Caller, query: TopicQuery, *, is_search: bool) -> Looked:
        storage = self._shared.context.storage
        user_id, before = person_of(caller.principals), read_id(query.before) if query.before else None
        looked = await storage.read(lambda transaction: look(transaction, topic, user_id, before))
        seen = looked.seen
        if seen is not None and user_id is not None and not is_search:
            person: UUID = user_id
            await storage.write(lambda transaction: unread.viewed(transaction, person, topic.id, seen=seen))
        return looked

    def _can_publish(self, topic: Topic, caller: Caller) -> bool:
        try:
            check_publish(topic, caller, self._shared.config)
        except Refused:
            return False
        return True


def _draft(form: PublishForm, most_bytes: int) -> Draft:
    """What was typed, as a message.

    Raises:
        Unprocessable: It cannot be taken.
        TooLarge: It is too long.
    """
    text = form.message.replace("\r\n", "\n")
    try:
        check_text(text, most_bytes=most_bytes)
        return Draft(
            message=text,
            title=check_title(form.title) if form.title.strip() else None,
            priority=check_priority(int(form.priority) if form.priority in "12345" and form.priority else None),
            tags=check_tags(form.tags),
        )
    except Misfit as misfit:
        raise refusal(misfit) from misfit
    except MessageTooLong as error:
        raise TooLarge(str(error)) from error


async def _arrived(later: Later) -> Any:
    """What it brings, or raises."""
    arrived = trio.Event()
    later.then(arrived.set)
    await arrived.wait()
    return later.take()
