"""Looking for users, over HTTP."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement

from manor import Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import count_query
from manor_chat.ids import read_id
from manor_chat.parts import Shared
from manor_chat.people.listing import in_channel, in_team, require_to_see, without_team
from manor_chat.people.searching import LIMIT, MOST, search_people
from manor_chat.people.showing import show_people
from manor_chat.rights import Rights
from manor_chat.wire.people import UserShown


class AutocompleteQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is typed behind an `@`; the webapp's names for team and channel, and the reference's."""

    name: str = ""
    in_team: str = ""
    in_channel: str = ""
    team_id: str = ""
    channel_id: str = ""
    limit: str = ""


class SearchBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whom somebody looks for."""

    term: str = ""
    team_id: str | None = None
    not_in_team_id: str | None = None
    in_channel_id: str | None = None
    not_in_channel_id: str | None = None
    in_group_id: str | None = None
    group_constrained: bool | None = None
    allow_inactive: bool | None = None
    without_team: bool | None = None
    limit: int | None = None


class UserAutocomplete(msgspec.Struct, frozen=True, omit_defaults=True):
    """Those in the channel, or in the team; and those of the team who are not in the channel."""

    users: list[UserShown]
    out_of_channel: list[UserShown] | None = None


class UsersSearchHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def search(self, request: Request[SearchBody]) -> list[UserShown]:
        """People whose names begin with what was typed."""
        body = request.body
        if not body.term:
            raise faults.bad_body_param("term")
        limit = LIMIT if body.limit is None else body.limit
        if not 1 <= limit <= MOST:
            raise faults.bad_body_param("limit")
        if body.in_group_id or body.group_constrained:
            raise faults.switched_off("api.ldap_groups.license_error", "Groups are not available on this server.")
        names = ("team_id", "not_in_team_id", "in_channel_id", "not_in_channel_id")
        ids = {name: read_id(getattr(body, name)) for name in names if getattr(body, name)}
        for name, id_ in ids.items():
            if id_ is None:
                raise faults.bad_body_param(name)
        given = {name: id_ for name, id_ in ids.items() if id_ is not None}

        def work(transaction: Transaction, rights: Rights) -> list[UserShown]:
            teams = [given[name] for name in names[:2] if name in given]
            channels = [given[name] for name in names[2:] if name in given]
            require_to_see(rights, teams=teams, channels=channels)
            if body.without_team:
                rights.require("list_users_without_team")
            elif not given:
                rights.require("view_members")
            conditions = [
                *([in_team(given["team_id"])] if "team_id" in given else ()),
                *([~in_team(given["not_in_team_id"])] if "not_in_team_id" in given else ()),
                *([in_channel(given["in_channel_id"])] if "in_channel_id" in given else ()),
                *([~in_channel(given["not_in_channel_id"])] if "not_in_channel_id" in given else ()),
                *([without_team()] if body.without_team else ()),
            ]
            people = search_people(
                transaction,
                rights,
                self._shared.config,
                body.term,
                *conditions,
                limit=limit,
                with_inactive=bool(body.allow_inactive),
            )
            return show_people(transaction, people, rights, self._shared.config)

        return await self._shared.read(request, work)

    async def autocomplete(self, request: Request[None, AutocompleteQuery]) -> UserAutocomplete:
        """Those who may be meant by what is typed behind an `@`."""
        query = request.query
        team, channel = query.in_team or query.team_id, query.in_channel or query.channel_id
        team_id, channel_id = read_id(team), read_id(channel)
        if team and team_id is None:
            raise faults.bad_url_param("team_id")
        if channel and channel_id is None:
            raise faults.bad_url_param("channel_id")
        limit = min(count_query(query.limit, LIMIT) or LIMIT, MOST)

        def work(transaction: Transaction, rights: Rights) -> UserAutocomplete:
            config = self._shared.config

            def found(*conditions: ColumnElement[bool]) -> list[UserShown]:
                people = search_people(transaction, rights, config, query.name, *conditions, limit=limit)
                return show_people(transaction, people, rights, config)

            if channel_id is not None:
                of_team = rights.readable_channel(channel_id).team_id
                here = found(in_channel(channel_id))
                if of_team is None or not rights.may_in_team("view_team", of_team):
                    return UserAutocomplete(here, [])
                return UserAutocomplete(here, found(in_team(of_team), ~in_channel(channel_id)))
            if team_id is not None:
                require_to_see(rights, teams=[team_id])
                return UserAutocomplete(found(in_team(team_id)))
            rights.require("view_members")
            return UserAutocomplete(found())

        return await self._shared.read(request, work)


def users_search_routes(shared: Shared) -> list[Route]:
    """The operations."""
    here, api, users = UsersSearchHandlers(shared), shared.api, "users"
    several = list[UserShown]
    return [
        operation(api, "POST /users/search", here.search, access=SIGNED_IN, tag=users, body=SearchBody,
                  returns=several),
        operation(api, "GET /users/autocomplete", here.autocomplete, access=SIGNED_IN, tag=users,
                  query=AutocompleteQuery, returns=UserAutocomplete),
    ]  # fmt: skip
