"""Profile pictures, over HTTP."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from manor import BlobsFailed, NoSuchBlob, Refused, Reply, Request, Route, TooLarge, Transaction, new_id
from manor_chat import faults
from manor_chat.forms.whole import read_form
from manor_chat.http.answers import STATUS_OK, is_known
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.people.managing_bots import may_manage_bot
from manor_chat.people.news import tell_changes
from manor_chat.people.personal import remove_picture
from manor_chat.people.pictures import MOST_BYTES, NoPicture, Pictures, TooManyPixels, initial_of
from manor_chat.people.profiles import existing_person
from manor_chat.rights import Rights
from manor_chat.store.people import Person
from manor_chat.times import to_milliseconds

_CACHED = "max-age=86400, private"
_FORM_BYTES = 65_536
"""For what stands around the picture in its form."""


class PicturesHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._pictures = Pictures()

    async def picture(self, request: Request) -> Reply:
        """Somebody's picture, or the one that stands for who has none."""
        person = await self._person(request)
        key = person.profile.picture
        if key is None:
            return await self._initial(request, person)
        # What is kept under a key never changes, so that nothing is read for who has it already.
        headers = _headers(key)
        if is_known(request, headers["ETag"]):
            return Reply(b"", 304, "", headers)
        try:
            content = await self._shared.context.blobs.get(key, most_bytes=MOST_BYTES)
        except (NoSuchBlob, BlobsFailed) as error:
            # A picture that is lost is no reason to show none.
            self._shared.context.log.warning("a profile picture cannot be read", key=key, reason=str(error))
            return await self._initial(request, person)
        return Reply(content, content_type="image/png", headers=headers)

    async def default(self, request: Request) -> Reply:
        """What stands for somebody who has no picture."""
        return await self._initial(request, await self._person(request))

    async def _initial(self, request: Request[Any, Any], person: Person) -> Reply:
        letter, colour = initial_of(person)
        headers = _headers(f"{letter} {colour}")
        if is_known(request, headers["ETag"]):
            return Reply(b"", 304, "", headers)
        return Reply(await self._pictures.initial(person), content_type="image/png", headers=headers)

    async def set(self, request: Request[bytes]) -> Reply:
        """Take a picture in place of the one before."""
        user_id = user_param(request)
        await self._shared.read(request, lambda transaction, rights: _changeable(transaction, rights, user_id))
        form = read_form(request.headers.get("content-type") or "", request.body)
        file = form.file("image")
        if file is None or not file.content:
            raise faults.bad_value(
                "api.user.upload_profile_user.no_file.app_error", "No file under 'image' in request."
            )
        if len(file.content) > min(MOST_BYTES, self._shared.config.max_file_bytes):
            raise _too_large()
        try:
            content = await self._pictures.shrink(file.content)
        except TooManyPixels as error:
            raise _too_large() from error
        except NoPicture as error:
            raise faults.bad_value(
                "api.user.upload_profile_user.decode.app_error", "Could not decode profile image."
            ) from error
        key = f"pictures/{shown_id(user_id)}/{shown_id(new_id())}.png"
        await self._shared.context.blobs.put(key, content, content_type="image/png")
        try:
            await self._replace(request, user_id, key)
        except Refused:
            await self._shared.context.blobs.delete(key)
            raise
        return STATUS_OK

    async def delete(self, request: Request) -> Reply:
        """Have no picture but the one that stands for who has none."""
        await self._replace(request, user_param(request), None)
        return STATUS_OK

    async def _replace(self, request: Request[Any, Any], user_id: UUID, key: str | None) -> None:
        def work(transaction: Transaction, rights: Rights) -> None:
            person = _changeable(transaction, rights, user_id)
            now = to_milliseconds(transaction.now)
            tell_changes(transaction, person, self._shared.config, picture=key, last_picture_update=now)
            if person.profile.picture is not None:
                remove_picture(transaction, person.profile.picture)

        await self._shared.write(request, work)

    async def _person(self, request: Request[Any, Any]) -> Person:
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Person:
            person = existing_person(transaction, user_id)
            if person.id != rights.user_id:
                rights.require("view_members")
            return person

        return await self._shared.read(request, work)


def _changeable(transaction: Transaction, rights: Rights, user_id: UUID) -> Person:
    person = existing_person(transaction, user_id)
    if not (person.is_bot and may_manage_bot(transaction, rights, user_id)):
        rights.require_self(user_id)
    if person.is_system:
        raise faults.no_permission()
    return person


def _headers(source: str) -> dict[str, str]:
    """What a picture's answer says, by what it was made of."""
    tag = hashlib.blake2b(source.encode(), digest_size=12).hexdigest()
    return {"ETag": f'"{tag}"', "Cache-Control": _CACHED}


def _too_large() -> TooLarge:
    return TooLarge(
        "Unable to upload profile image. File is too large.",
        code="api.user.upload_profile_user.too_large.app_error",
    )


def pictures_routes(shared: Shared) -> list[Route]:
    """The operations."""
    here, api, users = PicturesHandlers(shared), shared.api, "users"
    return [
        operation(api, "GET /users/{user_id}/image", here.picture, access=SIGNED_IN, tag=users),
        operation(api, "GET /users/{user_id}/image/default", here.default, access=SIGNED_IN, tag=users),
        operation(api, "POST /users/{user_id}/image", here.set, access=SIGNED_IN, tag=users, body=bytes,
                  body_limit=MOST_BYTES + _FORM_BYTES),
        operation(api, "DELETE /users/{user_id}/image", here.delete, access=SIGNED_IN, tag=users),
    ]  # fmt: skip
