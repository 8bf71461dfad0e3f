"""The tag posts: writing and reading single posts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Principal, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import OAUTH, SIGNED_IN, operation
from manor_chat.http.params import id_member, id_members, id_param
from manor_chat.parts import Shared
from manor_chat.posts import sending
from manor_chat.posts.finding import readable_posts
from manor_chat.posts.info import PostInfo, info_of
from manor_chat.posts.repeats import Repeats
from manor_chat.posts.showing import show_posts
from manor_chat.rights import Rights
from manor_chat.store.post_files import list_files_of
from manor_chat.store.posts import find_post
from manor_chat.times import Moment
from manor_chat.wire.posts import FileInfo, PostShown, show_file


class PostSent(msgspec.Struct, frozen=True, kw_only=True):
    """A post as clients send it."""

    channel_id: str | None = None
    message: str | None = None
    root_id: str | None = None
    file_ids: list[str] | None = None
    props: dict[str, Any] | None = None
    type: str | None = None
    create_at: Moment | None = None
    pending_post_id: str | None = None


class EphemeralSent(msgspec.Struct, frozen=True, kw_only=True):
    """A post for one person's eyes."""

    user_id: str = ""
    post: PostSent


class SendQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the author is seen online for it: all but `false` is yes."""

    set_online: str = ""


class DeletedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whether deleted ones are asked for, as administrators may."""

    include_deleted: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether they are."""
        return self.include_deleted == "true"


def read_sent(body: PostSent, principal: Principal | None, *, set_online: bool = True) -> sending.Sent:
    """A post with its ids read.

    Raises:
        BadRequest: 400: one is malformed.
    """
    return sending.Sent(
        channel_id=id_member(body.channel_id or "", "channel_id"),
        message=body.message or "",
        root_id=id_member(body.root_id, "root_id") if body.root_id else None,
        file_ids=[id_member(each, "file_ids") for each in body.file_ids or ()],
        props=body.props or {},
        type=body.type or "",
        create_at=body.create_at or 0,
        pending_post_id=body.pending_post_id or "",
        set_online=set_online,
        by_app=principal is not None and principal.kind == OAUTH,
    )


class PostHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._repeats = Repeats()

    async def create(self, request: Request[PostSent, SendQuery]) -> Reply:
        """Write a post."""
        sent = read_sent(request.body, request.person, set_online=request.query.set_online != "false")
        is_online = self._shared.presence.is_online
        new: PostShown | None = None

        async def write() -> UUID:
            nonlocal new
            written = await self._shared.write(
                request, lambda transaction, rights: sending.send(transaction, rights, sent, is_online)
            )
            new = written.shown
            return written.post.id

        assert request.user_id is not None, "whoever is signed in is somebody"
        known = await self._repeats.once(request.user_id, sent.pending_post_id, write)
        if sent.set_online:
            self._shared.presence.note_activity(request.user_id)
        if known is not None:
            new = await self._shared.read(request, lambda transaction, rights: _again(transaction, rights, known, sent))
        return answer(new, 201)

    async def create_ephemeral(self, request: Request[EphemeralSent]) -> Reply:
        """Tell one person something that nobody keeps."""
        user_id = id_member(request.body.user_id, "user_id")
        sent = read_sent(request.body.post, request.person)
        shown = await self._shared.write(
            request, lambda transaction, rights: sending.send_ephemeral(transaction, rights, user_id, sent)
        )
        return answer(shown, 201)

    async def by_ids(self, request: Request[list[str]]) -> Reply:
        """Posts by their ids, the newest first; those that are not there or not theirs to read are left out."""
        ids = id_members(request.body, "post_ids")

        def work(transaction: Transaction, rights: Rights) -> list[PostShown]:
            return show_posts(transaction, readable_posts(transaction, rights, ids), rights.user_id)

        return answer(await self._shared.read(request, work))

    async def read(self, request: Request[None, DeletedQuery]) -> Reply:
        """One post."""
        post_id, deleted = id_param(request, "post_id"), request.query.is_asked

        def work(transaction: Transaction, rights: Rights) -> PostShown:
            if deleted:
                rights.require("manage_system")
            post, _ = rights.readable_post(post_id, deleted=deleted)
            return show_posts(transaction, [post], rights.user_id, with_deleted=deleted)[0]

        return etagged(request, await self._shared.read(request, work))

    async def info(self, request: Request) -> PostInfo:
        """Where a post is, for somebody who may have to come in first."""
        post_id = id_param(request, "post_id")
        return await self._shared.read(request, lambda transaction, rights: info_of(transaction, rights, post_id))

    async def files(self, request: Request[None, DeletedQuery]) -> Reply:
        """The files of a post."""
        post_id, deleted = id_param(request, "post_id"), request.query.is_asked

        def work(transaction: Transaction, rights: Rights) -> list[FileInfo]:
            if deleted:
                rights.require("manage_system")
            post, _ = rights.readable_post(post_id, deleted=deleted)
            return [show_file(row) for row in list_files_of(transaction, post.id, deleted=deleted)]

        return etagged(request, await self._shared.read(request, work))


def _again(transaction: Transaction, rights: Rights, post_id: UUID, sent: sending.Sent) -> PostShown:
    """A post that was sent twice."""
    post = find_post(transaction, post_id)
    if post is None:
        raise faults.missing_post()
    (shown,) = show_posts(transaction, [post])
    return msgspec.structs.replace(shown, pending_post_id=sent.pending_post_id)


def post_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = PostHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="posts", **more)

    return [
        one("POST /posts", handlers.create, body=PostSent, query=SendQuery, returns=PostShown, status=201),
        one("POST /posts/ephemeral", handlers.create_ephemeral, body=EphemeralSent, returns=PostShown, status=201),
        one("POST /posts/ids", handlers.by_ids, body=list[str], returns=list[PostShown]),
        one("GET /posts/{post_id}", handlers.read, query=DeletedQuery, returns=PostShown),
        one("GET /posts/{post_id}/info", handlers.info, returns=PostInfo),
        one("GET /posts/{post_id}/files/info", handlers.files, query=DeletedQuery, returns=list[FileInfo]),
    ]
