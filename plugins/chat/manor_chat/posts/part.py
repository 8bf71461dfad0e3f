"""Posts and reactions."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Migration, Part, Route
from manor_chat.http.post_edits import edit_routes
from manor_chat.http.post_lists import list_routes
from manor_chat.http.posts import post_routes
from manor_chat.http.reactions import reaction_routes
from manor_chat.migrations.posts import STEPS
from manor_chat.parts import Shared


class Posts(Part):
    """The tags posts and reactions."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def migrations(self) -> Sequence[Migration]:
        """Drafts and an index."""
        return STEPS

    def routes(self) -> Sequence[Route]:
        """Operations."""
        shared = self._shared
        return [*post_routes(shared), *list_routes(shared), *edit_routes(shared), *reaction_routes(shared)]
