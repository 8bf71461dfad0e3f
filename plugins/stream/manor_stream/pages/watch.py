"""The front page: what is on, and the chat beside it."""

from __future__ import annotations

from manor import PUBLIC, Reply, Request, Route
from manor_stream.pages.face import (
    WATCH_PAGES,
    Face,
    action_links,
    picture_policy,
    rendered,
    social_links,
    style_of,
    video_policy,
)
from manor_stream.parts import Shared


class WatchPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        self._shared = shared
        self._face = face

    def routes(self) -> list[Route]:
        """The one page."""
        return [self._face.pages.page("GET", "/", self.watch, api=WATCH_PAGES, access=PUBLIC, returns=Reply)]

    def watch(self, request: Request) -> Reply:
        """What is on, and what people say to it."""
        settings = self._shared.settings.now
        offline, content = rendered(settings.offline_message), rendered(settings.page_content)
        return self._face.show(
            request,
            "watch.html",
            policy={**video_policy(settings.s3), **picture_policy(offline + content)},
            settings=settings,
            on_air=self._shared.on_air,
            custom_style=style_of(settings),
            offline=offline,
            content=content,
            elsewhere=settings.s3.enabled,
            has_chat=not settings.is_chat_disabled,
            links=social_links(settings.social_handles),
            actions=action_links(settings.external_actions),
        )
