"""Lists of users, over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, select

from manor import Reply, Request, Route, Transaction, users_table
from manor_chat import faults
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import count_query, id_members
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.people.acquaintance import known_ids, others_of_groups
from manor_chat.people.listing import PeopleQuery, everybody, list_page
from manor_chat.people.showing import show_people
from manor_chat.rights import Rights
from manor_chat.store.people import list_people, select_people
from manor_chat.wire.people import UserShown

_MOST_NAMED = 1000


class SinceQuery(msgspec.Struct, frozen=True):
    """Only those who changed later than this, in milliseconds."""

    since: str = ""


class UsersStats(msgspec.Struct, frozen=True):
    """How many people there are."""

    total_users_count: int


class UsersListsHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def users(self, request: Request[None, PeopleQuery]) -> Reply:
        """A page of people."""

        def work(transaction: Transaction, rights: Rights) -> list[UserShown]:
            people = list_page(transaction, rights, request.query)
            return show_people(transaction, people, rights, self._shared.config)

        return etagged(request, await self._shared.read(request, work))

    async def by_ids(self, request: Request[list[str], SinceQuery]) -> list[UserShown]:
        """Those of these ids who are there."""
        ids = id_members(request.body, "user_ids")
        since = count_query(request.query.since, 0)
        shown = await self._among(request, users_table.c.id.in_(ids))
        return [user for user in shown if user.update_at > since]

    async def by_usernames(self, request: Request[list[str]]) -> list[UserShown]:
        """Those of these names who are there."""
        if not 1 <= len(request.body) <= _MOST_NAMED:
            raise faults.bad_body_param("usernames")
        return await self._among(request, users_table.c.handle.in_({name.lower() for name in request.body}))

    async def of_groups(self, request: Request[list[str]]) -> Reply:
        """The others in these group channels."""
        ids = id_members(request.body, "group_channel_ids")

        def work(transaction: Transaction, rights: Rights) -> dict[str, list[UserShown]]:
            found = others_of_groups(transaction, ids, rights.user_id)
            everyone = {person.id: person for people in found.values() for person in people}
            shown = dict(
                zip(
                    everyone,
                    show_people(transaction, list(everyone.values()), rights, self._shared.config),
                    strict=True,
                )
            )
            return {shown_id(channel): [shown[person.id] for person in people] for channel, people in found.items()}

        return answer(await self._shared.read(request, work))

    async def known(self, request: Request) -> Reply:
        """The ids of those whom one shares a channel with."""
        found = await self._shared.read(request, lambda transaction, rights: known_ids(transaction, rights.user_id))
        return answer([shown_id(user_id) for user_id in found])

    async def stats(self, request: Request) -> UsersStats:
        """How many are active."""

        def work(transaction: Transaction, rights: Rights) -> int:
            query = select(func.count()).select_from(users_table).where(everybody(), users_table.c.is_active.is_(True))
            return transaction.connection.execute(query).scalar_one()

        return UsersStats(await self._shared.read(request, work))

    async def _among(self, request: Request[Any, Any], condition: ColumnElement[bool]) -> list[UserShown]:
        def work(transaction: Transaction, rights: Rights) -> list[UserShown]:
            people = list_people(transaction, select_people().where(condition).order_by(users_table.c.handle))
            return show_people(transaction, people, rights, self._shared.config)

        return await self._shared.read(request, work)


def users_lists_routes(shared: Shared) -> list[Route]:
    """The operations."""
    here, api, users = UsersListsHandlers(shared), shared.api, "users"
    several = list[UserShown]
    return [
        operation(api, "GET /users", here.users, access=SIGNED_IN, tag=users, query=PeopleQuery, returns=several),
        operation(api, "POST /users/ids", here.by_ids, access=SIGNED_IN, tag=users, body=list[str], query=SinceQuery,
                  returns=several),
        operation(api, "POST /users/usernames", here.by_usernames, access=SIGNED_IN, tag=users, body=list[str],
                  returns=several),
        operation(api, "POST /users/group_channels", here.of_groups, access=SIGNED_IN, tag=users, body=list[str]),
        operation(api, "GET /users/known", here.known, access=SIGNED_IN, tag=users),
        operation(api, "GET /users/stats", here.stats, access=SIGNED_IN, tag=users, returns=UsersStats),
    ]  # fmt: skip
