"""Files that come with one request: all of them are kept, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from manor import BadRequest, Incoming, Request, Transaction
from manor_chat import faults
from manor_chat.files.keeping import Content, Keeping, too_large
from manor_chat.forms.parts import BadForm
from manor_chat.forms.streams import FormStream
from manor_chat.ids import read_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.files import File, add_files

MOST_FILES = 10
ROOM_FOR_A_FORM = 65_536
"""What stands around the files of a form."""

LARGEST = 2**31 + ROOM_FOR_A_FORM
"""What `max_file_bytes` can be, and room for a form."""

SECONDS = 3600.0
"""For one request: a file of the default size may come at 30 kB a second."""


@dataclass
class Arrived:
    """What has come so far."""

    channel: str
    client_ids: list[str] = field(default_factory=list)
    contents: list[Content] = field(default_factory=list)


class Arrivals:
    """Takes files in."""

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._shared = shared
        self._keeping = keeping

    async def form(self, request: Request[Incoming, Any], channel: str) -> tuple[list[File], list[str]]:
        """The files of a form, whatever its fields are called, and what the client calls them.

        Args:
            request: With the form.
            channel: The channel's id, where the query has it; else the form does, and in front of the files if the
                client is not to send them in vain.
        """
        arrived = Arrived(channel)
        is_kept = False
        try:
            try:
                form = FormStream(request.headers.get("content-type") or "", request.body)
                await self._read(request, form, arrived)
            except BadForm as error:
                raise _unreadable(error.detail) from error
            if not arrived.contents:
                raise _unreadable("Unable to find a file in the form")
            if len(arrived.client_ids) not in (0, len(arrived.contents)):
                raise faults.bad_value(
                    "api.file.upload_file.incorrect_number_of_client_ids.app_error",
                    "There must be as many client_ids as files.",
                )
            files = await self._keep(request, arrived)
            is_kept = True
        finally:
            if not is_kept:
                await self._keeping.discard(arrived.contents)
        return files, arrived.client_ids

    async def one(self, request: Request[Incoming, Any], channel: str, filename: str) -> list[File]:
        """The file that the body is."""
        arrived = Arrived(channel)
        await self._check(request, arrived.channel)
        is_kept = False
        try:
            arrived.contents.append(await self._keeping.take(filename, aiter(request.body)))
            files = await self._keep(request, arrived)
            is_kept = True
        finally:
            if not is_kept:
                await self._keeping.discard(arrived.contents)
        return files

    def check_announced(self, body: Incoming) -> None:
        """See that a body is not too large by what it says itself.

        Raises:
            TooLarge: 413.
        """
        most = self._shared.config.max_file_bytes
        if (body.announced or 0) > most + ROOM_FOR_A_FORM:
            raise too_large(most)

    async def _read(self, request: Request[Incoming, Any], form: FormStream, arrived: Arrived) -> None:
        is_checked = False
        async for part in form:
            if part.filename is None:
                text = await part.text()
                if part.name == "channel_id":
                    arrived.channel = text
                elif part.name == "client_ids":
                    arrived.client_ids.append(text)
                continue
            if len(arrived.contents) == MOST_FILES:
                raise faults.bad_value(
                    "api.file.upload_file.too_many_files.app_error", f"At most {MOST_FILES} files go with one request."
                )
            if arrived.channel and not is_checked:
                await self._check(request, arrived.channel)
                is_checked = True
            arrived.contents.append(await self._keeping.take(part.filename, aiter(part)))

    async def _check(self, request: Request[Any, Any], channel: str) -> None:
        channel_id = _channel_in(channel)
        await self._shared.read(request, lambda transaction, rights: require_upload(rights, channel_id))

    async def _keep(self, request: Request[Any, Any], arrived: Arrived) -> list[File]:
        channel_id = _channel_in(arrived.channel)
        user_id = request.user_id
        assert user_id is not None, "only people come this far"
        await self._check(request, arrived.channel)
        files = [await self._keeping.describe(content, user_id, channel_id) for content in arrived.contents]

        def work(transaction: Transaction, rights: Rights) -> Sequence[File]:
            require_upload(rights, channel_id)
            add_files(transaction, files)
            return files

        return list(await self._shared.write(request, work))


def require_upload(rights: Rights, channel_id: UUID) -> None:
    """See that somebody may upload to a channel.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403.
    """
    rights.require_in_channel("upload_file", rights.channel(channel_id))


def _channel_in(text: str) -> UUID:
    channel_id = read_id(text)
    if channel_id is None:
        raise faults.bad_body_param("channel_id")
    return channel_id


def _unreadable(detail: str) -> BadRequest:
    return BadRequest(detail, code="api.file.upload_file.read_request.app_error")
