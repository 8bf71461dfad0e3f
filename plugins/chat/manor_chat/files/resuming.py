"""Uploads in several requests, so that a lost connection costs what was on its way and no more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec

from manor import BadRequest, Incoming, Refused, Request, Transaction, new_id
from manor_chat import faults
from manor_chat.domain.file_names import clean_name
from manor_chat.files.arriving import require_upload
from manor_chat.files.keeping import REMOVE_BLOBS, Keeping, RemovedBlobs, too_large
from manor_chat.forms.parts import bad_form
from manor_chat.forms.streams import FormStream
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.files import (
    File,
    Upload,
    add_files,
    add_upload,
    count_uploads,
    find_upload,
    forget_uploads,
    note_progress,
)
from manor_chat.times import to_milliseconds

MOST_UPLOADS = 100
"""Of one person, under way at once."""

MOST_PARTS = 1000
"""Of one upload: each is a file of its own until all are there."""


def part_key(upload: Upload) -> str:
    """Where the next part goes."""
    return f"uploads/{upload.id.hex}/{len(upload.parts)}"


class Resumable:
    """Takes files in part by part."""

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._shared = shared
        self._blobs = shared.context.blobs
        self._keeping = keeping
        self._busy: set[UUID] = set()

    async def begin(self, request: Request[Any, Any], channel_id: UUID, filename: str, file_size: int) -> Upload:
        """Have an upload of which nothing has come yet.

        Raises:
            BadRequest: 400: it would be empty, or too many are under way.
            TooLarge: 413.
        """
        if file_size <= 0:
            raise faults.bad_value("model.upload_session.is_valid.file_size.app_error", "Invalid value for FileSize")
        if file_size > self._shared.config.max_file_bytes:
            raise too_large(self._shared.config.max_file_bytes)

        def work(transaction: Transaction, rights: Rights) -> Upload:
            require_upload(rights, channel_id)
            if count_uploads(transaction, rights.user_id, MOST_UPLOADS) == MOST_UPLOADS:
                raise faults.bad_value("app.upload.create.save.app_error", "Too many uploads are under way.")
            now = to_milliseconds(transaction.now)
            upload = Upload(
                id=new_id(),
                user_id=rights.user_id,
                channel_id=channel_id,
                create_at=now,
                update_at=now,
                filename=clean_name(filename),
                file_size=file_size,
            )
            add_upload(transaction, upload)
            return upload

        return await self._shared.write(request, work)

    async def find(self, request: Request[Any, Any], upload_id: UUID) -> Upload:
        """Somebody's own upload.

        Raises:
            NotFound: 404.
            Forbidden: 403: it is another's.
        """
        return await self._shared.read(request, lambda transaction, rights: _own(transaction, rights, upload_id))

    async def take(self, request: Request[Incoming, Any], upload_id: UUID) -> File | None:
        """Take what comes next, and what there is of it when the client leaves; the file once it is whole.

        Raises:
            BadRequest: 400: another part is on its way, or it is more than was said.
        """
        if upload_id in self._busy:
            raise faults.bad_value(
                "app.upload.upload_data.concurrent.app_error", "Unable to upload data from more than one request."
            )
        self._busy.add(upload_id)
        try:
            upload = await self.find(request, upload_id)
            if upload.file_offset < upload.file_size:
                upload = await self._taken(request, upload)
            if upload.file_offset < upload.file_size:
                return None
            return await self._whole(request, upload)
        finally:
            self._busy.discard(upload_id)

    async def _taken(self, request: Request[Incoming, Any], upload: Upload) -> Upload:
        await self._shared.read(request, lambda transaction, rights: require_upload(rights, upload.channel_id))
        if len(upload.parts) == MOST_PARTS:
            raise faults.bad_value("app.upload.upload_data.save.app_error", f"At most {MOST_PARTS} parts make a file.")
        part = _Part(await _content(request), upload.file_size - upload.file_offset)
        key = part_key(upload)
        size = await self._blobs.put(key, part)
        if size:
            upload = await self._shared.write(
                request, lambda transaction, rights: _grown(transaction, rights, upload.id, key, size)
            )
        if part.broken is not None:
            raise part.broken
        return upload

    async def _whole(self, request: Request[Any, Any], upload: Upload) -> File:
        async with aclosing(self._pieces(upload)) as pieces:
            content = await self._keeping.take(upload.filename, pieces)
        is_kept = False
        try:
            file = await self._described(request, upload, await self._keeping.describe(content, *_whose(upload)))
            is_kept = True
        except BadRequest:
            # It will be no better when it is tried again.
            await self._shared.write(request, lambda transaction, rights: forget(transaction, [upload]))
            raise
        finally:
            if not is_kept:
                await self._keeping.discard([content])
        return file

    async def _described(self, request: Request[Any, Any], upload: Upload, file: File) -> File:
        def work(transaction: Transaction, rights: Rights) -> File:
            _own(transaction, rights, upload.id)
            require_upload(rights, upload.channel_id)
            add_files(transaction, [file])
            forget(transaction, [upload])
            return file

        return await self._shared.write(request, work)

    async def _pieces(self, upload: Upload) -> AsyncGenerator[bytes, None]:
        for key in upload.parts:
            async with self._blobs.open(key) as opened:
                async for piece in opened:
                    yield piece


def forget(transaction: Transaction, uploads: list[Upload]) -> None:
    """Have nothing of these uploads; a part that came and was never noted goes, too."""
    forget_uploads(transaction, [each.id for each in uploads])
    keys = [key for each in uploads for key in (*each.parts, part_key(each))]
    transaction.defer(REMOVE_BLOBS, RemovedBlobs(keys))


class _Part:
    """What comes of a part: as much as is wanted, and what there is of it when the client leaves."""

    def __init__(self, pieces: AsyncIterator[bytes], wanted: int) -> None:
        self._pieces = pieces
        self._left = wanted
        self.broken: Refused | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.broken is not None:
            raise StopAsyncIteration
        try:
            piece = await anext(self._pieces)
        except Refused as error:
            self.broken = error
            raise StopAsyncIteration from error
        self._left -= len(piece)
        if self._left < 0:
            raise _too_much()
        return piece


async def _content(request: Request[Incoming, Any]) -> AsyncIterator[bytes]:
    kind = request.headers.get("content-type") or ""
    if not kind.lower().startswith("multipart/"):
        return aiter(request.body)
    async for part in FormStream(kind, request.body):
        if part.filename is not None:
            return aiter(part)
    raise bad_form("there is no file in it")


def _own(transaction: Transaction, rights: Rights, upload_id: UUID) -> Upload:
    upload = find_upload(transaction, upload_id)
    if upload is None:
        raise faults.missing_upload()
    if upload.user_id != rights.user_id:
        raise faults.foreign_upload()
    return upload


def _grown(transaction: Transaction, rights: Rights, upload_id: UUID, key: str, size: int) -> Upload:
    upload = _own(transaction, rights, upload_id)
    now = to_milliseconds(transaction.now)
    upload = msgspec.structs.replace(
        upload, parts=[*upload.parts, key], file_offset=upload.file_offset + size, update_at=now
    )
    note_progress(transaction, upload)
    return upload


def _whose(upload: Upload) -> tuple[UUID, UUID]:
    return upload.user_id, upload.channel_id


def _too_much() -> BadRequest:
    return faults.bad_value(
        "api.upload.upload_data.invalid_content_length", "The part is longer than what is left of the file."
    )
