"""The sidebar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import Migration, Part, Route, Transaction
from manor_chat.http.sidebar import sidebar_routes
from manor_chat.migrations.sidebar import STEPS
from manor_chat.parts import Shared
from manor_chat.sidebar.arranged import look
from manor_chat.store.sidebar import remove_some, teams_with_sidebar
from manor_chat.wire.sidebar import OrderedSidebarCategories

SECTION = "chat_sidebars"


class Sidebar(Part):
    """Categories, and which channels are in them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return sidebar_routes(self._shared)

    def migrations(self) -> Sequence[Migration]:
        """Its tables."""
        return STEPS

    # --- A person's data -------------------------------------------------------------------------------------------

    def sections(self) -> Sequence[str]:
        """Sidebars that somebody has arranged, one of each team."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """All of somebody's."""

        def work(transaction: Transaction) -> list[OrderedSidebarCategories]:
            found = teams_with_sidebar(transaction, user_id)
            return [look(transaction, user_id, team_id).show_all() for team_id in found]

        for sidebar in await self._shared.storage.read(work):
            yield SECTION, sidebar

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove some of somebody's."""
        return remove_some(transaction, user_id, limit)
