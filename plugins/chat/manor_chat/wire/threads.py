"""Threads as the API shows them to somebody who follows them."""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat.store.threads import ThreadMember
from manor_chat.wire.posts import PostShown


class ThreadResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as one person sees it; `id` is its root's."""

    id: str
    reply_count: int
    last_reply_at: int
    last_viewed_at: int
    participants: list[dict[str, Any]]
    post: PostShown | msgspec.Raw
    unread_replies: int
    unread_mentions: int
    is_urgent: bool = False
    delete_at: int = 0


class UserThreads(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's threads in a team, and how many of them there are in all."""

    total: int = 0
    total_unread_threads: int = 0
    total_unread_mentions: int = 0
    total_unread_urgent_mentions: int = 0
    threads: list[ThreadResponse] | None = None


def show_thread(root: PostShown, member: ThreadMember, *, encoded: msgspec.Raw | None = None) -> ThreadResponse:
    """A thread as the API shows it.

    Args:
        root: Its root.
        member: Whose view it is.
        encoded: The root as JSON, where it is shown to many.
    """
    return ThreadResponse(
        id=root.id,
        reply_count=root.reply_count,
        last_reply_at=root.last_reply_at,
        last_viewed_at=member.last_viewed_at,
        participants=root.participants or [],
        post=root if encoded is None else encoded,
        unread_replies=member.unread_replies(root.reply_count),
        unread_mentions=member.unread_mentions,
        delete_at=root.delete_at,
    )
