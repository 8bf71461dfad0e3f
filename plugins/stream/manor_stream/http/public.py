"""Operations: what everybody may know of the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import trio

from manor import PUBLIC, Door, Reply, Request, Route
from manor_stream.http.api import POLLED_API, PUBLIC_API, UNCACHED, uncached
from manor_stream.http.public_config import PublicConfig, public_config
from manor_stream.markdown import render_page
from manor_stream.parts import Shared
from manor_stream.quality import Quality
from manor_stream.settings import SocialHandle, StreamSettings
from manor_stream.watching.emoji import emoji_paths
from manor_stream.watching.logo import logo_url
from manor_stream.watching.platforms import PLATFORMS, badge_path


class DirectoryEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a directory reads of this server."""

    name: str
    description: str
    stream_title: str
    logo: str
    nsfw: bool
    tags: Sequence[str]
    online: bool
    viewer_count: int
    overall_max_viewer_count: int
    session_max_viewer_count: int
    last_connect_time: datetime | None
    social_handles: Sequence[SocialHandle]


class Emoji(msgspec.Struct, frozen=True):
    """A picture for the chat; `url` is `emoji` under the name that today's clients know."""

    name: str
    emoji: str
    url: str


class Platform(msgspec.Struct, frozen=True):
    """A platform that social handles may name."""

    platform: str
    icon: str


class Variant(msgspec.Struct, frozen=True):
    """A quality that viewers may choose; `index` is its place below /hls."""

    name: str
    index: int


class PublicReads:
    """Answers questions for what everybody may know.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._config: tuple[StreamSettings, Reply] | None = None

    def routes(self) -> list[Route]:
        """All of them, for everybody; a ping takes the short way, for players send one each few seconds."""
        reads = {
            "/api/config": (self.config, PublicConfig),
            "/api/yp": (self.directory_entry, DirectoryEntry),
            "/api/emoji": (self.emoji, list[Emoji]),
            "/api/socialplatforms": (self.platforms, dict[str, Platform]),
            "/api/video/variants": (self.variants, list[Variant]),
        }
        return [
            *(
                Route("GET", path, handler, api=PUBLIC_API, access=PUBLIC, returns=returns)
                for path, (handler, returns) in reads.items()
            ),
            Route("GET", "/api/ping", self.ping, api=POLLED_API, access=PUBLIC, returns=bytes, door=Door.AT_ONCE),
            Route("POST", "/api/ping", self.ping, api=POLLED_API, access=PUBLIC, returns=bytes, door=Door.BARE),
        ]

    async def config(self, request: Request) -> Reply:
        """What the server is called, and what its pages show."""
        settings = self._shared.settings.now
        if self._config is None or self._config[0] is not settings:
            # A long page takes a while, once for each change.
            content = await trio.to_thread.run_sync(render_page, settings.page_content)
            offline = await trio.to_thread.run_sync(render_page, settings.offline_message)
            shown = public_config(settings, page_content=content, offline_message=offline)
            self._config = settings, uncached(shown)
        return self._config[1]

    def directory_entry(self, request: Request) -> Reply:
        """What a directory reads."""
        settings, viewers, on_air = self._shared.settings.now, self._shared.viewers, self._shared.on_air
        return uncached(
            DirectoryEntry(
                name=settings.name,
                description=settings.summary,
                stream_title=settings.stream_title,
                logo=logo_url(settings.logo),
                nsfw=settings.nsfw,
                tags=settings.tags,
                online=on_air.is_online,
                viewer_count=viewers.live_count,
                overall_max_viewer_count=viewers.overall_peak,
                session_max_viewer_count=viewers.session_peak,
                last_connect_time=on_air.last_connected_at,
                social_handles=settings.social_handles,
            )
        )

    def emoji(self, request: Request) -> list[Emoji]:
        """The pictures that messages in the chat may have."""
        return [Emoji(name, path, path) for name, path in emoji_paths().items()]

    def platforms(self, request: Request) -> Reply:
        """The platforms that social handles may name, and their badges."""
        known = {name: Platform(title, badge_path(name)) for name, (title, _) in PLATFORMS.items()}
        return Reply(msgspec.json.encode(known))

    def variants(self, request: Request) -> Reply:
        """The qualities that viewers may choose, the best first."""
        on_air = self._shared.on_air
        qualities = on_air.qualities if on_air.is_online and on_air.qualities else self._shared.settings.now.qualities
        ranked = sorted(enumerate(qualities), key=lambda each: (not each[1].video_passthrough, -each[1].bitrate))
        return uncached([Variant(_name_of(quality), index) for index, quality in ranked])

    def ping(self, request: Request) -> Reply:
        """Say that one watches: for players whose playlists come from elsewhere."""
        self._shared.viewers.touch(request.head.address, request.headers.get("user-agent") or "")
        return Reply(b"", 200, "", UNCACHED)


def _name_of(quality: Quality) -> str:
    if quality.name:
        return quality.name
    if quality.video_passthrough:
        return "As broadcast"
    return f"{quality.scaled_height}p" if quality.scaled_height else f"{quality.bitrate} kbit/s"
