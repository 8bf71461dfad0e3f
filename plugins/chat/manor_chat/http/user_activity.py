"""What somebody does and where they are: typing, and their part in all channels, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import select, true

from manor import Reply, Request, Route, Stream, Transaction, Write, teams_table
from manor_chat.events import Told
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_member, user_param
from manor_chat.ids import read_id, shown_id
from manor_chat.parts import Shared
from manor_chat.people.profiles import existing_person
from manor_chat.rights import Rights
from manor_chat.store.channels import MEMBER, ChannelMember
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.people import teams
from manor_chat.wire.channels import ChannelMemberShown, show_channel_member

_AT_ONCE = 500


class TypingBody(msgspec.Struct, frozen=True):
    """Where somebody writes."""

    channel_id: str = ""
    parent_id: str | None = None


class MembersQuery(PageQuery, frozen=True, kw_only=True):
    """Which part of the list; `page=-1` is all of it, a line each."""

    pageSize: str = ""  # noqa: N815 - the API's name


class MemberOfTeamShown(ChannelMemberShown, frozen=True, kw_only=True):
    """Somebody's part in a channel, with the channel's team; all "" and 0 where it has none."""

    team_display_name: str
    team_name: str
    team_update_at: int


class UserActivityHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def typing(self, request: Request[TypingBody]) -> Reply:
        """Tell a channel that somebody writes."""
        user_id, body = user_param(request), request.body
        channel_id = id_member(body.channel_id, "channel_id")
        if body.parent_id:
            id_member(body.parent_id, "parent_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            existing_person(transaction, user_id)
            if user_id != rights.user_id:
                rights.require("manage_system")
            rights.require_in_channel("create_post", rights.channel(channel_id))

        await self._shared.read(request, work)
        data = msgspec.json.encode({"user_id": shown_id(user_id), "parent_id": body.parent_id or ""})
        # Nothing is written for it, and whoever writes does not wait for it.
        self._shared.hub.tell(Told(event="typing", data=data, channel_id=channel_id, omit_users=(user_id,)))
        return STATUS_OK

    async def channel_members(self, request: Request[None, MembersQuery]) -> Reply | Stream:
        """Somebody's part in all channels that they are in."""
        query = request.query
        if query.page == "-1":
            first = await self._page(request, limit=_AT_ONCE)
            if not first:
                # A client takes the text apart at its line ends, and cannot read what is left of nothing.
                return answer([])
            return Stream(lambda write: self._write_all(request, first, write), content_type="application/x-ndjson")
        asked = msgspec.structs.replace(query, per_page=query.pageSize or query.per_page)
        return answer(await self._page(request, offset=asked.offset, limit=asked.limit))

    async def _write_all(
        self, request: Request[None, MembersQuery], first: Sequence[MemberOfTeamShown], write: Write
    ) -> None:
        encoder, some = msgspec.json.Encoder(), first
        while some:
            await write(b"".join(encoder.encode(each) + b"\n" for each in some))
            # Behind the last that was written: by their number, one would be missing for each channel that is left.
            last = read_id(some[-1].channel_id)
            some = await self._page(request, limit=_AT_ONCE, after=last) if len(some) == _AT_ONCE else ()

    async def _page(
        self, request: Request[None, MembersQuery], *, limit: int, offset: int = 0, after: UUID | None = None
    ) -> Sequence[MemberOfTeamShown]:
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Sequence[MemberOfTeamShown]:
            existing_person(transaction, user_id)
            rights.require_self(user_id)
            query = (
                select(*MEMBER, teams_table.c.display_name, teams_table.c.name, teams.c.update_at)
                .join(channels, channels.c.id == channel_members.c.channel_id)
                .join(teams_table, teams_table.c.id == channels.c.team_id, isouter=True)
                .join(teams, teams.c.team_id == channels.c.team_id, isouter=True)
                .where(channel_members.c.user_id == user_id, channels.c.delete_at == 0)
                .where(channels.c.team_id.is_(None) | teams_table.c.is_active)
                .where(true() if after is None else channel_members.c.channel_id > after)
                .order_by(channel_members.c.channel_id)
                .limit(limit)
                .offset(offset)
            )
            rows = transaction.connection.execute(query).mappings()
            return [
                MemberOfTeamShown(
                    **msgspec.structs.asdict(
                        show_channel_member(
                            ChannelMember(**{name: row[name] for name in ChannelMember.__struct_fields__})
                        )
                    ),
                    team_display_name=row["display_name"] or "",
                    team_name=row["name"] or "",
                    team_update_at=row["update_at"] or 0,
                )
                for row in rows
            ]

        return await self._shared.read(request, work)


def user_activity_routes(shared: Shared) -> list[Route]:
    """The operations."""
    here, api, users = UserActivityHandlers(shared), shared.api, "users"
    return [
        operation(api, "POST /users/{user_id}/typing", here.typing, access=SIGNED_IN, tag=users, body=TypingBody),
        operation(api, "GET /users/{user_id}/channel_members", here.channel_members, access=SIGNED_IN, tag=users,
                  query=MembersQuery, returns=list[MemberOfTeamShown]),
    ]  # fmt: skip
