"""Making emoji, and having them no more."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import trio

from manor import BadRequest, NotFound, Request, TooLarge, Transaction, new_id
from manor_chat import faults
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.files.imaging import Drawn, NoPicture, Studio, TooManyPixels, Whole
from manor_chat.files.keeping import REMOVE_BLOBS, RemovedBlobs
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.emoji import Emoji, add_emoji, find_emoji, find_emoji_by_name, remove_emoji
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.emoji import show_emoji

LARGEST = 512 * 1024
"""Bytes of a picture as it comes."""

_NAME = re.compile(r"[a-zA-Z0-9_+-]{1,64}")


class Making:
    """Makes emoji of pictures."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._blobs = shared.context.blobs
        self._studio = studio

    async def make(self, request: Request[Any, Any], name: str, picture: bytes) -> Emoji:
        """Have a new emoji.

        Raises:
            Forbidden: 403.
            BadRequest: 400: its name is no name, or is taken, or the picture is none.
            TooLarge: 413.
        """
        if _NAME.fullmatch(name) is None:
            raise faults.bad_value(
                "model.emoji.name.app_error", "Name must be 1 to 64 lowercase alphanumeric characters."
            )
        if is_built_in(name.lower()):
            raise faults.bad_value(
                "model.emoji.system_emoji_name.app_error", "Name conflicts with existing system emoji name."
            )
        if len(picture) > LARGEST:
            raise _too_large()
        await self._shared.read(request, lambda transaction, rights: _check(transaction, rights, name))
        drawn = await self._drawn(picture)
        emoji_id = new_id()
        key = f"emoji/{emoji_id.hex}"
        await self._blobs.put(key, drawn.pictures[0])

        def work(transaction: Transaction, rights: Rights) -> Emoji:
            _check(transaction, rights, name)
            now = to_milliseconds(transaction.now)
            emoji = Emoji(
                id=emoji_id,
                name=name,
                creator_id=rights.user_id,
                create_at=now,
                update_at=now,
                blob=key,
                mime_type=f"image/{drawn.format}",
            )
            add_emoji(transaction, emoji)
            tell(transaction, "emoji_added", {"emoji": as_text(show_emoji(emoji))})
            return emoji

        is_kept = False
        try:
            made = await self._shared.write(request, work)
            is_kept = True
        finally:
            if not is_kept:
                with trio.CancelScope(shield=True):
                    await self._blobs.delete(key)
        return made

    async def delete(self, request: Request[Any, Any], emoji_id: UUID) -> None:
        """Have an emoji no more; reactions with it stay, and show its name.

        Raises:
            NotFound: 404.
            Forbidden: 403: it is another's.
        """

        def work(transaction: Transaction, rights: Rights) -> None:
            emoji = find_emoji(transaction, emoji_id)
            if emoji is None:
                raise missing_emoji()
            if emoji.creator_id != rights.user_id or not rights.may("delete_emojis"):
                rights.require("delete_others_emojis")
            remove_emoji(transaction, emoji_id)
            transaction.defer(REMOVE_BLOBS, RemovedBlobs([emoji.blob]))

        await self._shared.write(request, work)

    async def _drawn(self, picture: bytes) -> Drawn:
        try:
            return await self._studio.draw("emoji", Whole(picture), self._shared.config.max_image_pixels)
        except TooManyPixels as error:
            raise faults.bad_value(
                "api.emoji.upload.large_image.too_large.app_error", "Unable to create emoji. Image is too large."
            ) from error
        except NoPicture as error:
            raise faults.bad_value(
                "api.emoji.upload.image.app_error", "Unable to create emoji. File must be a PNG, JPEG, or GIF."
            ) from error


def missing_emoji() -> NotFound:
    """404: no emoji has this id."""
    return NotFound("Unable to find the emoji", code="app.emoji.get.no_result")


def _check(transaction: Transaction, rights: Rights, name: str) -> None:
    rights.require("create_emojis")
    if find_emoji_by_name(transaction, name) is not None:
        raise BadRequest(
            "Unable to create emoji. Another emoji with the same name already exists.",
            code="api.emoji.create.duplicate.app_error",
        )


def _too_large() -> TooLarge:
    return TooLarge(
        f"Unable to create emoji. Image must be less than {LARGEST // 1024} KB in size.",
        code="api.emoji.create.too_large.app_error",
    )
