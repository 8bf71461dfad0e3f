"""The part that pushes messages to devices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import trio

from manor import (
    BackgroundTask,
    Delivery,
    JobHandler,
    Lifespan,
    Migration,
    PluginContext,
    Route,
    ScopeDeclaration,
    Subscription,
    Transaction,
)
from manor_topics.config import TopicsConfig
from manor_topics.events import MessagePublished
from manor_topics.http.devices import SCOPE, DeviceHandlers, device_routes
from manor_topics.migrations import devices as devices_step
from manor_topics.parts import Part, Shared
from manor_topics.push.addresses import origin_of
from manor_topics.push.delivering import Delivering
from manor_topics.push.device_store import devices_of, remove_some, remove_unseen
from manor_topics.push.expo import Expo
from manor_topics.push.registering import Registering
from manor_topics.push.showing import shown
from manor_topics.push.webpush import WebPush

UNSEEN_FOR = timedelta(days=365)
"""A device that neither registered nor took anything for so long is forgotten."""

HOUSEKEEPING_SECONDS = 6 * 3600.0
BATCH = 500


class Pushes(Part):
    """Devices, and what is pushed to them.

    Args:
        shared: What all parts use.

    Attributes:
        registering: Keeps devices.
    """

    def __init__(self, shared: Shared) -> None:
        self._context = context = shared.context
        config = context.config.push
        self._web = _web_push(context) if "webpush" in config.providers else None
        self._expo = _expo(context) if "expo" in config.providers else None
        self._delivering = Delivering(
            context.storage,
            context.clock,
            web=self._web,
            expo=self._expo,
            ttl=timedelta(seconds=config.ttl_seconds),
        )
        own_origins = frozenset(origin_of(url) for url in config.web_origins)
        self.registering = Registering(context.storage, context.clock, self._delivering.provider_of, own_origins)
        self._handlers = DeviceHandlers(self.registering, self.public_key)

    def public_key(self) -> str | None:
        """The key for browsers; None while these are not pushed to."""
        return None if self._web is None else self._web.key.public

    @property
    def _is_on(self) -> bool:
        return self._web is not None or self._expo is not None

    def routes(self) -> Sequence[Route]:
        """Devices, and the key for browsers."""
        return device_routes(self._handlers)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What is published is looked at soon."""
        follower = self._delivering.follower
        if not self._is_on:
            return ()
        return [Subscription(MessagePublished.name, MessagePublished, follower.tell, Delivery.INLINE)]

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """For keys."""
        return [ScopeDeclaration(SCOPE, "See, register and remove your devices")]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Sends, and asks what became of it."""
        return self._delivering.jobs()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Follows what is published; forgets devices that nobody uses."""
        tasks = [BackgroundTask("devices", self._keep_house)]
        if self._is_on:
            tasks.append(BackgroundTask("push", self._delivering.follower.run))
        return tasks

    def migrations(self) -> Sequence[Migration]:
        """The devices."""
        return [devices_step.STEP]

    def lifespan(self) -> Lifespan:
        """Makes the key for browsers at the first start."""
        return self._open

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        if self._web is not None:
            self._web.open()
        yield

    def sections(self) -> Sequence[str]:
        """Devices."""
        return ["devices"]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """Somebody's devices, as they see them."""
        found = await self._context.storage.read(lambda transaction: devices_of(transaction.connection, user_id))
        for device in found:
            yield "devices", shown(device)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Forget their devices; what waits to be sent to them has nowhere to go any more."""
        return remove_some(transaction.connection, user_id, limit)

    async def _keep_house(self) -> None:
        while True:
            await self._forget_unseen()
            await trio.sleep(HOUSEKEEPING_SECONDS)

    async def _forget_unseen(self) -> None:
        def work(transaction: Transaction) -> int:
            return remove_unseen(transaction.connection, transaction.now - UNSEEN_FOR, BATCH)

        while await self._context.storage.write(work) >= BATCH:
            pass


def _web_push(context: PluginContext[TopicsConfig]) -> WebPush:
    config = context.config.push
    subject = config.vapid_subject or (context.public_url if context.public_url.startswith("https://") else "")
    key_file = config.vapid_key_file or context.data_dir / "vapid.pem"
    return WebPush(context.outgoing.allowing(config.web_origins), key_file, subject, context.clock)


def _expo(context: PluginContext[TopicsConfig]) -> Expo:
    config = context.config.push
    outgoing = context.outgoing.allowing([config.expo_url])
    return Expo(outgoing, config.expo_url, config.expo_access_token, config.expo_channel, context.clock)
