"""Keeping what is uploaded: the content goes to the store piece by piece, then small pictures of it are drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec
import trio

from manor import BadRequest, Job, TooLarge, new_id
from manor_chat.domain.file_names import clean_name, extension_of
from manor_chat.files.imaging import MOST_INPUT, Drawn, NoPicture, Studio, TooManyPixels
from manor_chat.files.kinds import LOOKED_AT, PICTURES, kind_of
from manor_chat.parts import Shared
from manor_chat.store.files import File
from manor_chat.times import to_milliseconds

THUMBNAIL = ".thumbnail"
PREVIEW = ".preview"


class RemovedBlobs(msgspec.Struct, frozen=True):
    """Keys of what no row names any more."""

    keys: list[str]


REMOVE_BLOBS = Job("chat.remove_blobs", RemovedBlobs, deadline=300.0)


def file_key(file_id: UUID) -> str:
    """Where a file's content is; spread over folders by what is random in an id."""
    return f"files/{file_id.hex[-2:]}/{file_id.hex}"


def keys_of(files: Iterable[File]) -> list[str]:
    """All that is kept of these files."""
    return [key for file in files for key in (file.blob, file.blob + THUMBNAIL, file.blob + PREVIEW)]


@dataclass(frozen=True)
class Content:
    """What was uploaded, in the store and without a row yet."""

    id: UUID
    name: str
    size: int
    beginning: bytes

    @property
    def key(self) -> str:
        """Where it is."""
        return file_key(self.id)


class Keeping:
    """Takes files in.

    Args:
        shared: The plugin's.
        studio: Draws.
    """

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._blobs = shared.context.blobs
        self._studio = studio

    async def take(self, name: str, pieces: AsyncIterator[bytes]) -> Content:
        """Put a file into the store as it comes.

        Args:
            name: As its sender calls it.
            pieces: What is in it.

        Raises:
            TooLarge: 413.
        """
        counted = _Counted(pieces, self._shared.config.max_file_bytes)
        content_id = new_id()
        size = await self._blobs.put(file_key(content_id), counted)
        return Content(content_id, clean_name(name), size, bytes(counted.beginning))

    async def describe(self, content: Content, user_id: UUID, channel_id: UUID) -> File:
        """The row that a file gets: what it is by what is in it, with small pictures of it where it is one.

        Raises:
            BadRequest: 400: a picture that would be too large to look at.
        """
        now = to_milliseconds(self._shared.context.clock.now())
        extension = extension_of(content.name)
        file = File(
            id=content.id,
            user_id=user_id,
            channel_id=channel_id,
            create_at=now,
            update_at=now,
            name=content.name,
            extension=extension,
            size=content.size,
            mime_type=kind_of(content.beginning, extension),
            blob=content.key,
        )
        if file.mime_type not in PICTURES or file.size > MOST_INPUT:
            return file
        try:
            return await self._with_pictures(file, await self._drawn(file))
        except NoPicture as error:
            self._shared.context.log.debug("no preview", file=str(file.id), reason=str(error))
            return file
        except TooManyPixels as error:
            raise _too_many_pixels(file.name) from error

    async def discard(self, contents: Sequence[Content]) -> None:
        """Have none of it: no row will name it. Goes on whatever is cancelled."""
        with trio.CancelScope(shield=True):
            keys = [each.key + ending for each in contents for ending in ("", THUMBNAIL, PREVIEW)]
            await self._blobs.delete_many(keys)

    async def _drawn(self, file: File) -> Drawn:
        async with self._blobs.open(file.blob) as opened:
            return await self._studio.draw("file", opened, self._shared.config.max_image_pixels)

    async def _with_pictures(self, file: File, drawn: Drawn) -> File:
        for ending, picture in zip((THUMBNAIL, PREVIEW), drawn.pictures, strict=False):
            await self._blobs.put(file.blob + ending, picture)
        return msgspec.structs.replace(
            file,
            mime_type=f"image/{drawn.format}",
            width=drawn.width,
            height=drawn.height,
            has_preview_image=len(drawn.pictures) > 1,
            mini_preview=drawn.mini,
        )


class _Counted:
    """The pieces of a file, as many bytes as are allowed; keeps what it begins with."""

    def __init__(self, pieces: AsyncIterator[bytes], most: int) -> None:
        self._pieces = pieces
        self._most = most
        self._size = 0
        self.beginning = bytearray()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        self._size += len(piece)
        if self._size > self._most:
            raise too_large(self._most)
        self.beginning += piece[: LOOKED_AT - len(self.beginning)]
        return piece


def too_large(most: int) -> TooLarge:
    """413: the file is larger than the configuration lets it be."""
    return TooLarge(
        f"Unable to upload file. File is larger than {most} bytes.",
        code="api.file.upload_file.too_large_detailed.app_error",
    )


def _too_many_pixels(name: str) -> BadRequest:
    return BadRequest(
        f"{name} has more pixels than are allowed.", code="api.file.upload_file.large_image_detailed.app_error"
    )
