"""What other servers say of links, over HTTP: previews of pages, pictures, where an address leads."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import msgspec

from manor import PUBLIC, Rate, Reply, Request, Route
from manor_chat import faults
from manor_chat.domain.opengraph import Page, is_web_address
from manor_chat.http.answers import answer, is_known
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.file_answers import headers_of
from manor_chat.links.looking import Looking, NoPictureThere
from manor_chat.parts import Shared

_LOOKS = Rate(120, burst=60)
_PICTURES = Rate(600, burst=300)


class UrlBody(msgspec.Struct, frozen=True):
    """The page."""

    url: str = ""


class UrlQuery(msgspec.Struct, frozen=True):
    """The address."""

    url: str = ""


class LinksHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, looking: Looking) -> None:
        self._shared = shared
        self._looking = looking

    async def opengraph(self, request: Request[UrlBody]) -> Reply:
        """What a page says of itself. Who has not signed in is told its address only: nobody looks on their behalf."""
        if not self._shared.config.link_previews:
            raise faults.switched_off("api.post.link_preview_disabled.app_error", "Link previews have been disabled")
        url = request.body.url
        if not is_web_address(url):
            raise faults.bad_body_param("url")
        page = Page(url) if request.user_id is None else await self._looking.page(url)
        return answer({name: value for name, value in asdict(page).items() if value})

    async def redirect_location(self, request: Request[None, UrlQuery]) -> Reply:
        """Where an address leads on to."""
        url = request.query.url
        if not is_web_address(url):
            raise faults.bad_url_param("url")
        place = await self._looking.place(url) if self._shared.config.link_previews else ""
        return answer({"location": place})

    async def image(self, request: Request[None, UrlQuery]) -> Reply:
        """A picture of another server, which so learns nothing of who looks at it."""
        if not self._shared.config.image_proxy:
            raise faults.switched_off("api.image.get.app_error", "The image proxy has been disabled")
        url = request.query.url
        if not is_web_address(url):
            raise faults.bad_value("api.image.get.app_error", "The address of a picture is expected.")
        try:
            picture = await self._looking.picture(url)
        except NoPictureThere as error:
            raise faults.bad_value("api.image.get.app_error", "There is no picture at this address.") from error
        tag = blake2b(picture.content, digest_size=12).hexdigest()
        headers = headers_of(tag, "image", picture.kind)
        if is_known(request, headers["ETag"]):
            return Reply(b"", 304, "", headers)
        return Reply(picture.content, content_type=picture.kind, headers=headers)


def links_routes(shared: Shared, looking: Looking) -> list[Route]:
    """The operations."""
    here, api = LinksHandlers(shared, looking), shared.api
    more: Any = {"tag": "system"}
    return [
        operation(api, "POST /opengraph", here.opengraph, access=PUBLIC, body=UrlBody, rate=_LOOKS, errors=(501,),
                  **more),
        operation(api, "GET /redirect_location", here.redirect_location, access=SIGNED_IN, query=UrlQuery,
                  rate=_LOOKS, **more),
        operation(api, "GET /image", here.image, access=SIGNED_IN, query=UrlQuery, returns=Reply, rate=_PICTURES,
                  errors=(501,), **more),
    ]  # fmt: skip
