"""Subscriptions over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from manor import Request, Route
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.messages import Message
from manor_topics.rights import in_scope
from manor_topics.subscriptions import SettingChanges, Subscriptions
from manor_topics.subscriptions_store import Subscription

BODY_LIMIT = 16_384
SCOPE = "subscriptions"
READING = "topics:read"


class Subscribe(SettingChanges, frozen=True, kw_only=True):
    """What to subscribe to, by name or id, and how to hear of it."""

    topic_name: str


class ChangeSubscription(SettingChanges, frozen=True, kw_only=True):
    """What is to be otherwise; messages after `last_viewed_at` are unread."""

    last_viewed_at: datetime | UnsetType | None = UNSET


class SubscriptionList(msgspec.Struct, frozen=True):
    """Somebody's subscriptions, and how many they are."""

    subscriptions: list[Subscription]
    total: int


class SubscriptionCheck(msgspec.Struct, frozen=True):
    """Whether somebody is subscribed to a topic."""

    subscribed: bool
    topic_name: str


class RecentQuery(msgspec.Struct, frozen=True):
    """How many messages; with `topic`, only that topic's."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 100
    topic: str | None = None


class SubscriptionHandlers:
    """One method for each operation.

    Args:
        subscriptions: Keeps them.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    async def list_subscriptions(self, request: Request) -> SubscriptionList:
        """One's subscriptions: pinned ones first, then those with the newest messages."""
        found = await self._subscriptions.listed(in_scope(request.principals, SCOPE))
        return SubscriptionList(found, len(found))

    async def subscribe(self, request: Request[Subscribe]) -> Subscription:
        """Subscribe to a topic."""
        body = request.body
        return await self._subscriptions.create(in_scope(request.principals, SCOPE), body.topic_name, body)

    async def change_subscription(self, request: Request[ChangeSubscription]) -> Subscription:
        """Change a subscription; what is left out stays as it is."""
        principals, body = in_scope(request.principals, SCOPE), request.body
        at = None if body.last_viewed_at is UNSET else body.last_viewed_at
        return await self._subscriptions.change(principals, request.params["subscription_id"], body, at)

    async def unsubscribe(self, request: Request) -> None:
        """Unsubscribe."""
        await self._subscriptions.end(in_scope(request.principals, SCOPE), request.params["subscription_id"])

    async def unsubscribe_from_topic(self, request: Request) -> None:
        """Unsubscribe from a topic, by its name or id."""
        await self._subscriptions.end_of_topic(in_scope(request.principals, SCOPE), request.params["topic"])

    async def check_subscription(self, request: Request) -> SubscriptionCheck:
        """Ask whether one is subscribed to a topic, be there one or not."""
        topic = request.params["topic"]
        subscribed = await self._subscriptions.check(in_scope(request.principals, SCOPE), topic)
        return SubscriptionCheck(subscribed, topic)

    async def recent_messages(self, request: Request[None, RecentQuery]) -> list[Message]:
        """The newest messages of the topics that one is subscribed to, newest first."""
        query = request.query
        # A form sends its empty fields too: empty is as good as absent.
        return await self._subscriptions.recent(in_scope(request.principals, READING), query.topic or None, query.limit)


def subscription_routes(handlers: SubscriptionHandlers) -> list[Route]:
    """List, create, change, end, check; what is new."""
    path = "/api/subscriptions"
    one, of_topic = f"{path}/{{subscription_id}}", f"{path}/by-topic/{{topic}}"
    return [
        Route("GET", path, handlers.list_subscriptions, api=NOTIFER, access=SIGNED_IN, returns=SubscriptionList),
        Route(
            "POST",
            path,
            handlers.subscribe,
            api=NOTIFER,
            access=SIGNED_IN,
            body=Subscribe,
            body_limit=BODY_LIMIT,
            returns=Subscription,
            status=201,
            errors=(404, 409),
        ),
        Route(
            "PATCH",
            one,
            handlers.change_subscription,
            api=NOTIFER,
            access=SIGNED_IN,
            body=ChangeSubscription,
            body_limit=BODY_LIMIT,
            returns=Subscription,
        ),
        Route("DELETE", one, handlers.unsubscribe, api=NOTIFER, access=SIGNED_IN, status=204),
        Route("DELETE", of_topic, handlers.unsubscribe_from_topic, api=NOTIFER, access=SIGNED_IN, status=204),
        Route(
            "GET",
            f"{path}/check/{{topic}}",
            handlers.check_subscription,
            api=NOTIFER,
            access=SIGNED_IN,
            returns=SubscriptionCheck,
        ),
        Route(
            "GET",
            "/api/messages/recent",
            handlers.recent_messages,
            api=NOTIFER,
            access=SIGNED_IN,
            query=RecentQuery,
            returns=list[Message],
        ),
    ]
