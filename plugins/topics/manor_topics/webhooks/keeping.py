"""Webhooks: made, listed, changed, tried out and deleted by those who manage their topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from manor import (
    Forbidden,
    NotFound,
    OutgoingRefused,
    Principal,
    Rate,
    TierLimit,
    TooManyRequests,
    Transaction,
    new_id,
    new_signing_secret,
)
from manor_topics import message_store
from manor_topics import store as topic_store
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic, read_id
from manor_topics.parts import Shared
from manor_topics.payers import payer_of
from manor_topics.rights import can_manage, check_manage, missing
from manor_topics.webhooks import store
from manor_topics.webhooks.delivering import Deliveries, Outcome, Posted, post
from manor_topics.webhooks.store import Delivery, EventName, Webhook

LIMIT = TierLimit(
    "webhooks_per_topic", {"": 10, "TEAM": 50, "BUSINESS": 0}, "Webhooks that one topic has its messages posted to"
)

MOST_URL = 2048

OLD_SECRET_LIFE = timedelta(hours=24)
"""How long deliveries bear two signatures after a secret was exchanged."""

TESTS = Rate(10)
"""Tests of one webhook, a minute."""

T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says about a webhook, checked; what is left out stays, or is the default."""

    name: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    events: tuple[EventName, ...] | UnsetType = UNSET
    priority_max: int | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


@dataclass(frozen=True)
class Kept:
    """A webhook with its topic."""

    topic: Topic
    webhook: Webhook


def check_url(url: str) -> str:
    """An address that messages may be posted to. Whether it may be reached is another question.

    Raises:
        Misfit: It is none.
    """
    misfit = Misfit("url", f"is an address such as https://example.org/hook, of at most {MOST_URL} characters")
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or any(each in url for each in ' \\"<>'):
        raise misfit
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise misfit from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        raise misfit
    if "@" in parts.netloc:
        raise Misfit("url", "has no name and password: deliveries are signed")
    if "#" in url:
        raise Misfit("url", "has no fragment")
    return url


