"""A person's data in chat, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import Part, Transaction
from manor_chat.parts import Shared
from manor_chat.privacy.erasing import erase
from manor_chat.privacy.exported import SECTIONS, export
from manor_chat.search.index import catch_up
from manor_chat.search.merging import Merging


class Privacy(Part):
    """Posts, memberships, preferences and the like; it has to be asked last, for it cleans the index of posts too."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._merging = Merging()

    def sections(self) -> Sequence[str]:
        """Members of a person's export."""
        return SECTIONS

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """All of it, section after section."""
        async for section, row in export(self._shared.storage, user_id):
            yield section, row

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove some of it; at the end, words of posts that are gone out of the index."""
        gone = erase(transaction, user_id, limit)
        if gone:
            self._merging.begin()
            return gone
        return 1 if catch_up(transaction) or self._merging.step(transaction.connection) else 0
