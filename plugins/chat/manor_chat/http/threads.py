"""The tag threads."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor import Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import PageQuery, asked_id, id_param, number_query, user_param
from manor_chat.parts import Shared
from manor_chat.people.showing import show_people
from manor_chat.posts.showing import ShowPeople
from manor_chat.rights import Rights
from manor_chat.store.people import find_person
from manor_chat.threads import following, reading
from manor_chat.threads.reading import Wanted
from manor_chat.wire.threads import ThreadResponse, UserThreads


class ThreadsQuery(PageQuery, frozen=True, kw_only=True):
    """Which of somebody's threads are asked for."""

    since: str = ""
    before: str = ""
    after: str = ""
    unread: str = ""
    deleted: str = ""
    extended: str = ""
    pageSize: str = ""  # noqa: N815 - the API's names
    totalsOnly: str = ""  # noqa: N815
    threadsOnly: str = ""  # noqa: N815
    excludeDirect: str = ""  # noqa: N815

    def wanted(self) -> Wanted:
        """The same, read.

        Raises:
            BadRequest: 400: something is malformed, or both halves are left out.
        """
        if self.totalsOnly == self.threadsOnly == "true":
            raise faults.bad_url_param("totalsOnly")
        sized = msgspec.structs.replace(self, per_page=self.per_page or self.pageSize)
        return Wanted(
            limit=sized.limit,
            since=number_query(self.since, "since"),
            before=asked_id(self.before, "before"),
            after=asked_id(self.after, "after"),
            unread=self.unread == "true",
            deleted=self.deleted == "true",
            totals_only=self.totalsOnly == "true",
            threads_only=self.threadsOnly == "true",
            leaves_direct_out=self.excludeDirect == "true",
        )


class ThreadHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def followed(self, request: Request[None, ThreadsQuery]) -> UserThreads:
        """The threads that somebody follows, the last answered one first."""
        user_id, team_id, wanted = user_param(request), id_param(request, "team_id"), request.query.wanted()

        def work(transaction: Transaction, rights: Rights) -> UserThreads:
            _check(transaction, rights, user_id, team_id)
            show = self._shown(transaction, rights) if request.query.extended == "true" else None
            return reading.threads_of(transaction, user_id, team_id, wanted, show)

        return await self._shared.read(request, work)

    async def read(self, request: Request[None, ThreadsQuery]) -> ThreadResponse:
        """One of them."""
        user_id, team_id = user_param(request), id_param(request, "team_id")
        thread_id, is_extended = id_param(request, "thread_id"), request.query.extended == "true"

        def work(transaction: Transaction, rights: Rights) -> ThreadResponse:
            _check(transaction, rights, user_id, team_id)
            show = self._shown(transaction, rights) if is_extended else None
            return reading.thread_of(transaction, rights, user_id, thread_id, show)

        return await self._shared.read(request, work)

    def _shown(self, transaction: Transaction, rights: Rights) -> ShowPeople:
        return lambda people: show_people(transaction, people, rights, self._shared.config)

    async def follow(self, request: Request) -> object:
        """Follow a thread."""
        return await self._set_following(request, is_following=True)

    async def unfollow(self, request: Request) -> object:
        """Follow a thread no more."""
        return await self._set_following(request, is_following=False)

    async def _set_following(self, request: Request, *, is_following: bool) -> object:
        user_id, team_id = user_param(request), id_param(request, "team_id")
        thread_id = id_param(request, "thread_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            _check(transaction, rights, user_id, team_id)
            following.follow(transaction, rights, user_id, team_id, thread_id, following=is_following)

        await self._shared.write(request, work)
        return STATUS_OK

    async def mark_all_read(self, request: Request) -> object:
        """Have read all of them."""
        user_id, team_id = user_param(request), id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            _check(transaction, rights, user_id, team_id)
            following.read_all(transaction, user_id, team_id)

        await self._shared.write(request, work)
        return STATUS_OK

    async def mark_read(self, request: Request) -> ThreadResponse:
        """Have read one of them until a time."""
        user_id, team_id = user_param(request), id_param(request, "team_id")
        thread_id, timestamp = id_param(request, "thread_id"), number_query(request.params["timestamp"], "timestamp")

        def work(transaction: Transaction, rights: Rights) -> ThreadResponse:
            _check(transaction, rights, user_id, team_id)
            following.read_until(transaction, rights, user_id, team_id, thread_id, timestamp)
            return reading.thread_of(transaction, rights, user_id, thread_id)

        return await self._shared.write(request, work)

    async def mark_unread(self, request: Request) -> ThreadResponse:
        """Have not read one of them, from one of its posts on."""
        user_id, team_id = user_param(request), id_param(request, "team_id")
        thread_id, post_id = id_param(request, "thread_id"), id_param(request, "post_id")

        def work(transaction: Transaction, rights: Rights) -> ThreadResponse:
            _check(transaction, rights, user_id, team_id)
            following.unread_from(transaction, rights, user_id, team_id, thread_id, post_id)
            return reading.thread_of(transaction, rights, user_id, thread_id)

        return await self._shared.write(request, work)


def _check(transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID) -> None:
    """See that the caller may act for somebody who is there, in a team that is."""
    rights.team(team_id)
    if user_id != rights.user_id and find_person(transaction, user_id) is None:
        raise faults.missing_user()
    rights.require_self(user_id)
    rights.require_in_team("view_team", team_id)


def thread_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ThreadHandlers(shared)
    base = "/users/{user_id}/teams/{team_id}/threads"

    def one(line: str, handler: object, **more: object) -> Route:
        method, path = line.split()
        return operation(shared.api, f"{method} {base}{path}", handler, access=SIGNED_IN, tag="threads", **more)

    return [
        operation(
            shared.api,
            f"GET {base}",
            handlers.followed,
            access=SIGNED_IN,
            tag="threads",
            query=ThreadsQuery,
            returns=UserThreads,
        ),
        one("PUT /read", handlers.mark_all_read),
        one("GET /{thread_id}", handlers.read, query=ThreadsQuery, returns=ThreadResponse),
        one("PUT /{thread_id}/following", handlers.follow),
        one("DELETE /{thread_id}/following", handlers.unfollow),
        one("PUT /{thread_id}/read/{timestamp}", handlers.mark_read, returns=ThreadResponse),
        one("POST /{thread_id}/set_unread/{post_id}", handlers.mark_unread, returns=ThreadResponse),
    ]
