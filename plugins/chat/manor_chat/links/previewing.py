"""Looking at what posts link to, once they are posted: nobody's post waits for another server.

Whoever sees the post already is told of it anew when there is more to show.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec
import trio

from manor import Refused, Transaction, from_chat_id
from manor_chat.domain.image_links import image_links
from manor_chat.domain.links import first_link
from manor_chat.domain.opengraph import Page, is_web_address
from manor_chat.events import Told
from manor_chat.files.imaging import NoPicture, Studio, TooManyPixels, Whole
from manor_chat.links.looking import Looking, Picture
from manor_chat.parts import Shared
from manor_chat.posts.showing import show_posts
from manor_chat.store.links import Kind, Said, find_said, keep_said
from manor_chat.store.posts import Post, change_post, find_post
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds

MOST_WAITING = 200
"""Posts whose links are not looked at yet; with more, new ones stay plain links."""

WORKERS = 3
FRESH = 86_400_000
"""Milliseconds for which an address is not looked at again."""

_POSTS = frozenset({"posted", "post_edited"})


class Previewed(msgspec.Struct, frozen=True):
    """What a post shows of its links."""

    embeds: list[dict[str, Any]] = []
    images: dict[str, Any] = {}


class PostSeen(msgspec.Struct, frozen=True):
    """Of a post as the sockets are told of it."""

    id: str
    message: str
    type: str
    metadata: Previewed = Previewed()


class ToldPost(msgspec.Struct, frozen=True):
    """Of the data of such an event."""

    post: str


class Previewing:
    """Keeps what other servers say of the links in posts."""

    def __init__(self, shared: Shared, looking: Looking, studio: Studio) -> None:
        self._shared = shared
        self._looking = looking
        self._studio = studio
        self._send, self._receive = trio.open_memory_channel[bytes](MOST_WAITING)

    def hear(self, told: Told) -> None:
        """Take note of a post with a link."""
        if told.event in _POSTS and b"://" in told.data and self._shared.config.link_previews:
            try:
                self._send.send_nowait(told.data)
            except trio.WouldBlock:
                self._shared.context.log.debug("too many links to look at all of them")

    async def run(self) -> None:
        """Look at links, until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            data = await self._receive.receive()
            post = msgspec.json.decode(msgspec.json.decode(data, type=ToldPost).post, type=PostSeen)
            if post.type.startswith("system_"):
                continue
            try:
                await self._look_at_all(post)
            except Refused as refused:
                self._shared.context.log.warning("a post's links stay plain", reason=refused.detail)

    async def _look_at_all(self, post: PostSeen) -> None:
        link = first_link(post.message)
        linked = dict.fromkeys([*([link] if link else []), *image_links(post.message)])
        urls = [url for url in linked if is_web_address(url)]
        if not urls:
            return
        known = await self._shared.storage.read(lambda transaction: find_said(transaction, urls))
        now = to_milliseconds(self._shared.context.clock.now())
        for url in urls:
            if url not in known or known[url].looked_at < now - FRESH:
                await self._look_at(url)
        if await self._shared.storage.read(lambda transaction: _more_of(transaction, post)) is not None:
            await self._shared.storage.write(lambda transaction: _show_more(transaction, post))

    async def _look_at(self, url: str) -> None:
        seen = await self._looking.anything(url)
        kind: Kind = "none"
        said: dict[str, Any] = {}
        match seen:
            case Page(title=title) if title:
                kind, said = "page", asdict(seen)
            case Picture():
                kind, said = await self._size_of(seen)

        def work(transaction: Transaction) -> None:
            now = to_milliseconds(transaction.now)
            keep_said(transaction, url, Said(kind=kind, said=said, looked_at=now))

        await self._shared.storage.write(work)

    async def _size_of(self, picture: Picture) -> tuple[Kind, dict[str, Any]]:
        try:
            drawn = await self._studio.draw("file", Whole(picture.content), self._shared.config.max_image_pixels)
        except (NoPicture, TooManyPixels):
            return "none", {}
        size = {"width": drawn.width, "height": drawn.height, "format": drawn.format, "frame_count": drawn.frames}
        return "image", size


def _more_of(transaction: Transaction, seen: PostSeen) -> Post | None:
    """The post, if it shows something else of its links than it did when it was told of."""
    post_id = from_chat_id(seen.id)
    post = None if post_id is None else find_post(transaction, post_id)
    if post is None or post.delete_at or post.message != seen.message:
        return None
    (shown,) = show_posts(transaction, [post])
    return None if Previewed(shown.metadata.embeds, shown.metadata.images) == seen.metadata else post


def _show_more(transaction: Transaction, seen: PostSeen) -> None:
    """Tell those in its channel of the post as it is now. It was not edited; but clients keep what is not newer."""
    post = _more_of(transaction, seen)
    if post is not None:
        now = max(to_milliseconds(transaction.now), post.update_at + 1)
        (shown,) = show_posts(transaction, [change_post(transaction, post, update_at=now)])
        tell(transaction, "post_edited", {"post": as_text(shown)}, channel_id=post.channel_id)
