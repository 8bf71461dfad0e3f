"""Deliveries: found behind publishing, posted one after the other for each webhook, tried again for hours.

Whoever publishes waits for none of it. A receiver that is dead holds up its own deliveries, and after some days gets
no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, or_, select

from manor import Job, NotYet, Outgoing, OutgoingFailed, OutgoingRefused, PluginContext, Transaction, signed_headers
from manor_topics import store as topic_store
from manor_topics.config import TopicsConfig
from manor_topics.events import MessageDeleted, MessageEdited, MessagePublished
from manor_topics.following import Follower, Placed
from manor_topics.message_store import COLUMNS, read_message
from manor_topics.retry_after import retry_after
from manor_topics.tables import messages
from manor_topics.webhooks import store
from manor_topics.webhooks.store import Delivery, EventName, Webhook

PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0)
"""Seconds between the attempts of one delivery."""

MOST_ATTEMPTS = len(PAUSES) + 1
TIMEOUT_SECONDS = 10.0
MOST_ANSWER_BYTES = 1024 * 1024
MOST_SHOWN = 500
"""Characters of an answer, or of an error, that are kept."""

PATIENCE = timedelta(days=3)
"""How long a webhook may fail before it is switched off."""

GONE = 410


class Deliver(msgspec.Struct, frozen=True):
    """Post a message."""

    delivery_id: UUID


DELIVER = Job("topics.deliver", Deliver, deadline=60.0, pauses=PAUSES)


class Posted(msgspec.Struct, frozen=True):
    """What is posted, as Standard Webhooks recommends it."""

    type: str
    timestamp: datetime
    data: Any


@dataclass(frozen=True)
class Outcome:
    """How an attempt went.

    Args:
        status: What the receiver answered; None when it did not.
        error: Why it does not count; None when it does.
        response: The beginning of the answer.
        wait: Seconds after which the receiver wants to be asked again.
        is_final: Whether it is no use to try again.
    """

    status: int | None = None
    error: str | None = None
    response: str | None = None
    wait: float = 0.0
    is_final: bool = False


class Deliveries:
    """Posts messages to webhooks.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        self._context = context
        self._storage = context.storage
        self._is_needed = False
        self.follower = Follower("webhooks", context.storage, wanted=_wanted, take=_take)

    def tell(self, published: MessagePublished) -> None:
        """Something was published. For an INLINE subscription; free while nobody has a webhook."""
        if self._is_needed:
            self.follower.tell(published)

    def needed(self, position: int) -> None:
        """A webhook was switched on: what comes after this position is looked at."""
        if not self._is_needed:
            self._is_needed = True
            self.follower.go_to(position)
        self.follower.ring()

    async def follow(self) -> None:
        """Find what is to be posted; runs until cancelled."""

        def begin(transaction: Transaction) -> bool:
            is_needed = store.any_active(transaction.connection)
            if not is_needed:
                self.follower.skip(transaction.connection)
            return is_needed

        self._is_needed = await self._storage.write(begin) or self._is_needed
        await self.follower.run()

    # --- Edited and deleted messages: DURABLE ------------------------------------------------------------------------

    async def hear_edited(self, edited: MessageEdited) -> None:
        """A message says something else."""
        message = edited.content

        def work(transaction: Transaction) -> None:
            for webhook in store.active_of(transaction.connection, [message.topic_id]):
                if webhook.wants("edited", message.priority, message.tags):
                    _defer(transaction, webhook, "edited", edited.position, message.id)

        await self._write_for(message.topic_id, work)

    async def hear_deleted(self, deleted: MessageDeleted) -> None:
        """A message is hidden."""
        members = {"id": deleted.id, "topic_id": deleted.topic_id, "topic": deleted.topic, "priority": deleted.priority}
        payload = Posted("message.deleted", deleted.timestamp, members | {"is_deleted": True})

        def work(transaction: Transaction) -> None:
            row = transaction.connection.execute(select(messages.c.tags).where(messages.c.id == deleted.id)).first()
            tags = None if row is None else msgspec.json.decode(row.tags, type=list[str])
            for webhook in store.active_of(transaction.connection, [deleted.topic_id]):
                if webhook.wants("deleted", deleted.priority, tags):
                    body = msgspec.json.encode(payload).decode()
                    _defer(transaction, webhook, "deleted", deleted.position, deleted.id, payload=body)

        await self._write_for(deleted.topic_id, work)

    async def _write_for(self, topic_id: UUID, work: Any) -> None:
        if await self._storage.read(lambda transaction: bool(store.active_of(transaction.connection, [topic_id]))):
            await self._storage.write(work)

    # --- Posting -----------------------------------------------------------------------------------------------------

    async def deliver(self, job: Deliver) -> None:
        """Make one attempt.

        Raises:
            NotYet: It is to be tried again.
        """
        found = await self._storage.write(lambda transaction: _prepare(transaction, job.delivery_id))
        if found is None:
            return
        webhook, delivery, body = found
        outcome = await post(self._context.outgoing, webhook, str(delivery.id), body, now=self._context.clock.now())
        wait = await self._storage.write(lambda transaction: self._record(transaction, delivery.id, outcome))
        if wait is not None:
            raise NotYet(f"{webhook.url}: {outcome.error}", seconds=wait)

    def _record(self, transaction: Transaction, delivery_id: UUID, outcome: Outcome) -> float | None:
        """Note how it went; after how many seconds it is to be tried again, None for not."""
        connection, now = transaction.connection, transaction.now
        delivery = store.find_delivery(connection, delivery_id)
        webhook = None if delivery is None else store.find(connection, delivery.webhook_id)
        if delivery is None or webhook is None:
            return None
        after = webhook_after(webhook, outcome, now)
        store.change(connection, after)
        if webhook.is_active and not after.is_active:
            self._context.audit.record(
                transaction,
                "topics.webhook_disabled",
                actor="",
                target=str(webhook.topic_id),
                detail={"webhook": str(webhook.id), "reason": after.disabled_reason},
            )
        attempts = delivery.attempts + 1
        is_over = outcome.error is None or outcome.is_final or not after.is_active or attempts >= MOST_ATTEMPTS
        state: store.State = "delivered" if outcome.error is None else "failed" if is_over else "waiting"
        store.note(
            connection,
            replace(
                delivery,
                state=state,
                attempts=attempts,
                status=outcome.status,
                error=outcome.error,
                response=outcome.response,
                finished_at=now if is_over else None,
            ),
        )
        return None if is_over else max(outcome.wait, PAUSES[attempts - 1])


