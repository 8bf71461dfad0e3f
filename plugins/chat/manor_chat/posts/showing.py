"""Posts with all that clients want to know of them, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import select

from manor import Transaction
from manor_chat.ids import shown_id
from manor_chat.store.posts import Post
from manor_chat.tables.posts import files, reactions, thread_members
from manor_chat.wire.posts import FileInfo, PostList, PostMetadata, PostShown, ReactionShown, show_file, show_reaction


def show_posts(transaction: Transaction, posts: Sequence[Post], viewer_id: UUID | None = None) -> list[PostShown]:
    """Posts as the API shows them, in the same order.

    Args:
        transaction: The caller's.
        posts: Which.
        viewer_id: Whose `is_following` they carry; None leaves it out, as events do.
    """
    with_files = [post.id for post in posts if post.file_ids]
    with_reactions = [post.id for post in posts if post.has_reactions]
    roots = [post.id for post in posts if post.root_id is None and post.reply_count]
    found_files = _files(transaction, with_files)
    found_reactions = _reactions(transaction, with_reactions)
    repliers, followed = _threads(transaction, roots, viewer_id)
    shown = []
    for post in posts:
        metadata = PostMetadata(
            embeds=_embeds(post), files=found_files.get(post.id, []), reactions=found_reactions.get(post.id, [])
        )
        one = show_post(post, metadata)
        if post.root_id is None and post.reply_count:
            one = msgspec.structs.replace(
                one,
                participants=[{"id": shown_id(each)} for each in repliers.get(post.id, [])],
                is_following=UNSET if viewer_id is None else post.id in followed,
            )
        shown.append(one)
    return shown


def show_post(post: Post, metadata: PostMetadata | None = None, *, pending_post_id: str = "") -> PostShown:
    """A post with what its row says."""
    is_gone = post.delete_at > 0
    return PostShown(
        id=shown_id(post.id),
        create_at=post.create_at,
        update_at=post.update_at,
        edit_at=post.edit_at,
        delete_at=post.delete_at,
        is_pinned=post.is_pinned,
        user_id=shown_id(post.user_id),
        channel_id=shown_id(post.channel_id),
        root_id=shown_id(post.root_id),
        original_id=shown_id(post.original_id),
        message="" if is_gone else post.message,
        type=post.type,
        props={} if is_gone else without_integrations(post.props),
        hashtags="" if is_gone else post.hashtags,
        file_ids=post.file_ids if post.file_ids and not is_gone else UNSET,
        pending_post_id=pending_post_id,
        has_reactions=True if post.has_reactions else UNSET,
        reply_count=post.reply_count,
        last_reply_at=post.last_reply_at,
        metadata=metadata or PostMetadata(),
    )


def post_list(shown: Sequence[PostShown], *, more: Sequence[PostShown] = (), **members: Any) -> PostList:
    """A list of posts in the order given.

    Args:
        shown: In `order`.
        more: Only in `posts`: the roots of replies.
        members: Further members, such as `next_post_id`.
    """
    posts = {post.id: post for post in (*more, *shown)}
    return PostList(order=[post.id for post in shown], posts=posts, **members)


def without_integrations(props: dict[str, Any]) -> dict[str, Any]:
    """A post's props without where its buttons lead: that is between this server and the integration."""
    attachments = props.get("attachments")
    if not isinstance(attachments, list):
        return props
    return props | {"attachments": [_without_integration(each) for each in attachments]}


def _without_integration(attachment: Any) -> Any:
    if not isinstance(attachment, dict) or not isinstance(attachment.get("actions"), list):
        return attachment
    actions = [
        {name: value for name, value in action.items() if name != "integration"} if isinstance(action, dict) else action
        for action in attachment["actions"]
    ]
    return attachment | {"actions": actions}


def _embeds(post: Post) -> list[dict[str, Any]]:
    return [{"type": "message_attachment"}] if isinstance(post.props.get("attachments"), list) else []


def _files(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[FileInfo]]:
    found: dict[UUID, list[FileInfo]] = {}
    if ids:
        query = select(files).where(files.c.post_id.in_(ids), files.c.delete_at == 0).order_by(files.c.id)
        for row in transaction.connection.execute(query):
            found.setdefault(row.post_id, []).append(show_file(row))
    return found


def _reactions(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[ReactionShown]]:
    found: dict[UUID, list[ReactionShown]] = {}
    if ids:
        query = select(reactions).where(reactions.c.post_id.in_(ids)).order_by(reactions.c.create_at)
        for row in transaction.connection.execute(query):
            found.setdefault(row.post_id, []).append(show_reaction(row))
    return found


def _threads(
    transaction: Transaction, roots: Sequence[UUID], viewer_id: UUID | None
) -> tuple[dict[UUID, list[UUID]], set[UUID]]:
    """Who wrote in these threads, and which of them the viewer follows."""
    repliers: dict[UUID, list[UUID]] = {}
    followed: set[UUID] = set()
    if roots:
        query = select(thread_members).where(thread_members.c.root_id.in_(roots)).order_by(thread_members.c.update_at)
        for row in transaction.connection.execute(query):
            if row.has_replied:
                repliers.setdefault(row.root_id, []).append(row.user_id)
            if row.user_id == viewer_id and row.following:
                followed.add(row.root_id)
    return repliers, followed
