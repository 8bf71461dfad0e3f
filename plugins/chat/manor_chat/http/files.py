"""Files over HTTP: sent and fetched."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import PUBLIC, Incoming, NoSuchBlob, Reply, Request, Route, Stream, Transaction
from manor_chat import faults
from manor_chat.files.arriving import LARGEST, SECONDS, Arrivals
from manor_chat.files.keeping import PREVIEW, THUMBNAIL, Keeping
from manor_chat.files.public_links import is_signed, sign
from manor_chat.files.reading import readable_file
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.file_answers import send_file, send_picture
from manor_chat.http.params import id_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.files import File, find_file
from manor_chat.wire.posts import FileInfo, show_file

_TRUE = ("1", "t", "true")


class UploadQuery(msgspec.Struct, frozen=True):
    """Where a file goes, and of one that is the whole body what it is called."""

    channel_id: str = ""
    filename: str = ""
    client_id: str = ""


class DownloadQuery(msgspec.Struct, frozen=True):
    """Whether a file is for saving rather than showing."""

    download: str = ""


class MarkQuery(msgspec.Struct, frozen=True):
    """The mark of a link that needs no sign-in."""

    h: str = ""


class UploadedFiles(msgspec.Struct, frozen=True):
    """Files that were kept, and what the client calls them, in the same order."""

    file_infos: list[FileInfo]
    client_ids: list[str]


class LinkToFile(msgspec.Struct, frozen=True):
    """A link."""

    link: str


class FilesHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._shared = shared
        self._blobs = shared.context.blobs
        self._arrivals = Arrivals(shared, keeping)

    async def upload(self, request: Request[Incoming, UploadQuery]) -> Reply:
        """Keep files: those of a form, or the one that is the body."""
        require_attachments(self._shared)
        self._arrivals.check_announced(request.body)
        query = request.query
        kind = request.headers.get("content-type") or ""
        if kind.lower().startswith("multipart/"):
            files, client_ids = await self._arrivals.form(request, query.channel_id)
        else:
            if not query.filename:
                raise faults.bad_url_param("filename")
            files = await self._arrivals.one(request, query.channel_id, query.filename)
            client_ids = [query.client_id] if query.client_id else []
        return answer(UploadedFiles([show_file(each) for each in files], client_ids), 201)

    async def content(self, request: Request[None, DownloadQuery]) -> Reply | Stream:
        """What is in a file."""
        file = await self._readable(request)
        return await self._sent(request, file, download=request.query.download.lower() in _TRUE)

    async def info(self, request: Request) -> Reply:
        """What is known of a file."""
        return etagged(request, show_file(await self._readable(request)))

    async def thumbnail(self, request: Request) -> Reply:
        """A picture as small as a stamp."""
        file = await self._readable(request)
        missing = "api.file.get_file_thumbnail.no_thumbnail.app_error"
        return await self._picture(request, file, THUMBNAIL, missing)

    async def preview(self, request: Request) -> Reply:
        """A picture no larger than a screen."""
        file = await self._readable(request)
        return await self._picture(request, file, PREVIEW, "api.file.get_file_preview.no_preview.app_error")

    async def link(self, request: Request) -> Reply:
        """Make a link to a file that needs no sign-in."""
        file_id = id_param(request, "file_id")
        self._require_public_links()

        def work(transaction: Transaction, rights: Rights) -> str:
            file = readable_file(transaction, rights, file_id)
            if file.post_id is None:
                raise faults.bad_value(
                    "api.file.get_public_link.no_post.app_error",
                    "Unable to get public link for file. File must be attached to a post.",
                )
            return sign(transaction, file_id)

        mark = await self._shared.write(request, work)
        where = self._shared.context.link_url
        return answer(LinkToFile(f"{where}/files/{shown_id(file_id)}/public?h={mark}"))

    async def public(self, request: Request[None, MarkQuery]) -> Reply | Stream:
        """What is in a file, for whoever has its link."""
        self._require_public_links()
        file_id = id_param(request, "file_id")

        def work(transaction: Transaction) -> File | None:
            if not is_signed(transaction, file_id, request.query.h):
                raise faults.bad_value(
                    "api.file.get_file.public_invalid.app_error", "The public link does not appear to be valid."
                )
            return find_file(transaction, file_id)

        file = await self._shared.storage.read(work)
        if file is None or file.post_id is None:
            raise faults.missing_file()
        return await self._sent(request, file)

    async def _readable(self, request: Request[Any, Any]) -> File:
        file_id = id_param(request, "file_id")
        return await self._shared.read(request, lambda transaction, rights: readable_file(transaction, rights, file_id))

    async def _sent(self, request: Request[Any, Any], file: File, *, download: bool = False) -> Reply | Stream:
        try:
            return await send_file(request, self._blobs, file, download=download)
        except NoSuchBlob as error:
            raise faults.missing_file() from error

    async def _picture(self, request: Request[Any, Any], file: File, ending: str, missing: str) -> Reply:
        if file.width:
            try:
                tag = file.id.hex + ending
                return await send_picture(request, self._blobs, file.blob + ending, tag=tag, name=file.name)
            except NoSuchBlob as error:
                raise faults.bad_value(missing, "There is no such picture of the file.") from error
        raise faults.bad_value(missing, "There is no such picture of the file.")

    def _require_public_links(self) -> None:
        if not self._shared.config.public_links:
            raise faults.switched_off("api.file.get_public_link.disabled.app_error", "Public links have been disabled")


def require_attachments(shared: Shared) -> None:
    """See that files can be uploaded.

    Raises:
        NotImplementedHere: 501.
    """
    if not shared.config.file_attachments:
        raise faults.switched_off(
            "api.file.attachments.disabled.app_error", "File attachments have been disabled on this server."
        )


def files_routes(shared: Shared, keeping: Keeping) -> list[Route]:
    """The operations."""
    here, api, files, any_file = FilesHandlers(shared, keeping), shared.api, "files", Stream

    def public(path: str) -> Route:
        return Route("GET", path, here.public, api=api, access=PUBLIC, tag=files, query=MarkQuery, returns=any_file,
                     errors=(404, 501))  # fmt: skip

    return [
        operation(api, "POST /files", here.upload, access=SIGNED_IN, tag=files, body=Incoming, query=UploadQuery,
                  returns=UploadedFiles, status=201, body_limit=LARGEST, deadline=SECONDS, errors=(408, 501)),
        operation(api, "GET /files/{file_id}", here.content, access=SIGNED_IN, tag=files, query=DownloadQuery,
                  returns=any_file, errors=(416,)),
        operation(api, "GET /files/{file_id}/info", here.info, access=SIGNED_IN, tag=files, returns=FileInfo),
        operation(api, "GET /files/{file_id}/thumbnail", here.thumbnail, access=SIGNED_IN, tag=files,
                  returns=any_file),
        operation(api, "GET /files/{file_id}/preview", here.preview, access=SIGNED_IN, tag=files, returns=any_file),
        operation(api, "GET /files/{file_id}/link", here.link, access=SIGNED_IN, tag=files, returns=LinkToFile,
                  errors=(501,)),
        public("/api/v4/files/{file_id}/public"),
        public("/files/{file_id}/public"),
    ]  # fmt: skip