def webhook_after(webhook: Webhook, outcome: Outcome, now: datetime) -> Webhook:
    """A webhook after an attempt: what is known of its receiver, and whether it is still switched on."""
    if outcome.error is None:
        return replace(webhook, failures=0, failing_since=None, last_error=None, last_success_at=now)
    since = webhook.failing_since or now
    after = replace(webhook, failures=webhook.failures + 1, failing_since=since, last_error=outcome.error)
    if outcome.status == GONE:
        return replace(after, is_active=False, disabled_reason="The receiver answered 410: it is gone for good")
    if now - since >= PATIENCE and after.failures >= MOST_ATTEMPTS:
        reason = f"Nothing could be delivered since {since:%Y-%m-%d %H:%M} UTC: {outcome.error}"
        return replace(after, is_active=False, disabled_reason=reason)
    return after


async def post(outgoing: Outgoing, webhook: Webhook, delivery_id: str, body: bytes, *, now: datetime) -> Outcome:
    """Make one attempt. Only addresses that the server may reach are asked, and redirects are not followed."""
    headers = signed_headers(webhook.secrets_at(now), delivery_id, int(now.timestamp()), body)
    try:
        answer = await outgoing.request(
            "POST",
            webhook.url,
            headers=headers,
            content=body,
            timeout=TIMEOUT_SECONDS,
            most_bytes=MOST_ANSWER_BYTES,
            redirects=0,
        )
    except OutgoingRefused as refused:
        return Outcome(error=str(refused)[:MOST_SHOWN], is_final=True)
    except OutgoingFailed as failed:
        return Outcome(error=str(failed)[:MOST_SHOWN])
    response = answer.body[: 4 * MOST_SHOWN].decode(errors="replace")[:MOST_SHOWN]
    if 200 <= answer.status < 300:
        return Outcome(answer.status, response=response)
    error = f"The receiver answered {answer.status}"
    return Outcome(
        answer.status,
        error,
        response,
        retry_after(answer.headers.get("retry-after"), now),
        is_final=answer.status == GONE,
    )


def _wanted(connection: Connection, rows: Sequence[Placed]) -> Sequence[Placed]:
    found = store.active_of(connection, {message.topic_id for _, message in rows})
    return [placed for placed in rows if any(_is_for(webhook, placed) for webhook in found)] if found else ()


def _is_for(webhook: Webhook, placed: Placed) -> bool:
    position, message = placed
    is_its = webhook.topic_id == message.topic_id and position > webhook.after_position
    return is_its and webhook.wants("published", message.priority, message.tags)


def _take(transaction: Transaction, rows: Sequence[Placed]) -> None:
    found = store.active_of(transaction.connection, {message.topic_id for _, message in rows})
    for placed in rows:
        for webhook in found:
            if _is_for(webhook, placed):
                _defer(transaction, webhook, "published", placed[0], placed[1].id)


def _defer(
    transaction: Transaction,
    webhook: Webhook,
    event: EventName,
    position: int,
    message_id: UUID,
    *,
    payload: str | None = None,
) -> None:
    id_ = store.put_off(
        transaction.connection,
        webhook,
        event,
        position=position,
        message_id=message_id,
        now=transaction.now,
        payload=payload,
    )
    if id_ is not None:
        transaction.defer(DELIVER, Deliver(id_), key=str(webhook.id))


def _prepare(transaction: Transaction, delivery_id: UUID) -> tuple[Webhook, Delivery, bytes] | None:
    """What is to be posted; None when it is not, which is noted."""
    connection, now = transaction.connection, transaction.now
    delivery = store.find_delivery(connection, delivery_id)
    if delivery is None or delivery.state != "waiting":
        return None
    webhook = store.find(connection, delivery.webhook_id)
    body = None if webhook is None else _body(connection, delivery, now)
    if webhook is not None and webhook.is_active and body is not None:
        return webhook, delivery, body
    reason = "The message is gone" if body is None else "The webhook is switched off"
    store.note(connection, replace(delivery, state="skipped", error=reason, finished_at=now))
    return None


def _body(connection: Connection, delivery: Delivery, now: datetime) -> bytes | None:
    """What a delivery says; None when its message is deleted or expired."""
    if delivery.payload is not None:
        return delivery.payload.encode()
    is_kept = or_(messages.c.expires_at.is_(None), messages.c.expires_at > now)
    row = connection.execute(
        select(*COLUMNS).where(messages.c.id == delivery.message_id, messages.c.is_deleted.is_(False), is_kept)
    ).one_or_none()
    topic = None if row is None else topic_store.find_topic(connection, row.topic_id)
    if row is None or topic is None:
        return None
    message = read_message(row, topic.name)
    is_edit = delivery.event == "edited" and isinstance(message.edited_at, datetime)
    timestamp = message.edited_at if is_edit else message.timestamp
    assert isinstance(timestamp, datetime), "an edit has its time"
    return msgspec.json.encode(Posted(f"message.{delivery.event}", timestamp, message))
