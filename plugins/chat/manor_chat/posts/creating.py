"""Writing a post: the row, the counters of everybody concerned, the thread, and what is told, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from manor import Transaction, new_id
from manor_chat import faults
from manor_chat.domain.attachments import with_action_ids
from manor_chat.domain.hashtags import hashtags_in
from manor_chat.domain.post_types import is_counted, is_system
from manor_chat.events import PostCreated
from manor_chat.ids import new_token, shown_id
from manor_chat.posts.notifying import Heard, IsOnline, who_hears, who_is_told_of_comments
from manor_chat.posts.showing import show_posts
from manor_chat.posts.threading import Thread, follow_reply, tell_followers
from manor_chat.store.channels import Channel, find_member
from manor_chat.store.counters import count_mentions, count_post, note_own_post
from manor_chat.store.people import Person
from manor_chat.store.post_files import free_files, give_files
from manor_chat.store.posts import Post, add_post, find_post
from manor_chat.store.threads import auto_followers, members_of_thread
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
        may_call: Whether its author may mention everybody at once.
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
    may_call: bool = True

    @property
    def is_theirs(self) -> bool:
        """Whether its author wrote it, rather than the server or a webhook in their name."""
        return not is_system(self.type) and "from_webhook" not in self.props


@dataclass(frozen=True)
class Written:
    """A post that was written, and as clients see it."""

    post: Post
    shown: PostShown


def create_post(transaction: Transaction, new: NewPost, *, is_online: IsOnline = lambda user_id: False) -> Written:
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
    thread = None if new.root_id is None else _thread(transaction, new, is_online)
    create_at = new.create_at or to_milliseconds(transaction.now)
    sequence = _count(transaction, new, create_at, is_root=thread is None)
    taken = _attach(transaction, new)
    post = Post(
        id=new_id(),
        channel_id=new.channel.id,
        user_id=new.author.id,
        root_id=None if thread is None else thread.root.id,
        create_at=create_at,
        update_at=create_at,
        type=new.type,
        message=new.message,
        hashtags="" if is_system(new.type) else hashtags_in(new.message),
        props=with_action_ids(new.props, new_token),
        file_ids=[shown_id(each) for each in taken],
        sequence=sequence,
        position=transaction.position(),
    )
    add_post(transaction, post)
    give_files(transaction, post, taken)
    heard = who_hears(transaction, new.channel, post, is_online, may_call=new.may_call)
    followed = None
    if thread is not None:
        repliers = [member.user_id for member in thread.members.values() if member.has_replied]
        heard = heard.also(who_is_told_of_comments(transaction, thread.root, post.user_id, repliers))
        followed = follow_reply(transaction, post, thread, heard, is_theirs=new.is_theirs)
    count_mentions(transaction, post.channel_id, heard.mentioned, create_at, is_root=thread is None)
    counts = {} if thread is None or followed is None else {thread.root.id: followed.reply_count}
    (shown,) = show_posts(transaction, [post], reply_counts=counts)
    shown = msgspec.structs.replace(shown, pending_post_id=new.pending_post_id)
    _tell(transaction, new, shown, heard, () if followed is None else followed.user_ids)
    if thread is not None and followed is not None:
        tell_followers(transaction, new.channel, thread, followed, post)
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


def _thread(transaction: Transaction, new: NewPost, is_online: IsOnline) -> Thread:
    """The thread that a reply comes into; with the first one come its root's author, if they are still there, whom the
    root mentions, and those who follow all of the channel's threads.
    """
    assert new.root_id is not None, "a reply"
    root = _root(transaction, new.root_id, new.channel)
    members = members_of_thread(transaction, root.id)
    joining = set()
    if root.user_id not in members and "from_webhook" not in root.props:
        joining = {root.user_id} if find_member(transaction, root.channel_id, root.user_id) is not None else set()
    if not root.reply_count:
        joining |= who_hears(transaction, new.channel, root, is_online).following
        joining |= set(auto_followers(transaction, new.channel.id))
    return Thread(root, members, joining)


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
    return free_files(transaction, new.author.id, new.channel.id, new.file_ids) if new.file_ids else []


def _count(transaction: Transaction, new: NewPost, create_at: int, *, is_root: bool) -> int:
    """Give the channel one post more, and its author nothing unread; returns the post's number in the channel."""
    counted = is_counted(new.type)
    row = count_post(transaction, new.channel.id, create_at, is_root=is_root, is_counted=counted)
    if counted and new.is_theirs:
        note_own_post(transaction, new.channel.id, new.author.id, create_at, row)
    return row.sequence


def _tell(transaction: Transaction, new: NewPost, shown: PostShown, heard: Heard, followers: tuple[UUID, ...]) -> None:
    channel = new.channel
    override = new.props.get("override_username") if "from_webhook" in new.props else None
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
        mentions=sorted(heard.mentioned, key=attrgetter("int")),
        followers=followers,
    )
