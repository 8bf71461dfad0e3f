"""Custom emoji, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from manor import SYSTEM_ID, Migration, Part, Route, Transaction
from manor_chat.files.imaging import Studio
from manor_chat.http.emoji import emoji_routes
from manor_chat.migrations.files import EMOJI
from manor_chat.parts import Shared
from manor_chat.store.emoji import give_emojis


class CustomEmoji(Part):
    """The tag emoji."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._studio = studio

    def migrations(self) -> Sequence[Migration]:
        """The emoji."""
        return [EMOJI]

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return emoji_routes(self._shared, self._studio)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """What others use stays; who made it is forgotten."""
        return give_emojis(transaction, user_id, SYSTEM_ID, limit)
