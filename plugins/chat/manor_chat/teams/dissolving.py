"""A team that is deleted, by whatever API: its channels go with all that is in them, a little at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import trio
from sqlalchemy import delete, select, tuple_

from manor import Delivery, Job, JobHandler, Part, Subscription, Transaction
from manor_chat.events import ChannelMemberChanged
from manor_chat.files.removing import remove_files
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.store.files import list_files_in
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.drafts import drafts
from manor_chat.tables.integrations import command_replies, commands, incoming_hooks, outgoing_hooks
from manor_chat.tables.people import teams
from manor_chat.tables.posts import posts, reactions, thread_members
from manor_chat.tables.sidebar import sidebar_categories, sidebar_channels
from manor_chat.telling import tell

BATCH = 500
"""Rows that one transaction removes, of one kind."""

AT_A_TIME = 20.0
"""Seconds after which the rest waits for its turn behind other work."""


class Deleted(msgspec.Struct, frozen=True):
    """Which team; also of `identity.team_deleted`."""

    team_id: UUID


DISSOLVE = Job("chat.dissolve_team", Deleted, deadline=AT_A_TIME * 3)


class Dissolving(Part):
    """Removes what deleted teams had."""

    def __init__(self, shared: Shared) -> None:
        self._storage = shared.storage

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Teams that are deleted."""
        return [Subscription("identity.team_deleted", Deleted, self._begin, Delivery.DURABLE)]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Removing what they had."""
        return [JobHandler(DISSOLVE, self._dissolve)]

    async def _begin(self, event: Deleted) -> None:
        def work(transaction: Transaction) -> None:
            transaction.defer(DISSOLVE, event, key=shown_id(event.team_id))

        await self._storage.write(work)

    async def _dissolve(self, event: Deleted) -> None:
        until = trio.current_time() + AT_A_TIME
        while trio.current_time() < until:
            if not await self._storage.write(lambda transaction: remove_some(transaction, event.team_id)):
                return
        await self._begin(event)


def remove_some(transaction: Transaction, team_id: UUID) -> int:
    """Remove some of what a team had; how many rows, 0 when nothing is left."""
    if gone := _shut_out(transaction, team_id):
        return gone
    connection = transaction.connection
    channel_id = connection.execute(select(channels.c.id).where(channels.c.team_id == team_id).limit(1)).scalar()
    if channel_id is None:
        for table in (incoming_hooks, outgoing_hooks, commands, sidebar_categories, sidebar_channels, teams):
            connection.execute(delete(table).where(table.c.team_id == team_id))
        return 0
    if gone := _some_posts(transaction, channel_id):
        return gone
    if gone := remove_files(transaction, list_files_in(transaction, channel_id, BATCH)):
        return gone
    for table in (drafts, command_replies):
        connection.execute(delete(table).where(table.c.channel_id == channel_id))
    connection.execute(delete(channels).where(channels.c.id == channel_id))
    return 1


def _shut_out(transaction: Transaction, team_id: UUID) -> int:
    """Have people out of its channels: they are told before anything of theirs is gone."""
    columns = (channel_members.c.channel_id, channel_members.c.user_id, channels.c.name)
    query = select(*columns).join(channels, channels.c.id == channel_members.c.channel_id)
    rows = transaction.connection.execute(query.where(channels.c.team_id == team_id).limit(BATCH)).all()
    for row in rows:
        transaction.emit(ChannelMemberChanged(channel_id=row.channel_id, user_id=row.user_id, is_member=False))
        if row.name == "town-square":
            told = {"team_id": shown_id(team_id), "user_id": shown_id(row.user_id)}
            tell(transaction, "leave_team", told, user_id=row.user_id)
    if rows:
        key = tuple_(channel_members.c.channel_id, channel_members.c.user_id)
        gone = [(row.channel_id, row.user_id) for row in rows]
        transaction.connection.execute(delete(channel_members).where(key.in_(gone)))
    return len(rows)


def _some_posts(transaction: Transaction, channel_id: UUID) -> int:
    ids = transaction.connection.execute(select(posts.c.id).where(posts.c.channel_id == channel_id).limit(BATCH))
    some = ids.scalars().all()
    if some:
        transaction.connection.execute(delete(reactions).where(reactions.c.post_id.in_(some)))
        transaction.connection.execute(delete(thread_members).where(thread_members.c.root_id.in_(some)))
        transaction.connection.execute(delete(posts).where(posts.c.id.in_(some)))
    return len(some)
