"""Channels, who is in them, and what they have read."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.channel_lists import list_routes
from manor_chat.http.channel_members import member_routes
from manor_chat.http.channels import channel_routes
from manor_chat.http.channels_reading import reading_routes
from manor_chat.http.channels_viewing import viewing_routes
from manor_chat.parts import Shared


class Channels(Part):
    """The tag channels, but for the sidebar."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        shared = self._shared
        return [
            *channel_routes(shared),
            *reading_routes(shared),
            *viewing_routes(shared),
            *member_routes(shared),
            *list_routes(shared),
        ]
