"""The part that tells other plugins' events on topics, as the admin has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from manor import SYSTEM_ID, Delivery, Lifespan, Principal, Subscription, Transaction, Unprocessable, delivery_number
from manor_topics import store
from manor_topics.announcement import Announcement, shape_of
from manor_topics.creating import add, new_topic
from manor_topics.domain import Topic
from manor_topics.parts import Part, Shared
from manor_topics.payers import Plan, payer_of
from manor_topics.publishing import Publisher, publish

SCOPE = "announcements"
"""Whose idempotency keys they are."""

_SYSTEM = Principal("system", user_id=SYSTEM_ID)


class Announcing(Part):
    """Tell events on topics.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._by_event: dict[str, list[Announcement]] = {}
        for announcement in shared.config.announcements:
            self._by_event.setdefault(announcement.event, []).append(announcement)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """One to each event that is announced, however often."""
        return [
            Subscription(
                event,
                shape_of({field for announcement in announcements for field in announcement.fields}),
                partial(self._announce, announcements),
                Delivery.DURABLE,
                asked_by="announcements",
            )
            for event, announcements in self._by_event.items()
        ]

    def lifespan(self) -> Lifespan:
        """The topics are there from the start: nobody else makes one of that name before the first event."""
        return self._open

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        if self._by_event:
            await self._shared.context.storage.write(self._make_topics)
        yield

    def _make_topics(self, transaction: Transaction) -> None:
        for announcements in self._by_event.values():
            for announcement in announcements:
                _topic(transaction, announcement.topic)

    async def _announce(self, announcements: Sequence[Announcement], told: msgspec.Struct) -> None:
        number, context = delivery_number(), self._shared.context
        values, most_bytes = msgspec.structs.asdict(told), self._shared.config.max_message_bytes

        def work(transaction: Transaction) -> None:
            for place, announcement in enumerate(announcements):
                draft = announcement.draft(values, most_bytes=most_bytes)
                if draft is None:
                    context.log.warning(
                        "an announcement says nothing", heard=announcement.event, topic=announcement.topic
                    )
                    continue
                topic = _topic(transaction, announcement.topic)
                plan = Plan(SYSTEM_ID, 0, self._shared.payers.retention(payer_of(transaction, topic)))
                try:
                    publish(transaction, topic, draft, Publisher(SCOPE, _SYSTEM, f"{number}:{place}"), plan)
                except Unprocessable:
                    # It was announced, in the words that the admin had then.
                    context.log.info("an announcement was made before, in other words", heard=announcement.event)

        await context.storage.write(work)


def _topic(transaction: Transaction, name: str) -> Topic:
    topic = store.find_topic(transaction.connection, name)
    if topic is None:
        topic = new_topic(name, owner_id=SYSTEM_ID, access_level="private", now=transaction.now)
        add(transaction, topic)
    return topic
