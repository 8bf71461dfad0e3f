"""Looking at what people link to: pages, pictures, and where an address leads. All of it through the guarded client."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from manor import Outgoing, OutgoingFailed, OutgoingRefused, Response
from manor_chat.domain.opengraph import Page, absolute, read_page
from manor_chat.files.kinds import LOOKED_AT, PICTURES, kind_of
from manor_chat.links.remembering import Remembered

SECONDS = 10.0
KNOWN_SECONDS = 3600.0
MOST_PAGE = 2 * 1024 * 1024
MOST_PICTURE = 8 * 1024 * 1024
PAGES_KNOWN = 500
PICTURES_KNOWN = 32 * 1024 * 1024
"""Bytes."""

MOST_AT_ONCE = 4

_PICTURES = PICTURES | {"image/avif"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NoPictureThere(Exception):
    """The address leads to none that can be shown; the text says why."""


@dataclass(frozen=True)
class Picture:
    """A picture of another server."""

    content: bytes
    kind: str


class Looking:
    """Looks, and remembers for a while what there was."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._turns = trio.CapacityLimiter(MOST_AT_ONCE)
        self._pages = Remembered[Page](seconds=KNOWN_SECONDS, room=PAGES_KNOWN)
        self._places = Remembered[str](seconds=KNOWN_SECONDS, room=PAGES_KNOWN)
        self._pictures = Remembered[Picture](
            seconds=KNOWN_SECONDS, room=PICTURES_KNOWN, weigh=lambda picture: len(picture.content)
        )

    async def page(self, url: str) -> Page:
        """What a page says of itself; of one that cannot be had only its address."""
        known = self._pages.get(url)
        if known is not None:
            return known
        try:
            answer = await self._fetched(url, "text/html,application/xhtml+xml", MOST_PAGE)
        except (OutgoingFailed, OutgoingRefused):
            self._pages.keep(url, Page(url))
            return Page(url)
        return await self._read(url, answer)

    async def place(self, url: str) -> str:
        """Where an address leads on to; "" where it leads nowhere else."""
        known = self._places.get(url)
        if known is not None:
            return known
        place = ""
        try:
            async with self._turns:
                answer = await self._outgoing.request("HEAD", url, timeout=SECONDS, redirects=0)
            if answer.status in _REDIRECTS:
                place = absolute(url, answer.headers.get("location") or "")
        except (OutgoingFailed, OutgoingRefused):
            place = ""
        self._places.keep(url, place)
        return place

    async def picture(self, url: str) -> Picture:
        """A picture.

        Raises:
            NoPictureThere: There is none, or it is too large.
        """
        known = self._pictures.get(url)
        if known is not None:
            return known
        try:
            answer = await self._fetched(url, "image/*", MOST_PICTURE)
        except (OutgoingFailed, OutgoingRefused) as error:
            raise NoPictureThere(str(error)) from error
        kind = kind_of(answer.body[:LOOKED_AT], "bmp")
        if answer.status != 200 or kind not in _PICTURES:
            raise NoPictureThere(f"{answer.status}, {kind}")
        picture = Picture(answer.body, kind)
        self._pictures.keep(url, picture)
        return picture

    async def anything(self, url: str) -> Page | Picture | None:
        """The page or the picture at an address; None for neither."""
        known = self._pages.get(url) or self._pictures.get(url)
        if known is not None:
            return known
        try:
            answer = await self._fetched(url, "text/html,application/xhtml+xml,image/*;q=0.9", MOST_PICTURE)
        except (OutgoingFailed, OutgoingRefused):
            return None
        if answer.status != 200:
            return None
        kind = kind_of(answer.body[:LOOKED_AT], "bmp")
        if kind in _PICTURES:
            picture = Picture(answer.body, kind)
            self._pictures.keep(url, picture)
            return picture
        return await self._read(url, answer)

    async def _read(self, url: str, answer: Response) -> Page:
        page = Page(url)
        kind = (answer.headers.get("content-type") or "").lower()
        if answer.status == 200 and "html" in kind:
            page = await trio.to_thread.run_sync(read_page, url, kind, answer.body, limiter=self._turns)
        self._pages.keep(url, page)
        return page

    async def _fetched(self, url: str, accept: str, most_bytes: int) -> Response:
        async with self._turns:
            return await self._outgoing.request(
                "GET", url, headers={"accept": accept}, timeout=SECONDS, most_bytes=most_bytes
            )
