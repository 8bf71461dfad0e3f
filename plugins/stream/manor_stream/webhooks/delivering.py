"""Deliveries: written down behind what happened, posted one after the other for each webhook, tried again for a minute.

Nobody in the chat waits for any of it. They are rows of the outbox, so that neither what is to be posted nor how often
that was tried is lost with the daemon. Bots want to hear of things while they are new: what cannot be delivered within
some attempts makes room for the next and is kept as a dead letter, which an administrator may have posted after all;
and of a receiver that is dead no more than a hundred things wait.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manor import (
    Event,
    Job,
    Kept,
    NotYet,
    OutgoingFailed,
    OutgoingRefused,
    Transaction,
    delivery_attempt,
    delivery_number,
    signed_headers,
)
from manor_stream.parts import Shared
from manor_stream.webhooks import store
from manor_stream.webhooks.payloads import payload_of
from manor_stream.webhooks.store import Webhook

PAUSES = (2.0, 10.0, 45.0)
"""Seconds between the attempts of one delivery."""

TIMEOUT_SECONDS = 5.0
MOST_ANSWER_BYTES = 64 * 1024

MOST_WAITING = 100
"""Deliveries that wait for one webhook; what comes on top of them is not posted."""

ROOM_AGAIN = MOST_WAITING // 2
"""With fewer a queue that was full is one no more, and the logbook is told anew when it is full again."""

GONE = 410


class Deliver(msgspec.Struct, frozen=True):
    """Post something.

    Args:
        webhook_id: Where to.
        id: The `webhook-id`: the same for each attempt, and when the same thing is told of twice.
        body: What is posted.
    """

    webhook_id: int
    id: str
    body: str


DELIVER = Job("stream.deliver", Deliver, deadline=30.0, pauses=PAUSES)


class Deliveries:
    """Posts what happens to webhooks.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._context = shared.context
        self._logbook = shared.logbook
        self._wanted: frozenset[str] | None = None
        self._changes = 0
        # Webhooks of whose full queue the logbook was told: not for each message, or it would have no other lines.
        self._full: set[int] = set()

    def forget(self) -> None:
        """Webhooks were made or deleted: what they want is read anew."""
        self._wanted = None
        self._changes += 1

    async def hear(self, event: Event) -> None:
        """Something happened: put off a delivery for each webhook that wants to hear of it."""
        number = str(delivery_number())
        told = payload_of(event, number)
        if told is None or told[0] not in await self._what_is_wanted():
            return
        kind, data = told
        body = msgspec.json.encode({"type": kind, "eventData": data}).decode()

        def work(transaction: Transaction) -> tuple[Mapping[str, int], list[Webhook]]:
            waiting = self._context.outbox.waiting(transaction, DELIVER)
            wanting = [webhook for webhook in store.every(transaction.connection) if kind in webhook.events]
            full = [webhook for webhook in wanting if waiting.get(str(webhook.id), 0) >= MOST_WAITING]
            for webhook in wanting:
                if webhook not in full:
                    job = Deliver(webhook.id, f"{number}-{webhook.id}", body)
                    transaction.defer(DELIVER, job, key=str(webhook.id))
            return waiting, full

        waiting, full = await self._context.storage.write(work)
        self._full = {webhook_id for webhook_id in self._full if waiting.get(str(webhook_id), 0) >= ROOM_AGAIN}
        for webhook in full:
            if webhook.id not in self._full:
                self._full.add(webhook.id)
                what = f"{kind} was not posted to {webhook.host}: {MOST_WAITING} deliveries wait already"
                self._logbook.warning(what)

    async def deliver(self, job: Deliver) -> None:
        """Make one attempt.

        Raises:
            NotYet: It is to be tried again.
            Kept: It was the last attempt, or no other one is of use.
        """
        storage = self._context.storage
        webhook = await storage.read(lambda transaction: store.find(transaction.connection, job.webhook_id))
        if webhook is None:
            return
        error, is_final = await self._post(webhook, job)
        if error is None:
            await storage.write(lambda transaction: store.stamp(transaction.connection, webhook.id, transaction.now))
            return
        attempt = delivery_attempt()
        if is_final or attempt > len(PAUSES):
            self._logbook.warning(f"A webhook's delivery to {webhook.host} was given up: {error}")
            raise Kept(f"{webhook.host}: {error}")
        raise NotYet(f"{webhook.host}: {error}", seconds=PAUSES[attempt - 1])

    async def _post(self, webhook: Webhook, job: Deliver) -> tuple[str | None, bool]:
        """Why it does not count, and whether it is no use to try again. Redirects are not followed."""
        body = job.body.encode()
        headers = signed_headers([webhook.secret], job.id, int(self._context.clock.now().timestamp()), body)
        try:
            answer = await self._context.outgoing.request(
                "POST",
                webhook.url,
                headers=headers,
                content=body,
                timeout=TIMEOUT_SECONDS,
                most_bytes=MOST_ANSWER_BYTES,
                redirects=0,
            )
        except OutgoingRefused as refused:
            return str(refused), True
        except OutgoingFailed as failed:
            return str(failed), False
        if 200 <= answer.status < 300:
            return None, False
        return f"it answered {answer.status}", answer.status == GONE

    async def _what_is_wanted(self) -> frozenset[str]:
        if self._wanted is not None:
            return self._wanted
        changes = self._changes
        found = await self._context.storage.read(lambda transaction: store.every(transaction.connection))
        wanted = frozenset(event for webhook in found for event in webhook.events)
        if changes == self._changes:
            self._wanted = wanted
        return wanted
