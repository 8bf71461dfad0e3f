"""Publishing: from a checked draft to a message that is on disk."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from manor import SYSTEM_ID, Joint, Later, Principal, Storage, Transaction, Unprocessable, new_id
from manor_topics import publish_store, scheduled, store
from manor_topics.batches import Wanted, publish_batch
from manor_topics.creating import add, check_plan, new_topic
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.emailing import Mailed
from manor_topics.events import MessagePublished
from manor_topics.payers import Payer, Payers, Plan, day_is_full, payer_of
from manor_topics.rights import missing

KEY_LIFE = timedelta(hours=24)


class Publisher(msgspec.Struct, frozen=True, gc=False):
    """Who publishes.

    Args:
        scope: Whose idempotency keys count as one's own: the credential, or the address; "" without a key.
        principal: The credential that allows it; None for nobody that we know.
        key: The request's `Idempotency-Key`, if it has one.
    """

    scope: str
    principal: Principal | None = None
    key: str | None = None

    @property
    def user_id(self) -> UUID | None:
        """The person, who owns what publishing makes; None when nobody knows."""
        return None if self.principal is None else self.principal.user_id


class Publishing:
    """Puts messages on disk.

    Args:
        storage: Where they go.
        payers: Whose plan says how many, and how long they are kept.
    """

    def __init__(self, storage: Storage, payers: Payers) -> None:
        self._storage = storage
        self._payers = payers

    def submit(
        self, topic: Topic, payer: Payer, draft: Draft, publisher: Publisher, mailed: Mailed | None = None
    ) -> Later:
        """Have a message published; brings the `MessagePublished` once it is on disk.

        The key, the message and the topic's counters are one unit. A key that was used within a day brings what it
        brought then; with another draft it is refused (`Unprocessable`). A topic that is gone by now is `NotFound`.
        A draft with a delay is kept until then; what that brings has the time to come, and no place yet.
        What is new is mailed with `mailed`, if that is given, in the same unit.

        Raises:
            TooManyRequests: The credential has had its messages of this minute; what the plan says of a day is told
                by what it brings.
        """
        plan = self._payers.plan(payer)
        self._payers.take_publish(publisher.principal, plan)
        if publisher.key is None and draft.delay is None and mailed is None:
            return self._storage.submit_joint(_JOINTLY, Wanted(topic, draft, plan, publisher.user_id))
        return self._storage.submit(lambda transaction: publish(transaction, topic, draft, publisher, plan, mailed))

    def submit_to_new(
        self, name: str, maker: Payer, draft: Draft, publisher: Publisher, mailed: Mailed | None = None
    ) -> Later:
        """The same, making the topic on the way: a private one of the publisher's, or, for nobody, a public one.

        It goes on the account of `maker`, who is the publisher, or the server itself for nobody. What it brings is
        `Forbidden` when their plan has no room for it.
        """
        self._payers.take_publish(publisher.principal, self._payers.plan(maker))

        def work(transaction: Transaction) -> MessagePublished:
            topic = store.find_topic(transaction.connection, name)
            if topic is None:
                topic = _auto_created(name, publisher.user_id, transaction.now)
                check_plan(transaction, topic, self._payers)
                add(transaction, topic)
            elif not topic.is_public and topic.owner_id != publisher.user_id:
                # Made by somebody else since we looked, and not for us.
                raise missing(name)
            plan = self._payers.plan(payer_of(transaction, topic))
            return publish(transaction, topic, draft, publisher, plan, mailed)

        return self._storage.submit(work)


_JOINTLY = Joint(publish_batch)


def _auto_created(name: str, user_id: UUID | None, now: datetime) -> Topic:
    if user_id is None:
        return new_topic(name, owner_id=SYSTEM_ID, access_level="public", now=now)
    return new_topic(name, owner_id=user_id, access_level="private", now=now)


def publish(
    transaction: Transaction,
    topic: Topic,
    draft: Draft,
    publisher: Publisher,
    plan: Plan,
    mailed: Mailed | None = None,
) -> MessagePublished:
    """The unit of work behind `submit`."""
    connection = transaction.connection
    if publisher.key is not None:
        since = transaction.now - KEY_LIFE
        before = publish_store.find_published(connection, topic, publisher.scope, publisher.key, since=since)
        if before is None:
            before = scheduled.find_accepted(connection, topic, publisher, plan.retention, since=since)
        if before is not None:
            if before.fingerprint != draft.fingerprint:
                raise Unprocessable("This Idempotency-Key was used for another message")
            return before.message
    if plan.daily_messages:
        _count(transaction, plan)
    if draft.delay is not None:
        return scheduled.accept(transaction, topic, draft, publisher, plan.retention)
    place = publish_store.advance(connection, topic.id, transaction.now)
    if place is None:
        raise missing(topic.name)
    published = MessagePublished(
        id=new_id(),
        topic_id=topic.id,
        topic=place.topic,
        message=draft.message,
        title=draft.title,
        priority=draft.priority,
        tags=list(draft.tags),
        timestamp=place.timestamp,
        expires_at=None if plan.retention is None else place.timestamp + plan.retention,
        sequence=place.sequence,
        position=transaction.position(),
        publisher_id=publisher.user_id,
        extras=draft.extras,
    )
    publish_store.add_messages(connection, [published])
    if publisher.key is not None:
        publish_store.note_key(
            connection,
            topic.id,
            publisher.scope,
            publisher.key,
            fingerprint=draft.fingerprint,
            position=published.position,
            now=transaction.now,
            forget_before=transaction.now - KEY_LIFE,
        )
    transaction.emit(published)
    if mailed is not None:
        mailed(transaction, published)
    return published


def _count(transaction: Transaction, plan: Plan) -> None:
    """Count it on its payer's day. A message that is refused after all is not counted: it is one unit."""
    if publish_store.count_today(transaction.connection, plan.payer_id, transaction.now) > plan.daily_messages:
        raise day_is_full(plan, transaction.now)
