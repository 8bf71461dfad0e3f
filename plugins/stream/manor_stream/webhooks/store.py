"""The table of webhooks, and what is asked of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, delete, insert, select, update

from manor import Time

metadata = MetaData()

webhooks = Table(
    "stream_webhooks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", String, nullable=False),
    Column("events", String, nullable=False),
    Column("secret", String, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("last_used_at", Time),
    # An id is never given again: jobs that wait for a webhook name it.
    sqlite_autoincrement=True,
)
"""`events` is a list as JSON. Deliveries wait in the outbox."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is posted, and what.

    Args:
        id: A number; the API writes it as a string.
        url: Where to.
        events: By the names of `payloads.EVENTS`.
        secret: Signs what is posted.
        created_at: When it was made.
        last_used_at: When something was delivered last.
    """

    id: int
    url: str
    events: tuple[str, ...]
    secret: str
    created_at: datetime
    last_used_at: datetime | None

    @property
    def host(self) -> str:
        """For logs: the rest of an address may be a secret of the receiver's."""
        return urlsplit(self.url).netloc

    def __repr__(self) -> str:
        # Without its secret: tracebacks show what functions hold.
        return f"Webhook({self.id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id)]


def add(connection: Connection, url: str, events: tuple[str, ...], secret: str, now: datetime) -> Webhook:
    """Store a new one."""
    row = {
        "url": url,
        "events": msgspec.json.encode(events).decode(),
        "secret": secret,
        "created_at": now,
        "last_used_at": None,
    }
    found = connection.execute(insert(webhooks).values(row).returning(*webhooks.c)).one()
    return _webhook(found)


def every(connection: Connection) -> list[Webhook]:
    """All of them, the oldest first."""
    return [_webhook(row) for row in connection.execute(select(webhooks).order_by(webhooks.c.id))]


def find(connection: Connection, webhook_id: int) -> Webhook | None:
    """The one with this id."""
    row = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).one_or_none()
    return None if row is None else _webhook(row)


def stamp(connection: Connection, webhook_id: int, now: datetime) -> None:
    """Something was delivered to it."""
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(last_used_at=now))


def remove(connection: Connection, webhook_id: int) -> bool:
    """Remove it; False when there is none. Jobs of what waits for it find nothing to do."""
    return connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount > 0


def _webhook(row: Any) -> Webhook:
    events = msgspec.json.decode(row.events, type=tuple[str, ...])
    return Webhook(**row._asdict() | {"events": events})
