"""The pictures' routes."""

from __future__ import annotations

from collections.abc import Sequence

from manor import PUBLIC, Reply, Request, Route
from manor_stream.http.api import PUBLIC_API, UNCACHED
from manor_stream.pictures.taking import Photographer
from manor_stream.watching.logo import LOGO_PATH


class PictureOperations:
    """Show what was taken last, or the logo while there is nothing to take.

    Args:
        photographer: Takes them.
    """

    def __init__(self, photographer: Photographer) -> None:
        self._photographer = photographer

    @property
    def routes(self) -> Sequence[Route]:
        """For the hook."""
        return [
            Route(
                "GET",
                "/thumbnail.jpg",
                self.thumbnail,
                api=PUBLIC_API,
                access=PUBLIC,
                returns=bytes,
                tag="Stream media",
            ),
            Route(
                "GET", "/preview.gif", self.preview, api=PUBLIC_API, access=PUBLIC, returns=bytes, tag="Stream media"
            ),
        ]

    async def thumbnail(self, request: Request) -> Reply:
        """A frame of the broadcast, some twenty seconds old at most; leads to the logo while nothing is on."""
        return _picture(self._photographer.newest.thumbnail, "image/jpeg")

    async def preview(self, request: Request) -> Reply:
        """A second of the broadcast that moves; leads to the logo while nothing is on."""
        return _picture(self._photographer.newest.preview, "image/gif")


def _picture(data: bytes, content_type: str) -> Reply:
    if not data:
        return Reply(b"", 302, "", {"Location": LOGO_PATH, **UNCACHED})
    return Reply(data, 200, content_type, UNCACHED)
