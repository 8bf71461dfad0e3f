"""The end of a page's stream: it says no more once the sign-in that opened it is not fresh any longer."""

from __future__ import annotations

import math
from collections.abc import Callable
from uuid import UUID

import trio

MARGIN = 1.0
"""Seconds beyond: by then the door has attached a stream that was opened at the last moment."""


class StreamEndings:
    """Ends streams of sessions when their time is over. Who has typed the password meanwhile comes back by itself.

    Args:
        end: Ends all streams of a session.
    """

    def __init__(self, end: Callable[[UUID], None]) -> None:
        self._end = end
        self._due: dict[UUID, float] = {}
        self._is_news = trio.Event()

    def end_after(self, session_id: UUID, seconds: float) -> None:
        """Have a session's streams end in so many seconds; what was said of it before is forgotten."""
        self._due[session_id] = trio.current_time() + seconds + MARGIN
        self._is_news.set()

    async def run(self) -> None:
        """End them, as long as the house is open."""
        while True:
            with trio.move_on_at(min(self._due.values(), default=math.inf)):
                await self._is_news.wait()
            self._is_news = trio.Event()
            now = trio.current_time()
            for session_id in [session_id for session_id, due in self._due.items() if due <= now]:
                del self._due[session_id]
                self._end(session_id)
