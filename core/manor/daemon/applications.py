"""The application's side of a connection: one task and one inbox for each request."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
import trio

Message = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Callable[[], Awaitable[Any]], Send], Awaitable[None]]

MOST_WAITING = 10
"""Messages of a client that wait for the application; then the connection is not read on."""

log = structlog.get_logger("manor.daemon")


class Inbox:
    """What a client sent and the application has not read yet.

    News of the client's departure is never held up by a full inbox, and comes again as often as it is asked for.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._departure: Message | None = None
        self._is_closed = False
        self._change = trio.lowlevel.ParkingLot()

    async def put(self, message: Message) -> None:
        """Add a message; waits while too many are unread."""
        if message["type"].endswith(".disconnect"):
            self._departure = message
        else:
            while len(self._messages) >= MOST_WAITING and not self.is_over:
                await self._change.park()
            if not self.is_over:
                self._messages.append(message)
        self._change.unpark_all()

    async def get(self) -> Message:
        """The next message."""
        while not self._messages and self._departure is None:
            await self._change.park()
        await trio.lowlevel.checkpoint()
        if self._messages:
            message = self._messages.popleft()
            self._change.unpark_all()
            return message
        assert self._departure is not None
        return self._departure

    def close(self) -> None:
        """The application has ended: nobody reads any more."""
        self._is_closed = True
        self._messages.clear()
        self._change.unpark_all()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come, or be read."""
        return self._is_closed or self._departure is not None


class Applications:
    """Starts the application for a connection's requests; what hypercorn calls a task group."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    async def spawn_app(self, app: App, config: object, scope: Any, send: Send) -> Callable[[Any], Awaitable[None]]:
        """Run the application for one request; returns what takes the client's messages to it."""
        inbox = Inbox()
        self._nursery.start_soon(self._run, app, scope, inbox, send)
        return inbox.put

    def spawn(self, function: Callable[..., Any], *args: Any) -> None:
        """Run a protocol's own task."""
        self._nursery.start_soon(partial(function, *args))

    async def _run(self, app: App, scope: Any, inbox: Inbox, send: Send) -> None:
        async def send_on(message: Message) -> None:
            await send(message)
            if inbox.is_over:
                # Sending to nobody does not wait: an application that writes on and on must still give others a turn.
                await trio.lowlevel.checkpoint()

        try:
            await app(scope, inbox.get, send_on)
        except Exception:
            # The edge: one request's fault must not end its connection's neighbours (HTTP/2), let alone the daemon.
            log.exception("request failed", path=scope.get("path"))
        finally:
            inbox.close()
            await send(None)  # ends what the application left open: 500, or a cut stream
