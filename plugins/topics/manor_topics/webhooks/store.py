"""Questions asked of webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from manor import new_id
from manor_topics.webhooks.tables import deliveries, webhooks

EventName = Literal["published", "edited", "deleted"]

State = Literal["waiting", "delivered", "failed", "skipped"]

KEPT = 100
"""Deliveries of one webhook that stay listed once they are over."""

MOST_WAITING = 1000
"""Deliveries that wait for one webhook; what comes on top of them is not posted, and its delivery says so."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a topic's messages are posted, which of them, and how that goes."""

    id: UUID
    topic_id: UUID
    user_id: UUID | None
    name: str
    url: str
    events: tuple[EventName, ...]
    priority_max: int | None
    tags: tuple[str, ...]
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    is_active: bool
    disabled_reason: str | None
    created_at: datetime
    after_position: int
    failures: int
    failing_since: datetime | None
    last_success_at: datetime | None
    last_error: str | None

    def __repr__(self) -> str:
        # Without its secrets: tracebacks show what functions hold.
        return f"Webhook({self.id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id)]

    def wants(self, event: EventName, priority: int, tags: Collection[str] | None) -> bool:
        """Whether a message is to be posted.

        Args:
            event: What happened to it.
            priority: 1 is the most important.
            tags: Its words; None when nobody knows them any more.
        """
        if event not in self.events or (self.priority_max is not None and priority > self.priority_max):
            return False
        return not self.tags or (tags is not None and not set(self.tags).isdisjoint(tags))

    def secrets_at(self, now: datetime) -> Sequence[str]:
        """What deliveries are signed with: the secret, and for a while the one before."""
        is_old_good = self.old_secret is not None and self.old_secret_until is not None and now < self.old_secret_until
        return [self.secret, self.old_secret] if is_old_good and self.old_secret else [self.secret]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is, was or is to be posted."""

    id: UUID
    webhook_id: UUID
    event: EventName
    position: int
    message_id: UUID
    payload: str | None
    state: State
    attempts: int
    status: int | None
    error: str | None
    response: str | None
    created_at: datetime
    finished_at: datetime | None


_WEBHOOK = [webhooks.c[name] for name in Webhook.__struct_fields__]
_DELIVERY = [deliveries.c[name] for name in Delivery.__struct_fields__]
_LISTS = ("events", "tags")


def _webhook(row: Any) -> Webhook:
    members = dict(zip(Webhook.__struct_fields__, row, strict=True))
    return Webhook(**members | {name: tuple(msgspec.json.decode(members[name])) for name in _LISTS})


def _delivery(row: Any) -> Delivery:
    return Delivery(**dict(zip(Delivery.__struct_fields__, row, strict=True)))


def _columns(webhook: Webhook) -> dict[str, Any]:
    members = msgspec.structs.asdict(webhook)
    return members | {name: msgspec.json.encode(members[name]).decode() for name in _LISTS}


def add(connection: Connection, webhook: Webhook) -> None:
    """Store a new webhook."""
    connection.execute(insert(webhooks).values(_columns(webhook)))


def change(connection: Connection, webhook: Webhook) -> None:
    """Store a webhook as it is now."""
    connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(_columns(webhook)))


def find(connection: Connection, webhook_id: UUID) -> Webhook | None:
    """The webhook of that id."""
    row = connection.execute(select(*_WEBHOOK).where(webhooks.c.id == webhook_id)).one_or_none()
    return None if row is None else _webhook(row)


def of_topic(connection: Connection, topic_id: UUID) -> list[Webhook]:
    """A topic's webhooks, the oldest first."""
    statement = select(*_WEBHOOK).where(webhooks.c.topic_id == topic_id).order_by(webhooks.c.id)
    return [_webhook(row) for row in connection.execute(statement)]


def of_maker(connection: Connection, user_id: UUID) -> list[Webhook]:
    """The webhooks that somebody made, the oldest first."""
    statement = select(*_WEBHOOK).where(webhooks.c.user_id == user_id).order_by(webhooks.c.id)
    return [_webhook(row) for row in connection.execute(statement)]


def active_of(connection: Connection, topics: Collection[UUID]) -> list[Webhook]:
    """The webhooks of these topics that are switched on."""
    is_on = (webhooks.c.topic_id.in_(topics), webhooks.c.is_active.is_(True))
    return [_webhook(row) for row in connection.execute(select(*_WEBHOOK).where(*is_on).order_by(webhooks.c.id))]


def any_active(connection: Connection) -> bool:
    """Whether a webhook is switched on at all."""
    return connection.execute(select(webhooks.c.id).where(webhooks.c.is_active.is_(True)).limit(1)).first() is not None


def put_off(
    connection: Connection,
    webhook: Webhook,
    event: EventName,
    *,
    position: int,
    message_id: UUID,
    now: datetime,
    payload: str | None = None,
) -> UUID | None:
    """Note a delivery that is to be made.

    Returns:
        Its id; None when it was noted before, or when too many wait.
    """
    of_it = deliveries.c.webhook_id == webhook.id
    same = (of_it, deliveries.c.position == position, deliveries.c.event == event)
    if connection.execute(select(deliveries.c.id).where(*same)).first() is not None:
        return None
    waiting = connection.execute(
        select(func.count()).select_from(deliveries).where(of_it, deliveries.c.state == "waiting")
    ).scalar_one()
    is_full = waiting >= MOST_WAITING
    delivery = Delivery(
        id=new_id(),
        webhook_id=webhook.id,
        event=event,
        position=position,
        message_id=message_id,
        payload=payload,
        state="skipped" if is_full else "waiting",
        attempts=0,
        status=None,
        error=f"{MOST_WAITING} deliveries waited already" if is_full else None,
        response=None,
        created_at=now,
        finished_at=now if is_full else None,
    )
    connection.execute(insert(deliveries).values(msgspec.structs.asdict(delivery)))
    if is_full:
        forget_old(connection, webhook.id)
    return None if is_full else delivery.id


def find_delivery(connection: Connection, delivery_id: UUID) -> Delivery | None:
    """The delivery of that id."""
    row = connection.execute(select(*_DELIVERY).where(deliveries.c.id == delivery_id)).one_or_none()
    return None if row is None else _delivery(row)


def note(connection: Connection, delivery: Delivery) -> None:
    """Store how a delivery went; of those that are over the newest stay."""
    members = msgspec.structs.asdict(delivery)
    connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(members))
    if delivery.state != "waiting":
        forget_old(connection, delivery.webhook_id)


def forget_old(connection: Connection, webhook_id: UUID) -> None:
    """Forget deliveries that are over, beyond the newest ones."""
    is_over = (deliveries.c.webhook_id == webhook_id, deliveries.c.state != "waiting")
    newest = select(deliveries.c.id).where(*is_over).order_by(deliveries.c.id.desc()).limit(KEPT)
    connection.execute(delete(deliveries).where(*is_over, deliveries.c.id.not_in(newest)))


def deliveries_of(connection: Connection, webhook_id: UUID, *, limit: int, offset: int) -> list[Delivery]:
    """A webhook's deliveries, the newest first."""
    statement = select(*_DELIVERY).where(deliveries.c.webhook_id == webhook_id).order_by(deliveries.c.id.desc())
    return [_delivery(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def remove(connection: Connection, webhook_id: UUID) -> int:
    """Remove a webhook with its deliveries; how many rows are gone. Jobs of what waits find nothing to do."""
    gone = connection.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook_id)).rowcount
    return gone + connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount
