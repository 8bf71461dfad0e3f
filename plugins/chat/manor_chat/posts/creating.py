"""Writing a post: the row, the counters of everybody concerned, the thread, and what is told, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import update

from manor import Transaction, new_id
from manor_chat import faults
from manor_chat.domain.hashtags import hashtags_in
from manor_chat.domain.post_types import is_counted, is_system
from manor_chat.events import PostCreated
from manor_chat.ids import shown_id
from manor_chat.posts.notifying import Heard, who_hears
from manor_chat.posts.showing import show_posts
from manor_chat.posts.threading import follow_reply
from manor_chat.store.channels import Channel
from manor_chat.store.people import Person
from manor_chat.store.posts import Post, add_post, find_post
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.posts import files
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.posts import PostShown


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that is about to be written; who may write it was checked.

    Args:
        channel: Where.
        author: Who.
        message: Markdown.
        root_id: The post that it answers.
        file_ids: Uploaded files of the author's that no post has yet.
        props: Whatever clients and integrations keep with it.
        type: See `domain.post_types`.
        create_at: In milliseconds; 0 for now.
        pending_post_id: What the client calls it; told with it and never kept.
        set_online: Whether its author is seen online for it.
    """

    channel: Channel
    author: Person
    message: str = ""
    root_id: UUID | None = None
    file_ids: tuple[UUID, ...] = ()
    props: dict[str, Any] = {}
    type: str = ""
    create_at: int = 0
    pending_post_id: str = ""
    set_online: bool = True


@dataclass(frozen=True)
class Written:
    """A post that was written, and as clients see it."""

    post: Post
    shown: PostShown


def create_post(
    transaction: Transaction, new: NewPost, *, is_online: Callable[[UUID], bool] = lambda user_id: False
) -> Written:
    """Write a post.

    Args:
        transaction: The caller's.
        new: What; its author may write it.
        is_online: Whether somebody is there now, for `@here`.

    Raises:
        BadRequest: 400: the root is not one of the channel, or the channel is archived.
    """
    if new.channel.delete_at:
        raise faults.bad_value("api.post.create_post.can_not_post_to_deleted.error", "Can not post to deleted channel.")
    root = None if new.root_id is None else _root(transaction, new.root_id, new.channel)
    create_at = new.create_at or to_milliseconds(transaction.now)
    sequence = _count(transaction, new, create_at, is_root=root is None)
    post = Post(
        id=new_id(),
        channel_id=new.channel.id,
        user_id=new.author.id,
        root_id=None if root is None else root.id,
        create_at=create_at,
        update_at=create_at,
        type=new.type,
        message=new.message,
        hashtags="" if is_system(new.type) else hashtags_in(new.message),
        props=new.props,
        file_ids=[shown_id(each) for each in _attach(transaction, new)],
        sequence=sequence,
        position=transaction.position(),
    )
    if post.file_ids:
        taken = update(files).where(files.c.id.in_(new.file_ids), files.c.user_id == new.author.id)
        transaction.connection.execute(taken.values(post_id=post.id, update_at=create_at))
    add_post(transaction, post)
    heard = who_hears(transaction, post, new, root, is_online)
    _count_mentions(transaction, post, heard)
    followers = () if root is None else follow_reply(transaction, post, root, new, heard)
    (shown,) = show_posts(transaction, [post])
    shown = msgspec.structs.replace(shown, pending_post_id=new.pending_post_id)
    _tell(transaction, new, shown, heard, followers)
    transaction.emit(
        PostCreated(
            post_id=post.id,
            channel_id=post.channel_id,
            team_id=new.channel.team_id,
            user_id=post.user_id,
            root_id=post.root_id,
            type=post.type,
        )
    )
    return Written(post, shown)


def _root(transaction: Transaction, root_id: UUID, channel: Channel) -> Post:
    root = find_post(transaction, root_id)
    if root is None or root.delete_at or root.root_id is not None or root.original_id is not None:
        raise faults.bad_value("api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
    if root.channel_id != channel.id:
        raise faults.bad_value(
            "api.post.create_post.channel_root_id.app_error", "Invalid ChannelId for RootId parameter."
        )
    return root


def _attach(transaction: Transaction, new: NewPost) -> list[UUID]:
    """The files of the author's in this channel that are still free, in the order that was asked for."""
    if not new.file_ids:
        return []
    mine = (files.c.user_id == new.author.id) & (files.c.channel_id == new.channel.id)
    free = files.select().where(files.c.id.in_(new.file_ids), mine, files.c.post_id.is_(None), files.c.delete_at == 0)
    there = {row.id for row in transaction.connection.execute(free)}
    return [each for each in dict.fromkeys(new.file_ids) if each in there]


def _count(transaction: Transaction, new: NewPost, create_at: int, *, is_root: bool) -> int:
    """Give the channel one post more, and its author nothing unread; returns the post's number in the channel."""
    counted = is_counted(new.type)
    changes: dict[str, Any] = {
        "last_sequence": channels.c.last_sequence + 1,
        "last_post_at": create_at,
    }
    if is_root:
        changes["last_root_post_at"] = create_at
    if counted:
        changes["total_msg_count"] = channels.c.total_msg_count + 1
        if is_root:
            changes["total_msg_count_root"] = channels.c.total_msg_count_root + 1
    numbers = (channels.c.last_sequence, channels.c.total_msg_count, channels.c.total_msg_count_root)
    changed = update(channels).where(channels.c.id == new.channel.id).values(changes).returning(*numbers)
    row = transaction.connection.execute(changed).one()
    if counted and not is_system(new.type) and "from_webhook" not in new.props:
        mine = (channel_members.c.channel_id == new.channel.id) & (channel_members.c.user_id == new.author.id)
        seen = {
            "msg_count": row.total_msg_count,
            "msg_count_root": row.total_msg_count_root,
            "mention_count": 0,
            "mention_count_root": 0,
            "last_viewed_at": create_at,
            "last_update_at": create_at,
        }
        transaction.connection.execute(update(channel_members).where(mine).values(seen))
    sequence: int = row.last_sequence
    return sequence


def _count_mentions(transaction: Transaction, post: Post, heard: Heard) -> None:
    if not heard.mentioned:
        return
    theirs = (channel_members.c.channel_id == post.channel_id) & channel_members.c.user_id.in_(heard.mentioned)
    changes: dict[str, Any] = {
        "mention_count": channel_members.c.mention_count + 1,
        "last_update_at": post.create_at,
    }
    if post.root_id is None:
        changes["mention_count_root"] = channel_members.c.mention_count_root + 1
    transaction.connection.execute(update(channel_members).where(theirs).values(changes))


def _tell(transaction: Transaction, new: NewPost, shown: PostShown, heard: Heard, followers: tuple[UUID, ...]) -> None:
    channel, override = new.channel, new.props.get("override_username")
    data: dict[str, Any] = {
        "channel_display_name": channel.display_name or f"@{new.author.handle}",
        "channel_name": channel.name,
        "channel_type": channel.type,
        "post": as_text(shown),
        "sender_name": override if isinstance(override, str) and override else f"@{new.author.handle}",
        "set_online": new.set_online,
        "team_id": shown_id(channel.team_id),
    }
    if shown.metadata.files:
        data["otherFile"] = "true"
        if any(file.mime_type.startswith("image/") for file in shown.metadata.files):
            data["image"] = "true"
    tell(
        transaction,
        "posted",
        data,
        channel_id=channel.id,
        mentions=sorted(heard.mentioned),
        followers=followers,
    )
