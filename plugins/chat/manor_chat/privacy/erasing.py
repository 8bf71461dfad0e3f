"""Erasing what somebody left in chat. What others wrote stays.

A post is first deleted as if they had done it, so that clients forget it and all counters are right; then its row goes.
A post that others answered is kept without its words, as the server's own, for without it the answers could not be
seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, exists, select, tuple_, update

from manor import SYSTEM_ID, Transaction
from manor_chat.domain.channel_rules import group_display_name
from manor_chat.events import ChannelMemberChanged, PostEdited
from manor_chat.posts.deleting import remove_post
from manor_chat.store.channels import GROUP, change_channel, find_channels, member_ids
from manor_chat.store.oauth import remove_app
from manor_chat.store.people import find_people
from manor_chat.store.posts import Post, list_posts
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.drafts import drafts
from manor_chat.tables.oauth import oauth_apps, oauth_codes, oauth_grants
from manor_chat.tables.personal import preferences, statuses
from manor_chat.tables.posts import posts, reactions, thread_members
from manor_chat.times import to_milliseconds

POSTS_AT_ONCE = 50
"""Posts of one transaction: each of them changes counters of many rows, and clients are told of it."""

ERASED = "(erased)"
"""What a post says whose author is erased and whose answers stay."""


def erase(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Remove at most so many rows of somebody's; how many are gone, 0 when none is left."""
    for step in _STEPS:
        gone = step(transaction, user_id, limit)
        if gone:
            return gone
    return 0


def _posts(transaction: Transaction, user_id: UUID, limit: int) -> int:
    some = list_posts(transaction, posts.c.user_id == user_id, limit=min(limit, POSTS_AT_ONCE))
    there = find_channels(transaction, {post.channel_id for post in some})
    gone: list[UUID] = []
    for post in some:
        if post.original_id is not None or _is_deleted(transaction, post):
            gone.append(post.id)
        elif post.root_id is None and _is_answered(transaction, post):
            _empty(transaction, post)
        else:
            channel = there.get(post.channel_id)
            if channel is not None:
                remove_post(transaction, channel, post, by=SYSTEM_ID)
            gone.append(post.id)
    _remove_rows(transaction, gone)
    return len(some)


def _is_deleted(transaction: Transaction, post: Post) -> bool:
    # Asked anew: a root that went in this transaction took its replies with it.
    query = select(posts.c.delete_at).where(posts.c.id == post.id)
    return bool(transaction.connection.execute(query).scalar_one())


def _is_answered(transaction: Transaction, post: Post) -> bool:
    """Whether somebody else answered it."""
    others = select(posts.c.id).where(
        posts.c.root_id == post.id, posts.c.delete_at == 0, posts.c.user_id.not_in([post.user_id, SYSTEM_ID])
    )
    return transaction.connection.execute(others.limit(1)).first() is not None


def _empty(transaction: Transaction, post: Post) -> None:
    values = {
        "user_id": SYSTEM_ID,
        "message": ERASED,
        "hashtags": "",
        "props": {},
        "file_ids": [],
        "is_pinned": False,
        "edit_at": 0,
        "update_at": max(to_milliseconds(transaction.now), post.update_at + 1),
    }
    transaction.connection.execute(update(posts).where(posts.c.id == post.id).values(values))
    earlier = select(posts.c.id).where(posts.c.original_id == post.id)
    _remove_rows(transaction, list(transaction.connection.execute(earlier).scalars()))
    transaction.emit(PostEdited(post_id=post.id, channel_id=post.channel_id))


def _remove_rows(transaction: Transaction, ids: Sequence[UUID]) -> None:
    """Posts, and what others did to them."""
    if not ids:
        return
    connection = transaction.connection
    connection.execute(delete(reactions).where(reactions.c.post_id.in_(ids)))
    connection.execute(delete(thread_members).where(thread_members.c.root_id.in_(ids)))
    connection.execute(delete(posts).where(posts.c.id.in_(ids)))


def _reactions(transaction: Transaction, user_id: UUID, limit: int) -> int:
    query = select(reactions.c.post_id).where(reactions.c.user_id == user_id).limit(limit)
    ids = list(transaction.connection.execute(query).scalars())
    theirs = (reactions.c.user_id == user_id) & reactions.c.post_id.in_(ids)
    gone = transaction.connection.execute(delete(reactions).where(theirs)).rowcount
    others = exists().where(reactions.c.post_id == posts.c.id)
    now = to_milliseconds(transaction.now)
    bare = update(posts).where(posts.c.id.in_(ids), ~others)
    transaction.connection.execute(bare.values(has_reactions=False, update_at=now))
    return gone


def _memberships(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Out of channels; conversations that nobody is in any more go, and groups are called after who is left."""
    query = select(channel_members.c.channel_id).where(channel_members.c.user_id == user_id).limit(limit)
    ids = list(transaction.connection.execute(query).scalars())
    mine = (channel_members.c.user_id == user_id) & channel_members.c.channel_id.in_(ids)
    transaction.connection.execute(delete(channel_members).where(mine))
    for channel in find_channels(transaction, ids).values():
        transaction.emit(ChannelMemberChanged(channel_id=channel.id, user_id=user_id, is_member=False))
        if channel.team_id is not None:
            continue
        left = member_ids(transaction, channel.id)
        if not left:
            transaction.connection.execute(delete(channels).where(channels.c.id == channel.id))
        elif channel.type == GROUP:
            names = [person.handle for person in find_people(transaction, left).values()]
            change_channel(transaction, channel, display_name=group_display_name(names))
    return len(ids)


def _channels(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """What they made for a team is the team's; that they did is forgotten."""
    some = select(channels.c.id).where(channels.c.creator_id == user_id).limit(limit)
    return transaction.connection.execute(
        update(channels).where(channels.c.id.in_(some)).values(creator_id=None)
    ).rowcount


def _apps(transaction: Transaction, user_id: UUID, limit: int) -> int:
    query = select(oauth_apps.c.id).where(oauth_apps.c.creator_id == user_id).limit(limit)
    ids = list(transaction.connection.execute(query).scalars())
    for app_id in ids:
        remove_app(transaction, app_id)
    return len(ids)


def _rows_of(table: Table, owner: ColumnElement[UUID]) -> Callable[[Transaction, UUID, int], int]:
    def step(transaction: Transaction, user_id: UUID, limit: int) -> int:
        key = tuple(table.primary_key)
        some = select(*key).where(owner == user_id).limit(limit)
        return transaction.connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount

    return step


_STEPS: tuple[Callable[[Transaction, UUID, int], int], ...] = (
    _posts,
    _reactions,
    _rows_of(thread_members, thread_members.c.user_id),
    _memberships,
    _channels,
    _rows_of(preferences, preferences.c.user_id),
    _rows_of(drafts, drafts.c.user_id),
    _rows_of(statuses, statuses.c.user_id),
    _apps,
    _rows_of(oauth_codes, oauth_codes.c.user_id),
    _rows_of(oauth_grants, oauth_grants.c.user_id),
)
