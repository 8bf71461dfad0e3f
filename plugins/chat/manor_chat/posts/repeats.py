"""Posts that clients send twice: an answer got lost, so the same comes again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import trio

SECONDS = 30.0
MOST = 10_000
LONGEST = 128
"""Characters of a name that is remembered: a user's id, a colon and a time are 40."""


@dataclass
class _Attempt:
    began: float
    is_over: trio.Event = field(default_factory=trio.Event)
    post_id: UUID | None = None


class Repeats:
    """Remembers for half a minute what clients called their posts, of some thousands; in memory alone."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[tuple[UUID, str], _Attempt] = OrderedDict()

    def __len__(self) -> int:
        return len(self._attempts)

    async def once(self, author_id: UUID, pending_post_id: str, write: Callable[[], Awaitable[UUID]]) -> UUID | None:
        """Write a post unless it was written already.

        A repeat waits for the first attempt; when that fails, it is one itself.

        Args:
            author_id: Who writes.
            pending_post_id: What their client calls it; "", or something longer than any name, is
                never a repeat.
            write: Writes it, and gives its id.

        Returns:
            The id of the post that was written before, or None when it is new.
        """
        if not 0 < len(pending_post_id) <= LONGEST:
            await write()
            return None
        key = author_id, pending_post_id
        while (before := self._found(key)) is not None:
            await before.is_over.wait()
            if before.post_id is not None:
                return before.post_id
        attempt = self._attempts[key] = _Attempt(trio.current_time())
        try:
            attempt.post_id = await write()
        finally:
            attempt.is_over.set()
            if attempt.post_id is None and self._attempts.get(key) is attempt:
                del self._attempts[key]
        return None

    def _found(self, key: tuple[UUID, str]) -> _Attempt | None:
        """The attempt of this name; what is too old, or too much, is forgotten on the way."""
        oldest = trio.current_time() - SECONDS
        while self._attempts:
            first = next(iter(self._attempts))
            if self._attempts[first].began > oldest and len(self._attempts) < MOST:
                break
            del self._attempts[first]
        return self._attempts.get(key)
