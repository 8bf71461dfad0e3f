"""The WebSocket, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from manor import Authenticator, BackgroundTask, Delivery, Lifespan, Part, Route, Subscription, Transaction
from manor_chat.events import ChannelMemberChanged, Imported, Told
from manor_chat.http.websocket import websocket_routes
from manor_chat.parts import Shared
from manor_chat.socket import hub as heard
from manor_chat.socket import keeping
from manor_chat.socket.actions import Actions
from manor_chat.socket.conversing import Sockets
from manor_chat.socket.entering import Entrance
from manor_chat.socket.store import Entry, find_standings
from manor_chat.times import to_milliseconds

FILE = "sockets.msgpack"

SWEEP_SECONDS = 30.0
"""From one look at what has run out to the next."""


class Live(Part):
    """What is told, as it happens.

    Args:
        shared: What all parts use.
        authenticators: Credentials of all parts.

    Attributes:
        hub: Where all lines are.
        sockets: What carries them.
    """

    def __init__(self, shared: Shared, authenticators: Callable[[], Sequence[Authenticator]]) -> None:
        self._shared = shared
        self.hub = shared.hub
        context = shared.context

        async def read(work: Callable[[Transaction], Entry | None]) -> Entry | None:
            # There is no storage yet when a plugin is only described.
            return await context.storage.read(work)

        self._entrance = Entrance(
            self.hub,
            read,
            context.clock,
            version=shared.version_id,
            authenticators=authenticators,
        )
        self.sockets = Sockets(self.hub, self._entrance, Actions(shared), shared.presence, context.limits)

    def routes(self) -> Sequence[Route]:
        """The socket."""
        return websocket_routes(self._shared.api, self.sockets)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """All that changes who hears what: INLINE, so that who was removed hears nothing that came later."""
        shapes: dict[str, type[Any]] = {
            Told.name: Told,
            ChannelMemberChanged.name: ChannelMemberChanged,
            Imported.name: Imported,
            "identity.member_changed": heard.MemberSeen,
            "identity.team_deleted": heard.TeamGone,
            "identity.user_changed": heard.UserSeen,
            "identity.user_erased": heard.UserGone,
            "identity.session_ended": heard.SessionSeen,
            "identity.credential_revoked": heard.CredentialSeen,
        }
        return [Subscription(name, shape, self.hub.hear, Delivery.INLINE) for name, shape in shapes.items()]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Handing out, and giving up what has run out."""
        return [BackgroundTask("sockets", self.hub.run), BackgroundTask("old sockets", self._sweep)]

    def lifespan(self) -> Lifespan:
        """Go on with the lines that the last run kept; keep those of this one."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            path, storage, clock = (
                self._shared.context.data_dir / FILE,
                self._shared.storage,
                self._shared.context.clock,
            )
            kept = keeping.use_up(path)
            lines = []
            if kept is not None:
                position = storage.position
                standings = await storage.read(partial(find_standings, user_ids=kept.user_ids))
                now = to_milliseconds(clock.now())
                lines = keeping.unpack(kept, standings, position=position, now=now)
            self.hub.open(lines)
            yield
            # What comes after this was told to nobody: then nobody may go on from here.
            left = self.hub.close(lambda: path.unlink(missing_ok=True))
            if left:
                now = to_milliseconds(clock.now())
                keeping.write(path, keeping.pack(left, position=storage.position, now=now))

        return open_

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_SECONDS)
            self.hub.sweep()
            await self._entrance.look_again()
