"""The routes below /hls: playlists and segments, from memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from manor import BASIC_RESPONSE, PUBLIC, Api, Door, NotFound, Rate, Reply, Request, Route
from manor_stream.hls.playlists import render_master
from manor_stream.hls.ranges import UNSATISFIABLE, is_unchanged, wanted_range
from manor_stream.hls.window import Segment, Window
from manor_stream.http.api import ANYWHERE, UNCACHED

PLAYLIST_TYPE = "application/x-mpegURL"
SEGMENT_TYPE = "video/mp2t"
SEGMENT_CACHING = "public, max-age=60, immutable"

VIDEO_API = Api("stream video", BASIC_RESPONSE, places=(), anonymous_rate=Rate(12_000), headers=ANYWHERE, cors=False)
"""What players fetch. A household or a school behind one address is many of them: it may have 200 a second."""

_NUMBERS = {str(number): number for number in range(100)}
"""Variants as URLs name them; looked up, so that no other spelling of a number is one."""


def nowhere_else(variant: int) -> str | None:
    """For a server that serves all variants itself."""
    return None


def nobody_minds() -> None:
    """For a server that has nothing to show while nothing is on."""


@dataclass(frozen=True)
class _Rendered:
    key: Any
    reply: Reply


class VideoHandlers:
    """Answers players.

    Args:
        window: What there is.
        touch: Told address and program of whoever fetches a playlist.
        base_url: Where a variant is served instead of here: the URL that `/stream.m3u8` is added to; None for here.
        on_empty: Told when a player asks and there is nothing.
    """

    def __init__(
        self,
        window: Window,
        touch: Callable[[str, str], None],
        base_url: Callable[[int], str | None] = nowhere_else,
        on_empty: Callable[[], None] = nobody_minds,
    ) -> None:
        self._window = window
        self._touch = touch
        self._base_url = base_url
        self._on_empty = on_empty
        self._master = _Rendered(None, Reply())
        self._playlists: dict[int, _Rendered] = {}

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("GET", "/hls/stream.m3u8", self.master, api=VIDEO_API, access=PUBLIC, door=Door.AT_ONCE),
            Route("GET", "/hls/{variant}/stream.m3u8", self.playlist, api=VIDEO_API, access=PUBLIC, door=Door.AT_ONCE),
            Route(
                "GET",
                "/hls/{variant}/{segment}",
                self.segment,
                api=VIDEO_API,
                access=PUBLIC,
                door=Door.AT_ONCE,
                errors=(404, 416),
                headers={
                    "Range": "One range of bytes; several are answered with the whole segment.",
                    "If-Range": "The ETag that the range is of.",
                    "If-None-Match": "ETags of what the client has; a segment never changes.",
                },
            ),
        ]

    def master(self, request: Request) -> Reply:
        """The qualities that there are."""
        if self._window.is_empty:
            self._on_empty()
            raise _nothing("There is nothing to watch yet")
        self._note_viewer(request)
        variants = self._window.variants
        urls = tuple(self._base_url(number) for number in range(len(variants)))
        key = (variants, urls)
        if self._master.key != key:
            named = [f"{url or number}/stream.m3u8" for number, url in enumerate(urls)]
            self._master = _Rendered(key, _playlist(render_master(list(zip(variants, named, strict=True)))))
        return self._master.reply

    def playlist(self, request: Request) -> Reply:
        """The newest segments of one quality."""
        number = _NUMBERS.get(request.params["variant"], -1)
        body = self._window.playlist(number)
        if body is None or self._base_url(number) is not None:
            raise _nothing("There is no such playlist here; /hls/stream.m3u8 names those that there are")
        self._note_viewer(request)
        rendered = self._playlists.get(number)
        if rendered is None or rendered.key is not body:
            rendered = self._playlists[number] = _Rendered(body, _playlist(body))
        return rendered.reply

    def segment(self, request: Request) -> Reply:
        """Some seconds of one quality."""
        found = self._window.find(_NUMBERS.get(request.params["variant"], -1), request.params["segment"])
        if found is None:
            raise _nothing("There is no such segment, or not any more; playlists name those that there are")
        etag = f'"{found.name}"'
        headers = {"Cache-Control": SEGMENT_CACHING, "ETag": etag, "Accept-Ranges": "bytes"}
        if is_unchanged(request.head, etag):
            return Reply(status=304, content_type="", headers=headers)
        return _part(request, found, headers)

    def _note_viewer(self, request: Request) -> None:
        if request.head.method == "GET":
            self._touch(request.head.address, request.headers.get("user-agent") or "")


def _nothing(detail: str) -> NotFound:
    # A cache may keep a 404 as it likes (RFC 9110 section 15.1): viewers behind it would miss how the stream begins.
    return NotFound(detail, headers=UNCACHED)


def _playlist(body: bytes) -> Reply:
    return Reply(body, content_type=PLAYLIST_TYPE, headers=UNCACHED)


def _part(request: Request, segment: Segment, headers: dict[str, str]) -> Reply:
    data = segment.data
    wanted = wanted_range(request.head, headers["ETag"], len(data))
    if wanted is None:
        return Reply(data, content_type=SEGMENT_TYPE, headers=headers)
    if wanted is UNSATISFIABLE:
        said = msgspec.json.encode(
            {"success": False, "message": f"The segment has {len(data)} bytes, and none of these"}
        )
        return Reply(said, 416, headers={"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(data)}"
    return Reply(data[wanted.start : wanted.stop], 206, SEGMENT_TYPE, headers)
