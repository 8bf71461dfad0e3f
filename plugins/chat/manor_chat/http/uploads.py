"""Uploads in several requests, over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Incoming, Reply, Request, Route
from manor_chat import faults
from manor_chat.files.arriving import LARGEST, SECONDS
from manor_chat.files.keeping import Keeping
from manor_chat.files.resuming import Resumable
from manor_chat.http.answers import answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.files import require_attachments
from manor_chat.http.params import id_member, id_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.store.files import Upload
from manor_chat.wire.posts import FileInfo, show_file


class NewUpload(msgspec.Struct, frozen=True):
    """What is going to come."""

    channel_id: str
    filename: str
    file_size: int
    type: str = "attachment"


class UploadShown(msgspec.Struct, frozen=True, kw_only=True):
    """An upload; the next part begins at `file_offset`."""

    id: str
    type: str = "attachment"
    create_at: int
    user_id: str
    channel_id: str
    filename: str
    file_size: int
    file_offset: int


def show_upload(upload: Upload) -> UploadShown:
    """An upload as the API shows it."""
    return UploadShown(
        id=shown_id(upload.id),
        create_at=upload.create_at,
        user_id=shown_id(upload.user_id),
        channel_id=shown_id(upload.channel_id),
        filename=upload.filename,
        file_size=upload.file_size,
        file_offset=upload.file_offset,
    )


class UploadsHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._shared = shared
        self._uploads = Resumable(shared, keeping)

    async def create(self, request: Request[NewUpload]) -> Reply:
        """Begin an upload."""
        require_attachments(self._shared)
        body = request.body
        if body.type not in ("", "attachment"):
            raise faults.bad_body_param("type")
        if not body.filename:
            raise faults.bad_body_param("filename")
        channel_id = id_member(body.channel_id, "channel_id")
        upload = await self._uploads.begin(request, channel_id, body.filename, body.file_size)
        return answer(show_upload(upload), 201)

    async def upload(self, request: Request) -> Reply:
        """How far an upload is."""
        return answer(show_upload(await self._uploads.find(request, id_param(request, "upload_id"))))

    async def take(self, request: Request[Incoming]) -> Reply:
        """Take the next part: 204, and 201 with the file once it is whole."""
        require_attachments(self._shared)
        file = await self._uploads.take(request, id_param(request, "upload_id"))
        return Reply(b"", 204, "") if file is None else answer(show_file(file), 201)


def uploads_routes(shared: Shared, keeping: Keeping) -> list[Route]:
    """The operations."""
    here, api, uploads = UploadsHandlers(shared, keeping), shared.api, "uploads"
    more: Any = {"access": SIGNED_IN, "tag": uploads}
    return [
        operation(api, "POST /uploads", here.create, body=NewUpload, returns=UploadShown, status=201, errors=(501,),
                  **more),
        operation(api, "GET /uploads/{upload_id}", here.upload, returns=UploadShown, **more),
        operation(api, "POST /uploads/{upload_id}", here.take, body=Incoming, returns=FileInfo, status=201,
                  body_limit=LARGEST, deadline=SECONDS, errors=(408, 501), **more),
    ]  # fmt: skip
