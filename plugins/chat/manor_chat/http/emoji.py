"""Custom emoji over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from manor import NoSuchBlob, NotFound, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.emoji.making import LARGEST, Making, missing_emoji
from manor_chat.files.imaging import Studio
from manor_chat.forms.whole import read_form
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.file_answers import send_picture
from manor_chat.http.params import PageQuery, id_member, id_param
from manor_chat.parts import Shared
from manor_chat.store.emoji import (
    Emoji,
    find_by_names,
    find_emoji,
    find_emoji_by_name,
    list_emojis,
    search_emojis,
)
from manor_chat.wire.emoji import EmojiShown, show_emoji

MOST_FOUND = 100
MOST_NAMES = 200
_ROOM_FOR_A_FORM = 65_536
_NAME = re.compile(r"[a-zA-Z0-9_+-]{1,64}")


class EmojiQuery(PageQuery, frozen=True, kw_only=True):
    """Which part of the list; `sort=name` orders it by name."""

    sort: str = ""


class NameQuery(msgspec.Struct, frozen=True):
    """What names begin with."""

    name: str = ""


class TermBody(msgspec.Struct, frozen=True):
    """What names have in them, or begin with."""

    term: str = ""
    prefix_only: bool = False


class NewEmoji(msgspec.Struct, frozen=True):
    """The form's member `emoji`."""

    name: str
    creator_id: str = ""


class EmojiHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._making = Making(shared, studio)

    async def create(self, request: Request[bytes]) -> Reply:
        """Make an emoji of a picture."""
        self._require_emoji()
        form = read_form(request.headers.get("content-type") or "", request.body)
        file = form.file("image")
        if file is None:
            raise faults.bad_body_param("image")
        try:
            new = msgspec.json.decode(form.text("emoji"), type=NewEmoji)
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            raise faults.bad_body_param("emoji") from error
        if new.creator_id and id_member(new.creator_id, "creator_id") != request.user_id:
            raise faults.no_permission()
        return answer(show_emoji(await self._making.make(request, new.name, file.content)))

    async def everything(self, request: Request[None, EmojiQuery]) -> Reply:
        """All of them, page by page."""
        query = request.query
        if query.sort not in ("", "name"):
            raise faults.bad_url_param("sort")
        return await self._found(
            request,
            lambda transaction: list_emojis(
                transaction, by_name=query.sort == "name", limit=query.limit, offset=query.offset
            ),
        )

    async def autocomplete(self, request: Request[None, NameQuery]) -> Reply:
        """Those whose names begin so."""
        name = request.query.name
        if not name:
            raise faults.bad_url_param("name")
        return await self._found(
            request, lambda transaction: search_emojis(transaction, name, prefix_only=True, limit=MOST_FOUND)
        )

    async def search(self, request: Request[TermBody]) -> Reply:
        """Those whose names have this in them."""
        term, prefix_only = request.body.term, request.body.prefix_only
        if not term:
            raise faults.bad_body_param("term")
        return await self._found(
            request, lambda transaction: search_emojis(transaction, term, prefix_only=prefix_only, limit=MOST_FOUND)
        )

    async def by_names(self, request: Request[list[str]]) -> Reply:
        """Those that have these names."""
        names = request.body
        if len(names) > MOST_NAMES:
            raise faults.bad_value(
                "api.emoji.get_multiple_by_name_too_many.request_error",
                f"Unable to get that many emojis by name. Only {MOST_NAMES} emojis can be requested at once.",
            )
        return await self._found(request, lambda transaction: find_by_names(transaction, names))

    async def by_name(self, request: Request) -> Reply:
        """The emoji with this name."""
        self._require_emoji()
        name = request.params["emoji_name"]
        if _NAME.fullmatch(name) is None:
            raise faults.bad_url_param("emoji_name")

        def work(transaction: Transaction) -> Emoji:
            emoji = find_emoji_by_name(transaction, name)
            if emoji is None:
                raise NotFound("Unable to find the emoji", code="app.emoji.get_by_name.no_result")
            return emoji

        return answer(show_emoji(await self._shared.read(request, lambda transaction, rights: work(transaction))))

    async def emoji(self, request: Request) -> Reply:
        """An emoji by id."""
        return answer(show_emoji(await self._existing(request)))

    async def image(self, request: Request) -> Reply:
        """An emoji's picture."""
        emoji = await self._existing(request)
        blobs = self._shared.context.blobs
        try:
            return await send_picture(request, blobs, emoji.blob, tag=emoji.id.hex, name=emoji.name)
        except NoSuchBlob as error:
            raise missing_emoji() from error

    async def delete(self, request: Request) -> Reply:
        """Have an emoji no more."""
        self._require_emoji()
        await self._making.delete(request, id_param(request, "emoji_id"))
        return STATUS_OK

    async def _existing(self, request: Request[Any, Any]) -> Emoji:
        self._require_emoji()
        emoji_id = id_param(request, "emoji_id")

        def work(transaction: Transaction) -> Emoji:
            emoji = find_emoji(transaction, emoji_id)
            if emoji is None:
                raise missing_emoji()
            return emoji

        return await self._shared.read(request, lambda transaction, rights: work(transaction))

    async def _found(self, request: Request[Any, Any], find: Callable[[Transaction], list[Emoji]]) -> Reply:
        self._require_emoji()
        found = await self._shared.read(request, lambda transaction, rights: find(transaction))
        return answer([show_emoji(each) for each in found])

    def _require_emoji(self) -> None:
        if not self._shared.config.custom_emoji:
            raise faults.switched_off("api.emoji.disabled.app_error", "Custom emoji have been disabled.")


def emoji_routes(shared: Shared, studio: Studio) -> list[Route]:
    """The operations."""
    here, api = EmojiHandlers(shared, studio), shared.api
    more: Any = {"access": SIGNED_IN, "tag": "emoji", "errors": (501,)}
    one, several = EmojiShown, list[EmojiShown]
    return [
        operation(api, "GET /emoji", here.everything, query=EmojiQuery, returns=several, **more),
        operation(api, "POST /emoji", here.create, body=bytes, body_limit=4 * LARGEST + _ROOM_FOR_A_FORM, returns=one,
                  **more),
        operation(api, "GET /emoji/autocomplete", here.autocomplete, query=NameQuery, returns=several, **more),
        operation(api, "GET /emoji/name/{emoji_name}", here.by_name, returns=one, **more),
        operation(api, "POST /emoji/names", here.by_names, body=list[str], returns=several, **more),
        operation(api, "POST /emoji/search", here.search, body=TermBody, returns=several, **more),
        operation(api, "DELETE /emoji/{emoji_id}", here.delete, **more),
        operation(api, "GET /emoji/{emoji_id}", here.emoji, returns=one, **more),
        operation(api, "GET /emoji/{emoji_id}/image", here.image, returns=Reply, **more),
    ]  # fmt: skip
