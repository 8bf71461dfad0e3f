"""The tag posts: posts of a channel, of a thread, around what is unread, and those that somebody saved."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import (
    MOST_PER_PAGE,
    PER_PAGE,
    PageQuery,
    asked_id,
    count_query,
    id_param,
    number_query,
    user_param,
)
from manor_chat.parts import Shared
from manor_chat.people.showing import show_people
from manor_chat.posts import listing
from manor_chat.posts.discussing import Excerpt, discussion
from manor_chat.posts.listing import View
from manor_chat.posts.saved import saved_posts
from manor_chat.posts.showing import post_list, show_posts
from manor_chat.rights import Rights
from manor_chat.store.posts import Post, find_post
from manor_chat.wire.posts import PostList


class ListQuery(PageQuery, frozen=True, kw_only=True):
    """What of a channel or a thread is asked for."""

    since: str = ""
    before: str = ""
    after: str = ""
    include_deleted: str = ""
    skipFetchThreads: str = ""  # noqa: N815 - the API's names
    collapsedThreads: str = ""  # noqa: N815
    collapsedThreadsExtended: str = ""  # noqa: N815
    limit_before: str = ""
    limit_after: str = ""
    perPage: str = ""  # noqa: N815
    fromPost: str = ""  # noqa: N815
    fromCreateAt: str = ""  # noqa: N815
    direction: str = ""


class SavedQuery(PageQuery, frozen=True, kw_only=True):
    """Which saved posts are asked for."""

    team_id: str = ""
    channel_id: str = ""


def _anchor(transaction: Transaction, post_id: UUID, channel_id: UUID) -> Post:
    post = find_post(transaction, post_id)
    if post is None or post.channel_id != channel_id or post.sequence is None:
        raise faults.missing_post()
    return post


class ListHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def _view(self, query: ListQuery, channel_id: UUID, transaction: Transaction, rights: Rights) -> View:
        """How they look at a channel.

        Raises:
            Forbidden: 403: they want to see deleted posts, and administer nothing.
        """
        if query.include_deleted == "true":
            rights.require("manage_system")
        config = self._shared.config
        return View(
            channel_id,
            rights.user_id,
            roots_only=query.collapsedThreads == "true",
            show_people=(lambda people: show_people(transaction, people, rights, config))
            if query.collapsedThreadsExtended == "true"
            else None,
            with_roots=query.skipFetchThreads != "true",
            with_deleted=query.include_deleted == "true",
        )

    async def of_channel(self, request: Request[None, ListQuery]) -> Reply:
        """A page of a channel's posts, or what has changed in it."""
        channel_id, query = id_param(request, "channel_id"), request.query
        changed_since = number_query(query.since, "since")
        older_than, newer_than = asked_id(query.before, "before"), asked_id(query.after, "after")

        def work(transaction: Transaction, rights: Rights) -> PostList:
            channel = rights.readable_channel(channel_id)
            view = self._view(query, channel.id, transaction, rights)
            if query.since:
                page = listing.since(transaction, view, changed_since)
            elif older_than is not None:
                anchor = _anchor(transaction, older_than, channel.id)
                page = listing.before(transaction, view, anchor, limit=query.limit, offset=query.offset)
            elif newer_than is not None:
                anchor = _anchor(transaction, newer_than, channel.id)
                page = listing.after(transaction, view, anchor, limit=query.limit, offset=query.offset)
            else:
                page = listing.newest(transaction, view, limit=query.limit, offset=query.offset)
            return listing.show_page(transaction, view, page)

        return etagged(request, await self._shared.read(request, work))

    async def thread(self, request: Request[None, ListQuery]) -> Reply:
        """The thread that a post is in."""
        post_id, query = id_param(request, "post_id"), request.query
        part = Excerpt(
            limit=number_query(query.perPage, "perPage"),
            is_upwards=query.direction != "down",
            from_post=asked_id(query.fromPost, "fromPost"),
            from_create_at=number_query(query.fromCreateAt, "fromCreateAt"),
        )

        def work(transaction: Transaction, rights: Rights) -> PostList:
            post, channel = rights.readable_post(post_id)
            root = post if post.root_id is None else find_post(transaction, post.root_id)
            if root is None or root.delete_at:
                raise faults.missing_post()
            whole = msgspec.structs.replace(query, collapsedThreads="")
            view = self._view(whole, channel.id, transaction, rights)
            return discussion(transaction, view, root, part)

        return etagged(request, await self._shared.read(request, work))

    async def around_unread(self, request: Request[None, ListQuery]) -> Reply:
        """The posts around the first that somebody has not read."""
        user_id, channel_id = user_param(request), id_param(request, "channel_id")
        query = request.query
        limits = {
            "limit_before": min(count_query(query.limit_before, PER_PAGE), MOST_PER_PAGE),
            "limit_after": min(count_query(query.limit_after, PER_PAGE), MOST_PER_PAGE),
        }
        if not limits["limit_after"]:
            raise faults.bad_url_param("limit_after")

        def work(transaction: Transaction, rights: Rights) -> PostList:
            channel = rights.channel(channel_id)
            rights.require_self(user_id)
            rights.readable_channel(channel.id)
            view = self._view(query, channel.id, transaction, rights)
            page = listing.around_unread(transaction, view, user_id, **limits)
            return listing.show_page(transaction, view, page)

        return etagged(request, await self._shared.read(request, work))

    async def saved(self, request: Request[None, SavedQuery]) -> Reply:
        """The posts that somebody saved for later, the newest first."""
        user_id, query = user_param(request), request.query
        team_id, channel_id = asked_id(query.team_id, "team_id"), asked_id(query.channel_id, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> PostList:
            rights.require_self(user_id)
            found = saved_posts(transaction, rights, user_id, team_id=team_id, channel_id=channel_id)
            page = found[query.offset : query.offset + query.limit]
            return post_list(show_posts(transaction, page, rights.user_id))

        return etagged(request, await self._shared.read(request, work))


def list_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ListHandlers(shared)

    def one(line: str, handler: object, query: type[msgspec.Struct]) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="posts", query=query, returns=PostList)

    return [
        one("GET /channels/{channel_id}/posts", handlers.of_channel, ListQuery),
        one("GET /posts/{post_id}/thread", handlers.thread, ListQuery),
        one("GET /users/{user_id}/channels/{channel_id}/posts/unread", handlers.around_unread, ListQuery),
        one("GET /users/{user_id}/posts/flagged", handlers.saved, SavedQuery),
    ]
