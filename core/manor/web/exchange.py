"""One request's ASGI channels, watched from outside of the framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


CONTINUE = "http.response.continue"
"""A message beside ASGI's own: the body will be read, so a client that waits for `100 Continue` is told to send it.

Only sent for a request with `Expect`; what cannot be asked for is then never sent, and a request that is refused by its
head costs no body.
"""


CUT = "manor.cut"
"""A key of the ASGI scope's `state` beside its own: a function that drops the connection, where it carries no other
request. What the kernel has taken by then still reaches a client that reads it."""

FRAMES = "manor.frames"
"""Another one: a function that writes whole WebSocket frames to the connection at once, without the layers between, and
says whether it did. It does not when it would have to wait, or when the socket is not, or no longer, open."""


class Exchange:
    """Passes messages on, notes the status, and holds back the news that the client left while the last send runs.

    hypercorn ends a request inside that send and tells so at once; quart-trio then cancels the very task that is
    sending, and the connection is neither closed nor ready for the next request. With the news held back, the send
    ends first.
    """

    def __init__(self, receive: Receive, send: Send, *, is_waiting: bool = False) -> None:
        self._is_waiting = is_waiting
        self._receive = receive
        self._send = send
        self._last_send: trio.Event | None = None
        self.status = 0

    async def ask_for_body(self) -> None:
        """Tell a client that waits for that to send its body."""
        if self._is_waiting:
            self._is_waiting = False
            await self._send({"type": CONTINUE})

    async def send(self, message: Any) -> None:
        """The application's `send`."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.accept":
                self.status = 101
            case "http.response.body" if not message.get("more_body", False):
                self._last_send = trio.Event()
                try:
                    await self._send(message)
                finally:
                    self._last_send.set()
                return
        await self._send(message)

    async def receive(self) -> Any:
        """The application's `receive`."""
        message = await self._receive()
        if self._last_send is not None and message["type"] == "http.disconnect":
            await self._last_send.wait()
        return message
