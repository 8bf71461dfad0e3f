"""Webhooks over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from manor import Reply, Request, Route
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic
from manor_topics.drafts import check_tags
from manor_topics.http.api import NOTIFER, SIGNED_IN, PageQuery
from manor_topics.rights import in_scope
from manor_topics.webhooks.keeping import Kept, Wanted, Webhooks, check_url
from manor_topics.webhooks.store import EventName, State, Webhook

BODY_LIMIT = 16_384
SCOPE = "topics:write"

Name = Annotated[str, Meta(max_length=100)]
Url = Annotated[str, Meta(description="http or https, without a name and a password")]
Events = Annotated[list[EventName], Meta(min_length=1, max_length=20)]
Priority = Annotated[int, Meta(ge=1, le=5, description="Only messages that are at least so important: 1 is the most")]
Tags = Annotated[list[str], Meta(description="Only messages that have one of these; none for all")]


class CreateWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a topic's messages are to be posted, and which of them."""

    url: Url
    name: Name = ""
    events: Events | UnsetType = UNSET
    priority_max: Priority | None = None
    tags: Tags | UnsetType = UNSET
    is_active: bool = True


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different about a webhook; what is left out stays."""

    url: Url | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    priority_max: Priority | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class WebhookShown(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, without its secret."""

    id: UUID
    topic: str
    name: str
    url: str
    events: tuple[EventName, ...]
    priority_max: int | None
    tags: tuple[str, ...]
    is_active: bool
    disabled_reason: str | None
    created_at: datetime
    last_success_at: datetime | None
    failing_since: datetime | None
    last_error: str | None
    old_secret_until: datetime | None


class WebhookMade(WebhookShown, frozen=True, kw_only=True):
    """A webhook with its secret, which is shown this once."""

    secret: str


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a test went: what the receiver answered, or why it did not."""

    delivered: bool
    status: int | None
    error: str | None
    response: str | None


class DeliveryShown(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is, was or is to be posted."""

    id: UUID
    event: EventName
    message_id: UUID
    state: State
    attempts: int
    status: int | None
    error: str | None
    response: str | None
    created_at: datetime
    finished_at: datetime | None


class WebhookHandlers:
    """One method for each operation.

    Args:
        webhooks: Keeps them.
    """

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def list(self, request: Request) -> list[WebhookShown]:
        """A topic's webhooks, the oldest first."""
        topic, found = await self._webhooks.list(request.params["topic"], in_scope(request.principals, SCOPE))
        return [_shown(topic, webhook) for webhook in found]

    async def create(self, request: Request[CreateWebhook]) -> Reply:
        """Have a topic's messages posted somewhere; the secret is in this answer and nowhere else."""
        principals, wanted = in_scope(request.principals, SCOPE), _wanted(request.body)
        return _made(await self._webhooks.create(request.params["topic"], principals, wanted), status=201)

    async def change(self, request: Request[ChangeWebhook]) -> WebhookShown:
        """Change a webhook, switch it off or on again."""
        params, principals, wanted = request.params, in_scope(request.principals, SCOPE), _wanted(request.body)
        kept = await self._webhooks.change(params["topic"], principals, params["webhook_id"], wanted)
        return _shown(kept.topic, kept.webhook)

    async def delete(self, request: Request) -> None:
        """Delete a webhook; what waits for it is not posted."""
        params, principals = request.params, in_scope(request.principals, SCOPE)
        await self._webhooks.delete(params["topic"], principals, params["webhook_id"])

    async def rotate(self, request: Request) -> Reply:
        """Give a webhook another secret; for a day deliveries bear the signatures of both."""
        params, principals = request.params, in_scope(request.principals, SCOPE)
        return _made(await self._webhooks.rotate(params["topic"], principals, params["webhook_id"]), status=200)

    async def test(self, request: Request) -> TestResult:
        """Post something harmless at once, and say how that went."""
        params, principals = request.params, in_scope(request.principals, SCOPE)
        outcome = await self._webhooks.test(params["topic"], principals, params["webhook_id"])
        return TestResult(
            delivered=outcome.error is None, status=outcome.status, error=outcome.error, response=outcome.response
        )

    async def deliveries(self, request: Request[None, PageQuery]) -> Sequence[DeliveryShown]:
        """What was and is to be posted, the newest first."""
        params, principals, page = request.params, in_scope(request.principals, SCOPE), request.query
        found = await self._webhooks.deliveries(
            params["topic"], principals, params["webhook_id"], limit=page.limit, offset=page.offset
        )
        names = DeliveryShown.__struct_fields__
        return [DeliveryShown(**{name: getattr(delivery, name) for name in names}) for delivery in found]


def webhook_routes(handlers: WebhookHandlers) -> list[Route]:
    """List, create, change, delete, exchange the secret, test, list deliveries."""
    path = "/api/topics/{topic}/webhooks"
    one = path + "/{webhook_id}"
    return [
        Route("GET", path, handlers.list, api=NOTIFER, access=SIGNED_IN, returns=list[WebhookShown]),
        Route(
            "POST",
            path,
            handlers.create,
            api=NOTIFER,
            access=SIGNED_IN,
            body=CreateWebhook,
            body_limit=BODY_LIMIT,
            returns=WebhookMade,
            status=201,
        ),
        Route(
            "PATCH",
            one,
            handlers.change,
            api=NOTIFER,
            access=SIGNED_IN,
            body=ChangeWebhook,
            body_limit=BODY_LIMIT,
            returns=WebhookShown,
        ),
        Route("DELETE", one, handlers.delete, api=NOTIFER, access=SIGNED_IN, status=204),
        Route("POST", one + "/rotate", handlers.rotate, api=NOTIFER, access=SIGNED_IN, returns=WebhookMade),
        Route("POST", one + "/test", handlers.test, api=NOTIFER, access=SIGNED_IN, returns=TestResult),
        Route(
            "GET",
            one + "/deliveries",
            handlers.deliveries,
            api=NOTIFER,
            access=SIGNED_IN,
            query=PageQuery,
            returns=list[DeliveryShown],
        ),
    ]


def _wanted(body: CreateWebhook | ChangeWebhook) -> Wanted:
    try:
        name = body.name if body.name is UNSET else body.name.strip()
        if name and not name.isprintable():
            raise Misfit("name", "is made of characters that can be seen")
        return Wanted(
            name=name,
            url=body.url if body.url is UNSET else check_url(body.url),
            events=body.events if body.events is UNSET else tuple(dict.fromkeys(body.events)),
            priority_max=body.priority_max,
            tags=body.tags if body.tags is UNSET else check_tags(body.tags),
            is_active=body.is_active,
        )
    except Misfit as misfit:
        raise refusal(misfit) from misfit


def _shown(topic: Topic, webhook: Webhook) -> WebhookShown:
    names = (name for name in WebhookShown.__struct_fields__ if name != "topic")
    return WebhookShown(topic=topic.name, **{name: getattr(webhook, name) for name in names})


def _made(kept: Kept, *, status: int) -> Reply:
    made = WebhookMade(**msgspec.structs.asdict(_shown(kept.topic, kept.webhook)), secret=kept.webhook.secret)
    return Reply(msgspec.json.encode(made), status=status, headers={"Cache-Control": "no-store"})