class Webhooks:
    """Keeps the webhooks of topics.

    Args:
        shared: What all parts use.
        deliveries: Posts to them.
    """

    def __init__(self, shared: Shared, deliveries: Deliveries) -> None:
        self._shared = shared
        self._deliveries = deliveries

    async def list(self, reference: str, principals: Sequence[Principal]) -> tuple[Topic, Sequence[Webhook]]:
        """A topic's webhooks, the oldest first.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to manage.
        """
        caller, topic_id = await self._found(reference, principals)

        def work(transaction: Transaction) -> tuple[Topic, Sequence[Webhook]]:
            topic = self._managed(transaction, topic_id, reference, caller)
            return topic, store.of_topic(transaction.connection, topic.id)

        return await self._shared.context.storage.read(work)

    async def create(self, reference: str, principals: Sequence[Principal], wanted: Wanted) -> Kept:
        """Make a webhook: what is published from now on is posted. Its secret is in what this brings.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to manage, or the plan has no room.
            Unprocessable: The address may not be reached.
        """
        caller, topic_id = await self._found(reference, principals)
        secret = new_signing_secret()
        assert isinstance(wanted.url, str), "a webhook has an address"
        url = wanted.url

        def work(transaction: Transaction) -> Kept:
            topic = self._managed(transaction, topic_id, reference, caller)
            self._check_target(url)
            self._check_room(transaction, topic)
            bare = Webhook(
                id=new_id(),
                topic_id=topic.id,
                user_id=_maker(topic, caller),
                name="",
                url=url,
                events=("published",),
                priority_max=None,
                tags=(),
                secret=secret,
                old_secret=None,
                old_secret_until=None,
                is_active=True,
                disabled_reason=None,
                created_at=transaction.now,
                after_position=self._begin(transaction),
                failures=0,
                failing_since=None,
                last_success_at=None,
                last_error=None,
            )
            webhook = _with(bare, wanted)
            store.add(transaction.connection, webhook)
            self._note(transaction, "topics.webhook_made", topic, caller, webhook)
            return Kept(topic, webhook)

        kept = await self._shared.context.storage.write(work)
        self._deliveries.needed(kept.webhook.after_position)
        return kept

    async def change(self, reference: str, principals: Sequence[Principal], webhook_id: str, wanted: Wanted) -> Kept:
        """Change a webhook. One that is switched on again, or gets another address, is given another chance.

        Raises:
            NotFound: There is no such topic, or no such webhook of it.
            Forbidden: It is not theirs to manage.
            Unprocessable: The address may not be reached.
        """

        def work(transaction: Transaction, topic: Topic, caller: Caller, before: Webhook) -> Kept:
            after = _with(before, wanted)
            if after.url != before.url:
                self._check_target(after.url)
            if after.is_active and not before.is_active:
                after = replace(after, after_position=self._begin(transaction))
            elif after != before:
                # What was looked at with the old wishes is not looked at again with the new ones.
                after = replace(after, after_position=max(before.after_position, self._deliveries.follower.place))
            if (wanted.is_active is True and not before.is_active) or after.url != before.url:
                after = replace(after, failures=0, failing_since=None, last_error=None)
            if wanted.is_active is not UNSET:
                after = replace(after, disabled_reason=None)
            store.change(transaction.connection, after)
            self._note(transaction, "topics.webhook_changed", topic, caller, after)
            return Kept(topic, after)

        unit = await self._with_one(reference, principals, webhook_id, work)
        kept = await self._shared.context.storage.write(unit)
        if kept.webhook.is_active:
            self._deliveries.needed(kept.webhook.after_position)
        return kept

    async def delete(self, reference: str, principals: Sequence[Principal], webhook_id: str) -> None:
        """Delete a webhook; what waits for it is not posted.

        Raises:
            NotFound: As `change`.
            Forbidden: As `change`.
        """

        def work(transaction: Transaction, topic: Topic, caller: Caller, webhook: Webhook) -> None:
            store.remove(transaction.connection, webhook.id)
            self._note(transaction, "topics.webhook_deleted", topic, caller, webhook)

        unit = await self._with_one(reference, principals, webhook_id, work)
        await self._shared.context.storage.write(unit)

    async def rotate(self, reference: str, principals: Sequence[Principal], webhook_id: str) -> Kept:
        """Give a webhook another secret; for a day deliveries bear the signatures of both.

        Raises:
            NotFound: As `change`.
            Forbidden: As `change`.
        """
        secret = new_signing_secret()

        def work(transaction: Transaction, topic: Topic, caller: Caller, before: Webhook) -> Kept:
            until = transaction.now + OLD_SECRET_LIFE
            after = replace(before, secret=secret, old_secret=before.secret, old_secret_until=until)
            store.change(transaction.connection, after)
            self._note(transaction, "topics.webhook_secret_changed", topic, caller, after)
            return Kept(topic, after)

        unit = await self._with_one(reference, principals, webhook_id, work)
        return await self._shared.context.storage.write(unit)

    async def test(self, reference: str, principals: Sequence[Principal], webhook_id: str) -> Outcome:
        """Post something harmless at once, switched on or not, and say how it went. It counts for nothing.

        Raises:
            NotFound: As `change`.
            Forbidden: As `change`.
            TooManyRequests: That was done too often within a minute.
        """

        def work(transaction: Transaction, topic: Topic, caller: Caller, webhook: Webhook) -> Kept:
            return Kept(topic, webhook)

        context = self._shared.context
        kept = await context.storage.read(await self._with_one(reference, principals, webhook_id, work))
        verdict = context.limits.take("topics webhook test", str(kept.webhook.id), TESTS)
        if not verdict.allowed:
            raise TooManyRequests("A webhook is tested ten times a minute at most", retry_after=verdict.retry_after)
        now = context.clock.now()
        body = msgspec.json.encode(Posted("webhook.test", now, {"topic": kept.topic.name, "message": "It works"}))
        return await post(context.outgoing, kept.webhook, str(new_id()), body, now=now)

    async def deliveries(
        self, reference: str, principals: Sequence[Principal], webhook_id: str, *, limit: int, offset: int
    ) -> Sequence[Delivery]:
        """What was and is to be posted, the newest first; of what is over the last hundred.

        Raises:
            NotFound: As `change`.
            Forbidden: As `change`.
        """

        def work(transaction: Transaction, topic: Topic, caller: Caller, webhook: Webhook) -> Sequence[Delivery]:
            return store.deliveries_of(transaction.connection, webhook.id, limit=limit, offset=offset)

        unit = await self._with_one(reference, principals, webhook_id, work)
        return await self._shared.context.storage.read(unit)

    async def _with_one(
        self,
        reference: str,
        principals: Sequence[Principal],
        webhook_id: str,
        work: Callable[[Transaction, Topic, Caller, Webhook], T],
    ) -> Callable[[Transaction], T]:
        """Work on a webhook, for those who manage its topic; to be read or written."""
        caller, topic_id = await self._found(reference, principals)
        id_ = read_id(webhook_id)

        def unit(transaction: Transaction) -> T:
            topic = self._managed(transaction, topic_id, reference, caller)
            webhook = None if id_ is None else store.find(transaction.connection, id_)
            if webhook is None or webhook.topic_id != topic.id:
                raise NotFound("There is no such webhook of this topic")
            return work(transaction, topic, caller, webhook)

        return unit

    async def _found(self, reference: str, principals: Sequence[Principal]) -> tuple[Caller, UUID]:
        return await self._shared.callers.find(principals), (await self._shared.reading.find(reference)).id

    def _managed(self, transaction: Transaction, topic_id: UUID, reference: str, caller: Caller) -> Topic:
        topic = topic_store.find_topic(transaction.connection, topic_id)
        if topic is None:
            raise missing(reference)
        check_manage(topic, caller, self._shared.config)
        return topic

    def _check_room(self, transaction: Transaction, topic: Topic) -> None:
        most = self._shared.payers.limit(LIMIT.name, payer_of(transaction, topic))
        if most and len(store.of_topic(transaction.connection, topic.id)) >= most:
            raise Forbidden(f"The plan has room for {most} webhooks of a topic; delete one first ({LIMIT.name})")

    def _check_target(self, url: str) -> None:
        """Refuse what no delivery would reach; where a name leads is seen at each of them."""
        try:
            self._shared.context.outgoing.check(url)
        except OutgoingRefused as refused:
            raise refusal(Misfit("url", f"is one that this server may reach: {refused}")) from refused

    def _begin(self, transaction: Transaction) -> int:
        """Where a webhook begins that is switched on now."""
        newest = message_store.newest_position(transaction.connection)
        if not store.any_active(transaction.connection):
            self._deliveries.follower.skip(transaction.connection)
        return newest

    def _note(self, transaction: Transaction, what: str, topic: Topic, caller: Caller, webhook: Webhook) -> None:
        # An address may hold a secret of the receiver's: its host says enough.
        detail = {"webhook": str(webhook.id), "host": urlsplit(webhook.url).hostname}
        actor = str(_maker(topic, caller) or "")
        self._shared.context.audit.record(transaction, what, actor=actor, target=str(topic.id), detail=detail)


def _with(webhook: Webhook, wanted: Wanted) -> Webhook:
    said = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not UNSET}
    return replace(webhook, **said)


def _maker(topic: Topic, caller: Caller) -> UUID | None:
    """Who of those who ask manages the topic."""
    managers = (each for each in caller.principals if can_manage(topic, caller.only([each])))
    return next((each.user_id for each in managers), None)


class WebhookExported(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that somebody made, without its secret."""

    id: UUID
    topic_id: UUID
    name: str
    url: str
    events: tuple[EventName, ...]
    priority_max: int | None
    tags: tuple[str, ...]
    is_active: bool
    created_at: datetime
