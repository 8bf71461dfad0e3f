"""The posts that somebody saved for later: preferences of the category `flagged_post`, named after the posts."""

from __future__ import annotations

from uuid import UUID

from manor import Transaction
from manor_chat.ids import read_ids
from manor_chat.posts.finding import readable_channels
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.posts import Post, find_posts
from manor_chat.store.preferences import FLAGGED_POST, list_preferences


def saved_posts(
    transaction: Transaction, rights: Rights, user_id: UUID, *, team_id: UUID | None, channel_id: UUID | None
) -> list[Post]:
    """Those that are there and that the caller may read, the newest first.

    Args:
        transaction: The caller's.
        rights: Theirs.
        user_id: Who saved them.
        team_id: Only of this team; those of channels of people are of every team.
        channel_id: Only of this channel.
    """
    saved = list_preferences(transaction, user_id, category=FLAGGED_POST)
    ids = read_ids(each.name for each in saved if each.value == "true")
    found = [
        post
        for post in find_posts(transaction, ids).values()
        if not post.delete_at and (channel_id is None or post.channel_id == channel_id)
    ]
    channels = readable_channels(transaction, rights, {post.channel_id for post in found})

    def is_wanted(channel: Channel | None) -> bool:
        return channel is not None and (team_id is None or channel.team_id in (None, team_id))

    wanted = [post for post in found if is_wanted(channels.get(post.channel_id))]
    return sorted(wanted, key=lambda post: (post.create_at, post.id), reverse=True)
