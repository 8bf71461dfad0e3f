"""Files, pictures and emoji of an import: out of the archive, into the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import PurePosixPath
from uuid import UUID

import trio

from manor import BadRequest, Refused, new_id
from manor_chat.files.imaging import NoPicture as NotDrawn
from manor_chat.files.imaging import Studio, TooManyPixels
from manor_chat.files.keeping import Keeping
from manor_chat.ids import shown_id
from manor_chat.moving.bundle import Attachment, Bundle, Unfit
from manor_chat.moving.report import Tally
from manor_chat.moving.staging import StagedPost
from manor_chat.parts import Shared
from manor_chat.people.pictures import MOST_BYTES, NoPicture, Pictures
from manor_chat.store.emoji import Emoji
from manor_chat.store.files import File
from manor_chat.times import to_milliseconds

MOST_EMOJI = 1024 * 1024
"""Bytes of a custom emoji's picture."""


class Filing:
    """Takes files out of an archive.

    Args:
        shared: What all parts use.
        studio: Draws.
        bundle: The archive.
        is_dry_run: Whether files are only looked at.
    """

    def __init__(self, shared: Shared, studio: Studio, bundle: Bundle, *, is_dry_run: bool) -> None:
        self._shared = shared
        self._blobs = shared.context.blobs
        self._studio = studio
        self._keeping = Keeping(shared, studio)
        self._pictures = Pictures()
        self._bundle = bundle
        self._is_dry_run = is_dry_run

    async def take(self, staged: StagedPost, tally: Tally) -> list[File]:
        """Have the files of a post in the store; without their rows yet."""
        taken = []
        for each in staged.files:
            try:
                taken.append(await self._take_one(staged, each.path))
            except Unfit as unfit:
                tally.trouble(staged.line, f"file {each.path[:200]}: {unfit}")
        return taken

    async def picture(self, user_id: UUID, path: str) -> str:
        """Have somebody's picture in the store; its key.

        Raises:
            Unfit: It is not there, or is no picture.
        """
        content = await self._read(path, MOST_BYTES)
        key = f"pictures/{shown_id(user_id)}/{shown_id(new_id())}.png"
        try:
            small = await self._pictures.shrink(content)
        except NoPicture as error:
            raise Unfit(f"it is no picture: {error}") from error
        if not self._is_dry_run:
            await self._blobs.put(key, small, content_type="image/png")
        return key

    async def emoji(self, name: str, path: str, creator_id: UUID) -> Emoji:
        """Have an emoji's picture in the store; without its row yet.

        Raises:
            Unfit: It is not there, or is no picture.
        """
        content = await self._read(path, MOST_EMOJI)
        emoji_id = new_id()
        try:
            drawn = await self._studio.draw("emoji", _one(content), self._shared.config.max_image_pixels)
        except (NotDrawn, TooManyPixels) as error:
            raise Unfit(f"it is no picture: {error}") from error
        now = to_milliseconds(self._shared.context.clock.now())
        key = f"emoji/{emoji_id.hex}"
        if not self._is_dry_run:
            await self._blobs.put(key, drawn.pictures[0])
        kind = f"image/{drawn.format}"
        return Emoji(
            id=emoji_id, name=name, creator_id=creator_id, create_at=now, update_at=now, blob=key, mime_type=kind
        )

    async def _take_one(self, staged: StagedPost, path: str) -> File:
        most = self._shared.config.max_file_bytes
        found = await trio.to_thread.run_sync(self._bundle.attachment, path, most)
        if self._is_dry_run:
            return _unread(staged, found)
        try:
            content = await self._keeping.take(_name_of(path), self._pieces(found))
        except Refused as refused:
            raise Unfit(refused.detail) from refused
        try:
            return await self._keeping.describe(content, staged.user_id, staged.channel_id)
        except BadRequest as refused:
            await self._keeping.discard([content])
            raise Unfit(refused.detail) from refused

    async def _pieces(self, attachment: Attachment) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = self._bundle.read(attachment)
        while (piece := await trio.to_thread.run_sync(next, pieces, None)) is not None:
            yield piece

    async def _read(self, path: str, most_bytes: int) -> bytes:
        def read() -> bytes:
            return b"".join(self._bundle.read(self._bundle.attachment(path, most_bytes)))

        return await trio.to_thread.run_sync(read)


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _name_of(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _unread(staged: StagedPost, found: Attachment) -> File:
    """A row for a file that is only looked at."""
    return File(
        id=new_id(),
        user_id=staged.user_id,
        channel_id=staged.channel_id,
        create_at=staged.create_at,
        update_at=staged.create_at,
        name=found.name,
        extension="",
        size=found.size,
        mime_type="",
        blob="",
    )
