"""Statuses, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
import trio

from manor import BackgroundTask, Delivery, Lifespan, Part, Refused, Route, Subscription
from manor_chat.events import Told
from manor_chat.http.status import status_routes
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.presence import Status, nobody_is_told
from manor_chat.status.store import read_statuses, write_statuses

WRITE_SECONDS = 10.0
"""From one look at what is to be written, and at what has run out, to the next."""

AT_ONCE = 500
"""Statuses that are written in one transaction."""

log = structlog.get_logger("manor.chat")


class UserGone(msgspec.Struct, frozen=True):
    """Of `identity.user_erased`."""

    user_id: UUID


class Statuses(Part):
    """Keeps statuses, and tells people of their own."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._presence = shared.presence
        self._presence.on_change = self._changed

    def routes(self) -> Sequence[Route]:
        """The tag status."""
        return status_routes(self._shared)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """People who are gone are nowhere."""
        return [Subscription("identity.user_erased", UserGone, self._gone, Delivery.INLINE)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Writing what has changed, ending what has run out."""
        return [BackgroundTask("statuses", self._write_behind)]

    def lifespan(self) -> Lifespan:
        """Know what was kept; keep what is known."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            self._presence.load(await self._shared.storage.read(read_statuses))
            yield
            # Clients that are sent away now come back after a restart: who then stays away is offline anyhow.
            self._presence.on_change = nobody_is_told
            await self._write()

        return open_

    async def _write_behind(self) -> None:
        while True:
            await trio.sleep(WRITE_SECONDS)
            self._presence.sweep()
            await self._write()

    async def _write(self) -> None:
        while some := self._presence.take_unwritten(AT_ONCE):
            try:
                await self._shared.storage.write(partial(write_statuses, changed=some))
            except Refused as refused:
                # A full disk, most likely. They are known all the same, and written when they change again.
                log.warning("statuses could not be written down", reason=str(refused))
                return

    def _changed(self, user_id: UUID, status: Status) -> None:
        data = {"status": status.status, "user_id": shown_id(user_id)}
        self._shared.hub.tell(Told(event="status_change", data=msgspec.json.encode(data), user_id=user_id))

    def _gone(self, event: UserGone) -> None:
        self._presence.forget(event.user_id)
