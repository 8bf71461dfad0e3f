"""Bookmarks of channels, over HTTP: there are none, for nothing here makes them."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route
from manor_chat.http.answers import answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_param
from manor_chat.parts import Shared


class BookmarksQuery(msgspec.Struct, frozen=True):
    """Only those that changed since, in milliseconds."""

    bookmarks_since: str = ""


def bookmark_routes(shared: Shared) -> list[Route]:
    """The operation."""

    async def list_bookmarks(request: Request[None, BookmarksQuery]) -> Reply:
        """None, for whoever may read the channel."""
        channel_id = id_param(request, "channel_id")
        await shared.read(request, lambda transaction, rights: rights.readable_channel(channel_id))
        return answer([])

    return [
        operation(shared.api, "GET /channels/{channel_id}/bookmarks", list_bookmarks, access=SIGNED_IN,
                  tag="bookmarks", query=BookmarksQuery),
    ]  # fmt: skip
