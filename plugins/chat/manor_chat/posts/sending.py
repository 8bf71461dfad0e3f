"""Posts that clients send: what they may say, and who may say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Transaction, new_id
from manor_chat import faults
from manor_chat.domain.post_props import FROM_BOT, FROM_OAUTH_APP, allowed_props
from manor_chat.domain.post_types import EPHEMERAL, may_be_sent
from manor_chat.posts.checking import check_file_count, check_message, check_props
from manor_chat.posts.creating import NewPost, Written, create_post
from manor_chat.posts.notifying import IsOnline
from manor_chat.posts.showing import show_post
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, Channel, find_member
from manor_chat.store.people import find_person
from manor_chat.store.posts import Post
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.posts import PostShown


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A post as a client sent it, its ids read.

    Args:
        channel_id: Where it goes.
        message: Markdown.
        root_id: The post that it answers.
        file_ids: Uploaded files.
        props: Whatever the client keeps with it.
        type: See `domain.post_types`.
        create_at: In milliseconds; heeded for administrators only.
        pending_post_id: What the client calls it.
        set_online: Whether its author is seen online for it.
        by_app: Whether an OAuth application sent it.
    """

    channel_id: UUID
    message: str = ""
    root_id: UUID | None = None
    file_ids: Sequence[UUID] = ()
    props: dict[str, Any] = {}
    type: str = ""
    create_at: int = 0
    pending_post_id: str = ""
    set_online: bool = True
    by_app: bool = False


def send(transaction: Transaction, rights: Rights, sent: Sent, is_online: IsOnline) -> Written:
    """Write the post that a client sent.

    Raises:
        BadRequest: 400: it says too much, or nothing, or what only the server says; or see `create_post`.
        NotFound: 404: there is no such channel.
        Forbidden: 403: its author may not write there.
    """
    channel = rights.channel(sent.channel_id)
    if not may_post(rights, channel):
        raise faults.no_permission()
    check_sent(sent)
    author = rights.person
    props = allowed_props(sent.props, {}, is_integration=author.is_bot)
    if author.is_bot:
        props[FROM_BOT] = "true"
    if sent.by_app:
        props[FROM_OAUTH_APP] = "true"
    new = NewPost(
        channel=channel,
        author=author,
        message=sent.message,
        root_id=sent.root_id,
        file_ids=tuple(sent.file_ids),
        props=props,
        type=sent.type,
        create_at=sent.create_at if rights.may("manage_system") and sent.create_at > 0 else 0,
        pending_post_id=sent.pending_post_id,
        set_online=sent.set_online,
        may_call=rights.may_in_channel("use_channel_mentions", channel),
    )
    return create_post(transaction, new, is_online=is_online)


def may_post(rights: Rights, channel: Channel) -> bool:
    """Whether they may write in a channel: as its member, or, with the right for it, in an open one."""
    if rights.may_in_channel("create_post", channel):
        return True
    return channel.type == OPEN and rights.may_in_channel("create_post_public", channel)


def check_sent(sent: Sent) -> None:
    """See that a client may send this.

    Raises:
        BadRequest: 400.
    """
    if not may_be_sent(sent.type):
        raise faults.bad_body_param("type")
    if not sent.message.strip() and not sent.file_ids and not sent.props.get("attachments"):
        raise faults.bad_body_param("message")
    check_message(sent.message)
    check_file_count(sent.file_ids)
    check_props(sent.props)


def send_ephemeral(transaction: Transaction, rights: Rights, user_id: UUID, sent: Sent) -> PostShown:
    """Tell one person something in a channel that nobody else sees, and that nobody keeps.

    Raises:
        BadRequest: 400: it says too much, or nothing.
        NotFound: 404: there is no such channel or person, or they are not in it.
        Forbidden: 403: only administrators, and bots that may write there, do that.
    """
    channel = rights.channel(sent.channel_id)
    if find_person(transaction, user_id) is None:
        raise faults.missing_user()
    if not rights.may("create_post_ephemeral") and not (rights.person.is_bot and may_post(rights, channel)):
        raise faults.no_permission()
    if find_member(transaction, channel.id, user_id) is None:
        raise faults.missing_member()
    check_sent(sent)
    now = to_milliseconds(transaction.now)
    post = Post(
        id=new_id(),
        channel_id=channel.id,
        user_id=rights.user_id,
        root_id=sent.root_id,
        create_at=now,
        update_at=now,
        type=EPHEMERAL,
        message=sent.message,
        props=allowed_props(sent.props, {}, is_integration=True),
    )
    return tell_ephemeral(transaction, user_id, post)


def tell_ephemeral(transaction: Transaction, user_id: UUID, post: Post) -> PostShown:
    """Show a post to one person, and keep nothing."""
    shown = show_post(post)
    data = {"post": as_text(shown)}
    tell(transaction, "ephemeral_message", data, user_id=user_id, channel_id=post.channel_id)
    return shown
