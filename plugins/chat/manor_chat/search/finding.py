"""Finding posts that say something, in channels that the asker is in."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import select

from manor import Transaction, members_table, teams_table, users_table
from manor_chat.domain.search_query import Query
from manor_chat.domain.search_text import channel_label, match_expression, user_label
from manor_chat.ids import shown_id
from manor_chat.search.index import first_number
from manor_chat.store.channels import CHANNEL, DIRECT, Channel
from manor_chat.tables.channels import channel_members, channels

FEW_LABELS = 10
"""With more channels than these, some of what is found in all channels is looked through first."""

LOOKED_AT = 600
"""So many posts."""

MOST_LABELS = 400
"""With more channels than these, that is all there is: more labels than these are not asked for."""

MOST_LOOKED_AT = 20_000
"""So many posts then."""


class Scope(msgspec.Struct, frozen=True):
    """Where somebody searches: their channels, after what the query says of channels and senders.

    Args:
        channels: Ids; none says that nothing can be found.
        senders: Ids of who wrote it; None for anybody.
        not_senders: Ids of who did not.
    """

    channels: tuple[UUID, ...]
    senders: tuple[UUID, ...] | None
    not_senders: tuple[UUID, ...]


def find_scope(
    transaction: Transaction, user_id: UUID, team_id: UUID | None, query: Query, *, with_archived: bool
) -> Scope:
    """Say where somebody searches.

    Args:
        transaction: The caller's.
        user_id: Who.
        team_id: In the channels of this team, and those of people; None for all.
        query: What they typed.
        with_archived: Whether archived channels count.
    """
    mine = _channels_of(transaction, user_id, team_id, with_archived=with_archived)
    if query.channels or query.not_channels:
        names = _names(transaction, mine, user_id)
        if query.channels:
            wanted = {name.lstrip("~") for name in query.channels}
            mine = [channel for channel in mine if names[channel.id] & wanted]
        if query.not_channels:
            unwanted = {name.lstrip("~") for name in query.not_channels}
            mine = [channel for channel in mine if not names[channel.id] & unwanted]
    senders = _people(transaction, query.senders) if query.senders else None
    return Scope(tuple(channel.id for channel in mine), senders, _people(transaction, query.not_senders))


def find_posts_of(
    transaction: Transaction, scope: Scope, query: Query, *, is_or: bool, offset: int, limit: int
) -> list[UUID]:
    """Ids of posts, the newest first."""
    if query.is_impossible or query.is_empty or not scope.channels or scope.senders == ():
        return []
    wanted = offset + limit
    if len(scope.channels) > FEW_LABELS and (anywhere := _expression(scope, query, is_or=is_or, labelled=False)):
        # Asking for each of many channels costs more than looking through what is found in all.
        is_last = len(scope.channels) > MOST_LABELS
        found, is_all = _look_through(transaction, scope, query, anywhere, MOST_LOOKED_AT if is_last else LOOKED_AT)
        if is_last or is_all or len(found) >= wanted:
            return found[offset:wanted]
    expression = _expression(scope, query, is_or=is_or, labelled=True)
    if not expression:
        return []
    bounds, values = _bounds(query)
    statement = (
        "SELECT p.post_id FROM chat_search s JOIN chat_search_posts p ON p.number = s.rowid "  # noqa: S608
        f"WHERE chat_search MATCH ?{bounds} ORDER BY s.rowid DESC LIMIT ? OFFSET ?"
    )
    rows = transaction.connection.exec_driver_sql(statement, (expression, *values, limit, offset))
    return [UUID(bytes=row[0]) for row in rows]


def _look_through(
    transaction: Transaction, scope: Scope, query: Query, expression: str, most: int
) -> tuple[list[UUID], bool]:
    """Those of the newest posts that match anywhere which are in the asker's channels, and whether these were all."""
    bounds, values = _bounds(query)
    statement = (
        "SELECT chat_posts.id, chat_posts.channel_id FROM chat_search s "  # noqa: S608
        "JOIN chat_search_posts p ON p.number = s.rowid JOIN chat_posts ON chat_posts.id = p.post_id "
        f"WHERE chat_search MATCH ?{bounds} ORDER BY s.rowid DESC LIMIT ?"
    )
    rows = transaction.connection.exec_driver_sql(statement, (expression, *values, most)).all()
    mine = {channel.bytes for channel in scope.channels}
    return [UUID(bytes=post_id) for post_id, channel_id in rows if channel_id in mine], len(rows) < most


def _expression(scope: Scope, query: Query, *, is_or: bool, labelled: bool) -> str:
    return match_expression(
        query,
        is_or=is_or,
        channels=[channel_label(shown_id(each)) for each in scope.channels[:MOST_LABELS]] if labelled else [],
        senders=[user_label(shown_id(each)) for each in scope.senders or ()],
        not_senders=[user_label(shown_id(each)) for each in scope.not_senders],
    )


def _bounds(query: Query) -> tuple[str, list[int]]:
    """The range of numbers that the query's dates are."""
    bounds, values = "", []
    if query.first is not None:
        bounds += " AND s.rowid >= ?"
        values.append(_bounded(first_number(max(query.first, 0))))
    if query.last is not None:
        bounds += " AND s.rowid < ?"
        values.append(_bounded(first_number(max(query.last, 0))))
    return bounds, values


def _bounded(number: int) -> int:
    return min(number, (1 << 63) - 1)


def _channels_of(
    transaction: Transaction, user_id: UUID, team_id: UUID | None, *, with_archived: bool
) -> list[Channel]:
    query = select(*CHANNEL).join(channel_members, channel_members.c.channel_id == channels.c.id)
    mine = (
        select(members_table.c.team_id)
        .join(teams_table, teams_table.c.id == members_table.c.team_id)
        .where(members_table.c.user_id == user_id, teams_table.c.is_active)
    )
    query = query.where(
        channel_members.c.user_id == user_id, channels.c.team_id.is_(None) | channels.c.team_id.in_(mine)
    )
    if team_id is not None:
        query = query.where((channels.c.team_id == team_id) | channels.c.team_id.is_(None))
    if not with_archived:
        query = query.where(channels.c.delete_at == 0)
    return [Channel(**row) for row in transaction.connection.execute(query).mappings()]


def _names(transaction: Transaction, found: Sequence[Channel], user_id: UUID) -> dict[UUID, set[str]]:
    """What each channel may be called behind `in:`; a direct one `@name` of whom it is with."""
    direct = [channel.id for channel in found if channel.type == DIRECT]
    names = {channel.id: {channel.name, shown_id(channel.id)} for channel in found}
    if direct:
        query = (
            select(channel_members.c.channel_id, users_table.c.handle, users_table.c.id)
            .join(users_table, users_table.c.id == channel_members.c.user_id)
            .where(channel_members.c.channel_id.in_(direct))
        )
        for row in transaction.connection.execute(query):
            if row.id != user_id:
                names[row.channel_id].add(f"@{row.handle}")
    return names


def _people(transaction: Transaction, names: Sequence[str]) -> tuple[UUID, ...]:
    wanted = [name.lstrip("@") for name in names]
    query = select(users_table.c.id).where(users_table.c.handle.in_(wanted))
    return tuple(transaction.connection.execute(query).scalars())
