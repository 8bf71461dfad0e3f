"""The video and the chat by themselves, to stand in pages of other sites."""

from __future__ import annotations

from functools import partial
from typing import Any

from manor import PUBLIC, Reply, Request, Route
from manor_stream.pages.face import WATCH_PAGES, Face, picture_policy, rendered, style_of, video_policy
from manor_stream.parts import Shared

ANYWHERE = {"frame-ancestors": "*"}


class EmbedPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        self._shared = shared
        self._face = face

    def routes(self) -> list[Route]:
        """The video, and the chat with or without a place to write."""
        page = partial(self._face.pages.page, "GET", api=WATCH_PAGES, access=PUBLIC, returns=Reply)
        return [
            page("/embed/video", self.video),
            page("/embed/chat", self.read_chat),
            page("/embed/chat/readonly", self.read_chat),
            page("/embed/chat/readwrite", self.write_chat),
        ]

    def video(self, request: Request) -> Reply:
        """The player alone."""
        settings = self._shared.settings.now
        offline = rendered(settings.offline_message)
        return self._show(
            request,
            "video",
            policy={**video_policy(settings.s3), **picture_policy(offline), **ANYWHERE},
            on_air=self._shared.on_air,
            offline=offline,
            elsewhere=settings.s3.enabled,
        )

    def read_chat(self, request: Request) -> Reply:
        """The chat to look at."""
        return self._chat(request, can_write=False)

    def write_chat(self, request: Request) -> Reply:
        """The chat to take part in."""
        return self._chat(request, can_write=True)

    def _chat(self, request: Request, *, can_write: bool) -> Reply:
        has_chat = not self._shared.settings.now.is_chat_disabled
        return self._show(request, "chat", policy=ANYWHERE, has_chat=has_chat, can_write=can_write)

    def _show(self, request: Request, part: str, *, policy: dict[str, str], **values: Any) -> Reply:
        settings = self._shared.settings.now
        custom_style = style_of(settings)
        return self._face.show(
            request, "embed.html", policy=policy, settings=settings, custom_style=custom_style, part=part, **values
        )
