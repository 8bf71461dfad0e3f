"""Operations: the logo, and pictures that come with the plugin."""

from __future__ import annotations

from collections.abc import Mapping

from manor import PUBLIC, NotFound, Reply, Request, Route
from manor_stream.http.api import PUBLIC_API
from manor_stream.parts import Shared
from manor_stream.watching.emoji import EMOJI_PATH, emoji_files
from manor_stream.watching.logo import LOGO_PATH, Picture, logo_of
from manor_stream.watching.platforms import BADGE_PATH, badges

KEPT_FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}

# A picture of this kind that is opened as a page may hold a script: it is not to run with the server's rights.
ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}


class PictureReads:
    """Serves pictures.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> list[Route]:
        """All of them, for everybody."""
        served = ((LOGO_PATH, self.logo), (f"{EMOJI_PATH}{{file}}", self.emoji), (f"{BADGE_PATH}{{file}}", self.badge))
        return [Route("GET", path, handler, api=PUBLIC_API, access=PUBLIC, returns=bytes) for path, handler in served]

    def logo(self, request: Request) -> Reply:
        """The server's logo."""
        logo = logo_of(self._shared.settings.now.logo)
        if not isinstance(logo, Picture):
            return Reply(b"", 302, "", {"Location": logo, "Cache-Control": "no-cache"})
        headers = {"Cache-Control": "no-cache", "ETag": logo.etag, **ALONE}
        if logo.etag in (request.headers.get("if-none-match") or ""):
            return Reply(b"", 304, "", headers)
        return Reply(logo.body, 200, logo.content_type, headers)

    def emoji(self, request: Request) -> Reply:
        """An emoji's picture."""
        return _picture(emoji_files(), request.params["file"])

    def badge(self, request: Request) -> Reply:
        """A platform's badge."""
        return _picture(badges(), request.params["file"])


def _picture(files: Mapping[str, bytes], name: str) -> Reply:
    body = files.get(name)
    if body is None:
        raise NotFound("There is no such picture")
    return Reply(body, 200, "image/svg+xml", {**KEPT_FOR_A_DAY, **ALONE})
