"""Who is in which team, and what they have not read there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, case, func, select

from manor import Transaction, members_table, teams_table, users_table
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.posts import posts, thread_members
from manor_chat.times import to_milliseconds


class TeamMemberRow(msgspec.Struct, frozen=True):
    """Somebody's part in a team."""

    team_id: UUID
    user_id: UUID
    role: str
    joined_at: datetime

    @property
    def create_at(self) -> int:
        """Since when, in milliseconds."""
        return to_milliseconds(self.joined_at)


_COLUMNS = [members_table.c[name] for name in TeamMemberRow.__struct_fields__]


def find_team_member(transaction: Transaction, team_id: UUID, user_id: UUID) -> TeamMemberRow | None:
    """Somebody's part in a team, if they are in it."""
    mine = (members_table.c.team_id == team_id) & (members_table.c.user_id == user_id)
    row = transaction.connection.execute(select(*_COLUMNS).where(mine)).one_or_none()
    return None if row is None else TeamMemberRow(*row)


def list_team_members(
    transaction: Transaction, team_id: UUID, *, offset: int = 0, limit: int = 200, ids: Collection[UUID] | None = None
) -> Sequence[TeamMemberRow]:
    """A page of a team's members by username, or those of them who are named."""
    query = select(*_COLUMNS).join(users_table, users_table.c.id == members_table.c.user_id)
    query = query.where(members_table.c.team_id == team_id).order_by(users_table.c.handle)
    query = query.offset(offset).limit(limit) if ids is None else query.where(members_table.c.user_id.in_(ids))
    return _rows(transaction, query)


def team_members_of(transaction: Transaction, user_id: UUID) -> Sequence[TeamMemberRow]:
    """Somebody's parts in the teams that are not switched off."""
    query = select(*_COLUMNS).join(teams_table, teams_table.c.id == members_table.c.team_id)
    return _rows(transaction, query.where(members_table.c.user_id == user_id, teams_table.c.is_active))


def count_team(transaction: Transaction, team_id: UUID) -> tuple[int, int]:
    """How many are in a team, and how many of them may sign in."""
    active = func.coalesce(func.sum(case((users_table.c.is_active, 1), else_=0)), 0)
    query = select(func.count(), active).select_from(members_table)
    joined = query.join(users_table, users_table.c.id == members_table.c.user_id)
    total, active_count = transaction.connection.execute(joined.where(members_table.c.team_id == team_id)).one()
    return total, active_count


# --- Unread --------------------------------------------------------------------------------------------------------


class TeamUnread(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has not read in a team: posts, mentions, threads. Muted channels count for mentions alone."""

    team_id: UUID
    msg_count: int = 0
    msg_count_root: int = 0
    mention_count: int = 0
    mention_count_root: int = 0
    thread_count: int = 0
    thread_mention_count: int = 0


def unread_of(transaction: Transaction, user_id: UUID, *, with_threads: bool) -> dict[UUID, TeamUnread]:
    """By team; a team without anything is left out. Two queries, however many teams there are."""
    is_heard = func.coalesce(channel_members.c.notify_props["mark_unread"].as_string(), "all") != "mention"
    unread = channels.c.total_msg_count - channel_members.c.msg_count
    unread_root = channels.c.total_msg_count_root - channel_members.c.msg_count_root
    query = (
        select(
            channels.c.team_id,
            func.sum(case((is_heard, unread), else_=0)),
            func.sum(case((is_heard, unread_root), else_=0)),
            func.sum(channel_members.c.mention_count),
            func.sum(channel_members.c.mention_count_root),
        )
        .join(channels, channels.c.id == channel_members.c.channel_id)
        .where(channel_members.c.user_id == user_id, channels.c.team_id.is_not(None), channels.c.delete_at == 0)
        .group_by(channels.c.team_id)
    )
    names = ("msg_count", "msg_count_root", "mention_count", "mention_count_root")
    found = {
        row[0]: TeamUnread(team_id=row[0], **dict(zip(names, (max(0, each) for each in row[1:]), strict=True)))
        for row in transaction.connection.execute(query)
    }
    if with_threads:
        for row in transaction.connection.execute(_threads(user_id)):
            known = found.get(row.team_id) or TeamUnread(team_id=row.team_id)
            found[row.team_id] = msgspec.structs.replace(
                known, thread_count=row.unread, thread_mention_count=row.mentions
            )
    return found


def _threads(user_id: UUID) -> Select[Any]:
    is_unread = posts.c.reply_count > thread_members.c.seen_replies
    return (
        select(
            channels.c.team_id,
            func.sum(case((is_unread, 1), else_=0)).label("unread"),
            func.sum(thread_members.c.unread_mentions).label("mentions"),
        )
        .select_from(thread_members)
        .join(posts, posts.c.id == thread_members.c.root_id)
        .join(channels, channels.c.id == thread_members.c.channel_id)
        .where(
            thread_members.c.user_id == user_id,
            thread_members.c.following,
            posts.c.delete_at == 0,
            channels.c.team_id.is_not(None),
            channels.c.delete_at == 0,
        )
        .group_by(channels.c.team_id)
    )


def _rows(transaction: Transaction, query: Select[Any]) -> list[TeamMemberRow]:
    return [TeamMemberRow(**row) for row in transaction.connection.execute(query).mappings()]
