"""Who is there now."""

from __future__ import annotations

from uuid import UUID


class Presence:
    """Statuses in memory: asked by those who write posts, on whatever thread; changed on the loop alone."""

    def __init__(self) -> None:
        self._statuses: dict[UUID, str] = {}

    def is_online(self, user_id: UUID) -> bool:
        """Whether somebody is there."""
        return self._statuses.get(user_id) == "online"
