"""Editing: a post says something else, and what it said before is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Transaction, new_id
from manor_chat import faults
from manor_chat.domain.attachments import with_action_ids, with_integrations_of
from manor_chat.domain.hashtags import hashtags_in
from manor_chat.domain.post_props import allowed_props
from manor_chat.domain.post_types import is_system
from manor_chat.events import PostEdited
from manor_chat.ids import new_token, read_ids, shown_id
from manor_chat.posts.checking import check_file_count, check_message, check_props
from manor_chat.posts.showing import show_posts
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.post_files import drop_files, free_files, give_files
from manor_chat.store.posts import Post, add_post, change_post, list_posts
from manor_chat.tables.posts import posts
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.posts import PostShown


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different about a post; None leaves it as it is."""

    message: str | None = None
    props: dict[str, Any] | None = None
    is_pinned: bool | None = None
    file_ids: Sequence[UUID] | None = None


def edit(transaction: Transaction, rights: Rights, post_id: UUID, change: Change, *, limit_seconds: int) -> PostShown:
    """Change a post.

    Args:
        transaction: The caller's.
        rights: Theirs.
        post_id: Which.
        change: What.
        limit_seconds: For how long its text and files may be changed; -1 for ever.

    Raises:
        BadRequest: 400: it is the server's, it is too late, or it would say too much or nothing.
        NotFound: 404: there is no such post.
        Forbidden: 403: it is not theirs to edit.
    """
    post, channel = rights.readable_post(post_id)
    rights.require_in_channel("edit_post" if post.user_id == rights.user_id else "edit_others_posts", channel)
    if is_system(post.type):
        raise faults.bad_value("api.post.update_post.system_message.app_error", "Unable to update system message.")
    _check_open(channel)
    changes = _changes(transaction, post, change, is_integration=rights.person.is_bot)
    now = to_milliseconds(transaction.now)
    if "message" in changes or "file_ids" in changes:
        if 0 <= limit_seconds < (now - post.create_at) / 1000:
            raise faults.bad_value(
                "api.post.update_post.permissions_time_limit.app_error",
                f"Post edit is only allowed for {limit_seconds} seconds.",
            )
        _keep_earlier(transaction, post, now)
        changes["edit_at"] = now
    return _changed(transaction, rights, post, changes, now)


def pin(transaction: Transaction, rights: Rights, post_id: UUID, *, is_pinned: bool) -> None:
    """Pin a post to its channel, or take it off; nothing is said of it when it is so already.

    Raises:
        BadRequest: 400: the channel is archived.
        NotFound: 404: there is no such post.
        Forbidden: 403: they are not in its channel.
    """
    post, channel = rights.readable_post(post_id)
    rights.require_in_channel("read_channel", channel)
    _check_open(channel)
    if post.is_pinned != is_pinned:
        _changed(transaction, rights, post, {"is_pinned": is_pinned}, to_milliseconds(transaction.now))


def earlier_texts(transaction: Transaction, rights: Rights, post_id: UUID) -> list[PostShown]:
    """What a post said before its edits, the newest first.

    Raises:
        NotFound: 404: there is no such post.
        Forbidden: 403: only its author may look.
    """
    post, channel = rights.readable_post(post_id)
    if post.user_id != rights.user_id:
        raise faults.no_permission()
    rights.require_in_channel("edit_post", channel)
    order = [posts.c.update_at.desc(), posts.c.id.desc()]
    return show_posts(transaction, list_posts(transaction, posts.c.original_id == post.id, order=order))


def first_text(transaction: Transaction, post: Post) -> Post:
    """A post as it was when it was written: whom it mentioned then was told."""
    if not post.edit_at:
        return post
    earlier = list_posts(transaction, posts.c.original_id == post.id, order=[posts.c.update_at, posts.c.id], limit=1)
    return msgspec.structs.replace(post, message=earlier[0].message, props=earlier[0].props) if earlier else post


def _check_open(channel: Channel) -> None:
    if channel.delete_at:
        raise faults.bad_value(
            "api.post.update_post.can_not_update_post_in_deleted.error", "Can not update a post in an archived channel."
        )


def _changes(transaction: Transaction, post: Post, change: Change, *, is_integration: bool) -> dict[str, Any]:
    """What is really different, checked; the files that it takes are taken."""
    changes: dict[str, Any] = {}
    if change.is_pinned is not None and change.is_pinned != post.is_pinned:
        changes["is_pinned"] = change.is_pinned
    if change.props is not None:
        props = allowed_props(change.props, post.props, is_integration=is_integration)
        props = with_integrations_of(props, post.props)
        check_props(props)
        if props != post.props:
            changes["props"] = with_action_ids(props, new_token)
    if change.message is not None and change.message != post.message:
        check_message(change.message)
        changes |= {"message": change.message, "hashtags": hashtags_in(change.message)}
    if change.file_ids is not None:
        check_file_count(change.file_ids)
        kept = _take_files(transaction, post, change.file_ids)
        if kept != post.file_ids:
            changes["file_ids"] = kept
    after = msgspec.structs.replace(post, **changes)
    if changes and not after.message.strip() and not after.file_ids and not after.props.get("attachments"):
        raise faults.bad_body_param("message")
    return changes


def _take_files(transaction: Transaction, post: Post, wanted: Sequence[UUID]) -> list[str]:
    had = set(read_ids(post.file_ids))
    new = free_files(transaction, post.user_id, post.channel_id, [each for each in wanted if each not in had])
    now = to_milliseconds(transaction.now)
    give_files(transaction, msgspec.structs.replace(post, update_at=now), new)
    drop_files(transaction, had - set(wanted), now)
    return [shown_id(each) for each in dict.fromkeys(wanted) if each in had or each in new]


def _keep_earlier(transaction: Transaction, post: Post, now: int) -> None:
    earlier = msgspec.structs.replace(
        post,
        id=new_id(),
        original_id=post.id,
        update_at=now,
        delete_at=now,
        is_pinned=False,
        has_reactions=False,
        sequence=None,
        position=None,
        reply_count=0,
        last_reply_at=0,
    )
    add_post(transaction, earlier)


def _changed(transaction: Transaction, rights: Rights, post: Post, changes: dict[str, Any], now: int) -> PostShown:
    if not changes:
        return show_posts(transaction, [post], rights.user_id)[0]
    after = change_post(transaction, post, **changes, update_at=max(now, post.update_at + 1))
    (shown,) = show_posts(transaction, [after])
    tell(transaction, "post_edited", {"post": as_text(shown)}, channel_id=post.channel_id)
    transaction.emit(PostEdited(post_id=post.id, channel_id=post.channel_id))
    return shown
