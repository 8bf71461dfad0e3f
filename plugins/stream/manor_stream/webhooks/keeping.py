"""Webhooks: made, listed and deleted by administrators."""

from __future__ import annotations

from collections.abc import Sequence

from manor import BadRequest, OutgoingRefused, Transaction, new_signing_secret
from manor_stream.key_check import USER
from manor_stream.parts import Shared
from manor_stream.setting_rules import Unfit, web_address
from manor_stream.webhooks import store
from manor_stream.webhooks.delivering import Deliveries
from manor_stream.webhooks.payloads import EVENTS
from manor_stream.webhooks.store import Webhook

MOST_WEBHOOKS = 50


class Webhooks:
    """Keeps webhooks.

    Args:
        shared: What all parts use.
        deliveries: Posts to them.
    """

    def __init__(self, shared: Shared, deliveries: Deliveries) -> None:
        self._context = shared.context
        self._deliveries = deliveries

    async def list(self) -> Sequence[Webhook]:
        """All of them, the oldest first."""
        return await self._context.storage.read(lambda transaction: store.every(transaction.connection))

    async def create(self, url: str, events: Sequence[str]) -> Webhook:
        """Make one: what happens from now on is posted. Its secret is in what this brings.

        Raises:
            BadRequest: The address is none or may not be reached, there is no such event, or no room.
        """
        kinds = tuple(dict.fromkeys(events))
        if not kinds or not set(EVENTS) >= set(kinds):
            raise BadRequest(f"events: expected some of {', '.join(EVENTS)}")
        try:
            web_address(url)
            self._context.outgoing.check(url)
        except Unfit as unfit:
            raise BadRequest(f"url: {unfit}") from unfit
        except OutgoingRefused as refused:
            raise BadRequest(f"url: expected an address that this server may reach: {refused}") from refused
        secret = new_signing_secret()

        def work(transaction: Transaction) -> Webhook:
            if len(store.every(transaction.connection)) >= MOST_WEBHOOKS:
                raise BadRequest(f"There are {MOST_WEBHOOKS} webhooks; delete one first")
            webhook = store.add(transaction.connection, url, kinds, secret, transaction.now)
            self._note(transaction, "stream.webhook_made", webhook)
            return webhook

        made = await self._context.storage.write(work)
        self._deliveries.forget()
        return made

    async def delete(self, webhook_id: int) -> None:
        """Delete one; what waits for it is not posted.

        Raises:
            BadRequest: There is none with this id.
        """

        def work(transaction: Transaction) -> None:
            webhook = store.find(transaction.connection, webhook_id)
            if webhook is None:
                raise BadRequest("id: there is no such webhook")
            store.remove(transaction.connection, webhook_id)
            self._note(transaction, "stream.webhook_deleted", webhook)

        await self._context.storage.write(work)
        self._deliveries.forget()

    def _note(self, transaction: Transaction, what: str, webhook: Webhook) -> None:
        detail = {"webhook": webhook.id, "host": webhook.host, "events": webhook.events}
        self._context.audit.record(transaction, what, actor=USER, detail=detail)
