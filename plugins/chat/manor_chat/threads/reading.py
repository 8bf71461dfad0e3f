"""Somebody's threads in a team, and how much of them they have not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from manor import Transaction
from manor_chat import faults
from manor_chat.posts.showing import ShowPeople, show_posts
from manor_chat.rights import Rights
from manor_chat.store.posts import Post, find_post, find_posts
from manor_chat.store.threads import THREAD_MEMBER, ThreadMember, find_thread_member
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.posts import posts, thread_members
from manor_chat.wire.threads import ThreadResponse, UserThreads, show_thread


@dataclass(frozen=True)
class Wanted:
    """Which of somebody's threads are asked for.

    Args:
        limit: How many.
        since: Only what has changed after this time, in milliseconds; 0 for all.
        before: Only those whose last reply is older than this thread's.
        after: Only those whose last reply is newer; the oldest of them.
        unread: Only those with something unread.
        deleted: Those whose root is deleted, too.
        totals_only: Whether there are to be numbers only.
        threads_only: Whether there are to be threads only.
        leaves_direct_out: Whether those in channels of people are left out.
    """

    limit: int
    since: int = 0
    before: UUID | None = None
    after: UUID | None = None
    unread: bool = False
    deleted: bool = False
    totals_only: bool = False
    threads_only: bool = False
    leaves_direct_out: bool = False


_UNREAD = thread_members.c.seen_replies < posts.c.reply_count


def threads_of(
    transaction: Transaction, user_id: UUID, team_id: UUID, wanted: Wanted, show_people: ShowPeople | None = None
) -> UserThreads:
    """The threads that somebody follows in a team and in channels of people, the last answered one first.

    Args:
        transaction: The caller's.
        user_id: Who follows them.
        team_id: Which team.
        wanted: Which of them.
        show_people: Shows those who wrote in them; without it they have ids only.
    """
    totals = UserThreads() if wanted.threads_only else _totals(transaction, user_id, team_id, wanted)
    if wanted.totals_only:
        return totals
    found = _page(transaction, user_id, team_id, wanted)
    roots = find_posts(transaction, [member.root_id for member in found])
    shown = _show(transaction, [(roots[member.root_id], member) for member in found], show_people)
    return UserThreads(
        total=totals.total,
        total_unread_threads=totals.total_unread_threads,
        total_unread_mentions=totals.total_unread_mentions,
        threads=shown,
    )


def thread_of(
    transaction: Transaction, rights: Rights, user_id: UUID, root_id: UUID, show_people: ShowPeople | None = None
) -> ThreadResponse:
    """One thread that somebody follows.

    Raises:
        NotFound: 404: there is no such thread, or they do not follow it.
        Forbidden: 403: the caller may not read it.
    """
    root, member = followed(transaction, rights, user_id, root_id)
    return _show(transaction, [(root, member)], show_people)[0]


def followed(transaction: Transaction, rights: Rights, user_id: UUID, root_id: UUID) -> tuple[Post, ThreadMember]:
    """The root of a thread, and somebody's part in it.

    Raises:
        NotFound: 404: there is no such thread, or they do not follow it.
        Forbidden: 403: the caller may not read it.
    """
    root = root_of(transaction, rights, root_id)
    member = find_thread_member(transaction, root.id, user_id)
    if member is None or not member.following:
        raise faults.missing_post()
    return root, member


def root_of(transaction: Transaction, rights: Rights, post_id: UUID) -> Post:
    """The root of the thread that a post is in.

    Raises:
        NotFound: 404: there is no such post, or it is deleted.
        Forbidden: 403: they may not read it.
    """
    post, _ = rights.readable_post(post_id)
    root = post if post.root_id is None else find_post(transaction, post.root_id)
    if root is None or root.delete_at:
        raise faults.missing_post()
    return root


def _theirs(user_id: UUID, team_id: UUID, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Threads with replies that somebody follows, in channels that they are in."""
    in_channel = exists().where(
        channel_members.c.channel_id == thread_members.c.channel_id, channel_members.c.user_id == user_id
    )
    of_team = channels.c.team_id == team_id
    conditions = [
        thread_members.c.user_id == user_id,
        thread_members.c.following,
        posts.c.reply_count > 0,
        of_team if wanted.leaves_direct_out else or_(of_team, channels.c.team_id.is_(None)),
        in_channel,
    ]
    return conditions if wanted.deleted else [*conditions, posts.c.delete_at == 0]


def _from_threads(query: Select[Any]) -> Select[Any]:
    joined = thread_members.join(posts, posts.c.id == thread_members.c.root_id)
    return query.select_from(joined.join(channels, channels.c.id == thread_members.c.channel_id))


def _totals(transaction: Transaction, user_id: UUID, team_id: UUID, wanted: Wanted) -> UserThreads:
    query = _from_threads(
        select(
            func.count(),
            func.coalesce(func.sum(case((_UNREAD, 1), else_=0)), 0),
            func.coalesce(func.sum(thread_members.c.unread_mentions), 0),
        )
    )
    row = transaction.connection.execute(query.where(*_theirs(user_id, team_id, wanted))).one()
    return UserThreads(total=row[0], total_unread_threads=row[1], total_unread_mentions=row[2])


def _page(transaction: Transaction, user_id: UUID, team_id: UUID, wanted: Wanted) -> Sequence[ThreadMember]:
    conditions = _theirs(user_id, team_id, wanted)
    if wanted.unread:
        conditions.append(or_(_UNREAD, thread_members.c.unread_mentions > 0))
    if wanted.since:
        changed = or_(posts.c.last_reply_at >= wanted.since, thread_members.c.update_at >= wanted.since)
        conditions.append(or_(changed, posts.c.update_at >= wanted.since))
    upwards = wanted.after is not None
    cursor = wanted.after or wanted.before
    if cursor is not None:
        anchor = find_post(transaction, cursor)
        if anchor is None:
            raise faults.missing_post()
        conditions.append(_beyond(anchor, upwards=upwards))
    order = (posts.c.last_reply_at, posts.c.id)
    query = _from_threads(select(*THREAD_MEMBER)).where(*conditions).limit(wanted.limit)
    query = query.order_by(*(order if upwards else (column.desc() for column in order)))
    found = [ThreadMember(**row) for row in transaction.connection.execute(query).mappings()]
    return found[::-1] if upwards else found


def _beyond(anchor: Post, *, upwards: bool) -> ColumnElement[bool]:
    same = posts.c.last_reply_at == anchor.last_reply_at
    if upwards:
        return or_(posts.c.last_reply_at > anchor.last_reply_at, and_(same, posts.c.id > anchor.id))
    return or_(posts.c.last_reply_at < anchor.last_reply_at, and_(same, posts.c.id < anchor.id))


def _show(
    transaction: Transaction, found: Sequence[tuple[Post, ThreadMember]], show_people: ShowPeople | None
) -> list[ThreadResponse]:
    roots = [root for root, _ in found]
    viewer_id = found[0][1].user_id if found else None
    shown = show_posts(transaction, roots, viewer_id, show_people=show_people)
    return [show_thread(root, member) for root, (_, member) in zip(shown, found, strict=True)]
