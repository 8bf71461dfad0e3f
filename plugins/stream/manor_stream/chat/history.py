"""What somebody who comes is shown: read once for all who come before something changes."""

from __future__ import annotations

import trio

from manor import Storage
from manor_stream.chat import store
from manor_stream.chat.frames import encode

KEPT_SECONDS = 60.0
"""After that it is read anew though nothing was said: its oldest messages leave it with time."""


class History:
    """The newest messages that are seen, as JSON. A broadcast that begins brings everybody at once.

    Args:
        storage: Where they are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._reading = trio.Lock()
        self._changes = 0
        self._kept = b""
        self._kept_until = float("-inf")

    def forget(self, event: object = None) -> None:
        """Something in it is otherwise now: a message, or somebody who wrote one. For INLINE subscriptions."""
        self._changes += 1
        self._kept_until = float("-inf")

    async def read(self) -> bytes:
        """An array of messages, the oldest first."""
        async with self._reading:
            if trio.current_time() >= self._kept_until:
                changes = self._changes
                self._kept = encode(await self._storage.read(store.history))
                # What changed during the read may not be in it: then it is right for whoever asked before, and no more.
                if changes == self._changes:
                    self._kept_until = trio.current_time() + KEPT_SECONDS
            return self._kept
