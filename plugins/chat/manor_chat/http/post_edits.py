"""The tag posts: what is done to posts that are there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Reply, Request, Route
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_param, user_param
from manor_chat.parts import Shared
from manor_chat.posts import editing
from manor_chat.posts.deleting import delete_post
from manor_chat.posts.unread import ChannelUnreadAt, mark_unread
from manor_chat.wire.posts import PostShown


class PostPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different about a post; what is left out stays. `id` is that of the path, where it is wanted."""

    id: str = ""
    message: str | None = None
    props: dict[str, Any] | None = None
    is_pinned: bool | None = None
    file_ids: list[str] | None = None


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the client shows threads apart: both kinds of counters are kept for both kinds of clients."""

    collapsed_threads_supported: bool = False


class EditHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def update(self, request: Request[PostPatch]) -> Reply:
        """Change a post; its id stands in the body too."""
        post_id = id_param(request, "post_id")
        if id_member(request.body.id, "id") != post_id:
            raise faults.bad_body_param("id")
        return await self._edit(request, post_id)

    async def patch(self, request: Request[PostPatch]) -> Reply:
        """Change some of a post."""
        return await self._edit(request, id_param(request, "post_id"))

    async def _edit(self, request: Request[PostPatch], post_id: UUID) -> Reply:
        body = request.body
        file_ids = None if body.file_ids is None else [id_member(each, "file_ids") for each in body.file_ids]
        change = editing.Change(message=body.message, props=body.props, is_pinned=body.is_pinned, file_ids=file_ids)
        limit = self._shared.config.post_edit_seconds
        return answer(
            await self._shared.write(
                request,
                lambda transaction, rights: editing.edit(transaction, rights, post_id, change, limit_seconds=limit),
            )
        )

    async def delete(self, request: Request) -> Reply:
        """Delete a post, and all replies to it."""
        post_id = id_param(request, "post_id")
        await self._shared.write(request, lambda transaction, rights: delete_post(transaction, rights, post_id))
        return STATUS_OK

    async def pin(self, request: Request) -> Reply:
        """Pin a post to its channel."""
        return await self._set_pinned(request, is_pinned=True)

    async def unpin(self, request: Request) -> Reply:
        """Take a post off again."""
        return await self._set_pinned(request, is_pinned=False)

    async def _set_pinned(self, request: Request, *, is_pinned: bool) -> Reply:
        post_id = id_param(request, "post_id")
        await self._shared.write(
            request, lambda transaction, rights: editing.pin(transaction, rights, post_id, is_pinned=is_pinned)
        )
        return STATUS_OK

    async def history(self, request: Request) -> Reply:
        """What a post said before its edits, the newest first."""
        post_id = id_param(request, "post_id")
        return answer(
            await self._shared.read(
                request, lambda transaction, rights: editing.earlier_texts(transaction, rights, post_id)
            )
        )

    async def set_unread(self, request: Request[Unread | None]) -> ChannelUnreadAt:
        """Have somebody not have read a post, nor what came after it."""
        user_id, post_id = user_param(request), id_param(request, "post_id")
        return await self._shared.write(
            request, lambda transaction, rights: mark_unread(transaction, rights, user_id, post_id)
        )


def edit_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = EditHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="posts", **more)

    return [
        one("PUT /posts/{post_id}", handlers.update, body=PostPatch, returns=PostShown),
        one("PUT /posts/{post_id}/patch", handlers.patch, body=PostPatch, returns=PostShown),
        one("DELETE /posts/{post_id}", handlers.delete),
        one("POST /posts/{post_id}/pin", handlers.pin),
        one("POST /posts/{post_id}/unpin", handlers.unpin),
        one("GET /posts/{post_id}/edit_history", handlers.history, returns=list[PostShown]),
        one(
            "POST /users/{user_id}/posts/{post_id}/set_unread",
            handlers.set_unread,
            body=Unread | None,
            returns=ChannelUnreadAt,
        ),
    ]
