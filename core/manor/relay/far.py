"""A line that a stream process serves, as the core has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from manor.relay.frames import Kind


class Sender(Protocol):
    """What carries frames to the process."""

    def tell(self, kind: Kind, number: int, payload: bytes = b"") -> None:
        """Send a frame; a process that is gone hears nothing."""
        ...

    def forget(self, number: int) -> None:
        """The core has closed that line."""
        ...


class Hearing(Protocol):
    """Whoever is told when a client has said something, and then reads it."""

    heard: Callable[[], None] | None
    """None when nobody is told any more: then it waits for `read`."""


class FarEnd:
    """The socket of one client, in another process.

    Args:
        number: Its number there.
        sender: Carries what is told to it.
        on_left: Called once when its client has left, or its process has ended; must not raise.
        hearing: Told of all that the client says, as long as it listens.

    Attributes:
        on_too_slow: Called when more waits for its client than may.
    """

    __slots__ = (
        "_heard",
        "_hearing",
        "_is_asked",
        "_is_over",
        "_news",
        "_on_left",
        "_sender",
        "_syncs",
        "number",
        "on_too_slow",
    )

    def __init__(self, number: int, sender: Sender, on_left: Callable[[], None], hearing: Hearing) -> None:
        self.number = number
        self.on_too_slow: Callable[[], None] | None = None
        self._sender = sender
        self._on_left: Callable[[], None] | None = on_left
        self._hearing = hearing
        self._heard = b""
        self._news: trio.Event | None = None
        self._is_asked = False
        self._is_over = False
        self._syncs: deque[trio.Event] = deque()
        if hearing.heard is not None:
            self._ask()

    # --- What the line asks for ------------------------------------------------------------------------------------

    def tell(self, kind: Kind, payload: bytes = b"") -> None:
        """Send it a frame; one that is over hears nothing."""
        if not self._is_over:
            self._sender.tell(kind, self.number, payload)

    async def read(self) -> bytes:
        """What its client sends next; empty when nothing more will come, or after `interrupt`."""
        if not self._heard and not self._is_over:
            self._ask()
            self._news = trio.Event()
            await self._news.wait()
        return self.read_now()

    def read_now(self) -> bytes:
        """What its client has sent already."""
        heard, self._heard = self._heard, b""
        return heard

    def interrupt(self) -> None:
        """Have whoever waits in `read` get nothing."""
        if self._news is not None:
            self._news.set()

    async def drained(self) -> None:
        """Wait until its client has taken all that was given, or is gone."""
        if not self._is_over:
            done = trio.Event()
            self._syncs.append(done)
            self.tell(Kind.SYNC)
            await done.wait()

    def close(self, kind: Kind) -> None:
        """End it: CUT or ABORT."""
        if not self._is_over:
            self.tell(kind)
            self._sender.forget(self.number)
            self._on_left = None
            self._end()

    # --- What the process tells ------------------------------------------------------------------------------------

    def heard(self, data: bytes) -> None:
        """Its client sent something."""
        self._is_asked = False
        self._heard += data
        if self._hearing.heard is None:
            self.interrupt()
            return
        self._hearing.heard()
        self._ask()

    def synced(self) -> None:
        """What was given before the oldest question has left."""
        if self._syncs:
            self._syncs.popleft().set()

    def left(self) -> None:
        """Its client has left."""
        on_left, self._on_left = self._on_left, None
        self._end()
        if on_left is not None:
            on_left()

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self.tell(Kind.READ)

    def _end(self) -> None:
        self._is_over = True
        self.on_too_slow = None
        self.interrupt()
        while self._syncs:
            self._syncs.popleft().set()
