"""Posts and channels of whoever asks, many at once."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from manor import Transaction
from manor_chat.rights import Rights
from manor_chat.store.channel_lists import memberships_in
from manor_chat.store.channels import Channel, find_channels
from manor_chat.store.posts import Post, find_posts, portions


def readable_channels(transaction: Transaction, rights: Rights, ids: Collection[UUID]) -> dict[UUID, Channel]:
    """Those of these channels that the caller may read, by id; in as many queries as they have teams."""
    found: dict[UUID, Channel] = {}
    for some in portions(set(ids)):
        channels = find_channels(transaction, some)
        rights.know(memberships_in(transaction, rights.user_id, some), some)
        found |= {each.id: each for each in channels.values() if rights.is_open(each) and rights.may_read(each)}
    return found


def readable_posts(transaction: Transaction, rights: Rights, ids: Collection[UUID]) -> list[Post]:
    """Those of these posts that are not deleted and that the caller may read, the newest first."""
    found = [post for post in find_posts(transaction, ids).values() if not post.delete_at]
    channels = readable_channels(transaction, rights, {post.channel_id for post in found})
    readable = [post for post in found if post.channel_id in channels]
    return sorted(readable, key=lambda post: (post.create_at, post.id), reverse=True)
