"""Webhooks over HTTP."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from manor import BadRequest, Reply, Request, Route
from manor_stream.http.api import basic_response, uncached
from manor_stream.http.kept import kept_routes
from manor_stream.webhooks.keeping import Webhooks
from manor_stream.webhooks.store import Webhook

_DIGITS = re.compile(r"[0-9]{1,18}")


class CreateWebhook(msgspec.Struct, frozen=True):
    """Where something is to be posted, and what."""

    url: str
    events: list[str]


class DeleteWebhook(msgspec.Struct, frozen=True):
    """Which webhook is to go: its id as it is listed, or as a number."""

    id: str | int


class WebhookShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook, without its secret.

    Args:
        id: Digits.
        url: Where to.
        events: What.
        timestamp: When it was made.
        last_used: When something was delivered last.
    """

    id: str
    url: str
    events: tuple[str, ...]
    timestamp: datetime
    last_used: datetime | None


class WebhookMade(WebhookShown, frozen=True, kw_only=True, rename="camel"):
    """A webhook with its secret, which is shown this once.

    Args:
        name: Its address, for older readers.
        token: The secret that signs what is posted.
    """

    name: str
    token: str


class WebhookHandlers:
    """One method for each operation.

    Args:
        webhooks: Keeps them.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def list(self, request: Request) -> list[WebhookShown]:
        """All webhooks, the oldest first."""
        return [WebhookShown(**_members(webhook)) for webhook in await self._webhooks.list()]

    async def create(self, request: Request[CreateWebhook]) -> Reply:
        """Have what happens posted somewhere; the secret that signs it is in this answer and nowhere else."""
        webhook = await self._webhooks.create(request.body.url, request.body.events)
        return uncached(WebhookMade(**_members(webhook), name=webhook.url, token=webhook.secret))

    async def delete(self, request: Request[DeleteWebhook]) -> Reply:
        """Delete a webhook; what waits for it is not posted."""
        text = str(request.body.id)
        if not _DIGITS.fullmatch(text):
            raise BadRequest("id: expected a number")
        await self._webhooks.delete(int(text))
        return basic_response("deleted webhook")


def webhook_routes(handlers: WebhookHandlers) -> list[Route]:
    """List, create, delete."""
    path = "/api/admin/webhooks"
    return kept_routes(
        path, handlers, listed=list[WebhookShown], create=CreateWebhook, made=WebhookMade, delete=DeleteWebhook
    )


def _members(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": str(webhook.id),
        "url": webhook.url,
        "events": webhook.events,
        "timestamp": webhook.created_at,
        "last_used": webhook.last_used_at,
    }
