"""Deleting: a post is gone, its replies with it, and what counted them is put right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from manor import Transaction
from manor_chat import faults
from manor_chat.domain.post_types import COMINGS_AND_GOINGS, is_counted
from manor_chat.events import PostDeleted
from manor_chat.ids import shown_id
from manor_chat.posts.editing import first_text
from manor_chat.posts.notifying import who_was_meant
from manor_chat.posts.showing import show_post
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.post_files import drop_files_of
from manor_chat.store.posts import Post, list_posts, portions
from manor_chat.tables.channels import channel_members
from manor_chat.tables.drafts import drafts
from manor_chat.tables.posts import posts, thread_members
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds


def delete_post(transaction: Transaction, rights: Rights, post_id: UUID) -> None:
    """Delete a post, and all replies to it.

    Raises:
        BadRequest: 400: the channel is archived.
        NotFound: 404: there is no such post.
        Forbidden: 403: it is not theirs to delete.
    """
    post, channel = rights.readable_post(post_id)
    rights.require_in_channel("delete_post" if post.user_id == rights.user_id else "delete_others_posts", channel)
    if channel.delete_at:
        raise faults.bad_value(
            "api.post.delete_post.can_not_delete_post_in_deleted.error", "Can not delete a post in an archived channel."
        )
    remove_post(transaction, channel, post, by=rights.user_id)


def remove_post(transaction: Transaction, channel: Channel, post: Post, *, by: UUID) -> None:
    """The same for whoever may: rows, counters, files, and what is told.

    Args:
        transaction: The caller's.
        channel: Where it stands.
        post: Which; not deleted yet.
        by: Who deletes it.
    """
    now = max(to_milliseconds(transaction.now), post.update_at + 1)
    replies = [] if post.root_id is not None else list_posts(transaction, posts.c.root_id == post.id, _IS_ALIVE)
    gone = [post, *replies]
    these = or_(posts.c.id == post.id, posts.c.root_id == post.id)
    transaction.connection.execute(update(posts).where(these, _IS_ALIVE).values(delete_at=now, update_at=now))
    meant = who_was_meant(transaction, channel, [first_text(transaction, post), *replies])
    _uncount(transaction, channel, post, gone, now)
    _uncount_mentions(transaction, channel, gone, meant)
    if post.root_id is not None:
        _leave_thread(transaction, post, post.root_id, meant.get(post.id, frozenset()), now)
    drop_files_of(transaction, [each.id for each in gone], now)
    transaction.connection.execute(delete(drafts).where(drafts.c.root_id == post.id))
    _tell(transaction, msgspec.structs.replace(post, delete_at=now, update_at=now), by)
    transaction.emit(PostDeleted(post_id=post.id, channel_id=post.channel_id))


_IS_ALIVE = and_(posts.c.delete_at == 0, posts.c.original_id.is_(None))


def _uncount(transaction: Transaction, channel: Channel, post: Post, gone: Sequence[Post], now: int) -> None:
    """Whoever has not read them has that many posts less to read. The channel's totals stay: they count what was ever
    written, and clients that know them would take a smaller one for something that they have read already.
    """
    members = channel_members.c.channel_id == channel.id
    if len(gone) == 1:
        unseen_one = members & (channel_members.c.last_viewed_at < post.create_at)
        one = {"msg_count": channel_members.c.msg_count + 1}
        if post.root_id is None:
            one["msg_count_root"] = channel_members.c.msg_count_root + 1
        if is_counted(post.type):
            transaction.connection.execute(update(channel_members).where(unseen_one).values(one))
        return
    unseen = (
        select(func.count())
        .select_from(posts)
        .where(
            or_(posts.c.id == post.id, posts.c.root_id == post.id),
            posts.c.delete_at == now,
            posts.c.original_id.is_(None),
            posts.c.type.not_in(sorted(COMINGS_AND_GOINGS)),
            posts.c.create_at > channel_members.c.last_viewed_at,
        )
        .correlate(channel_members)
    )
    roots = unseen.where(posts.c.root_id.is_(None))
    changes = {
        "msg_count": channel_members.c.msg_count + unseen.scalar_subquery(),
        "msg_count_root": channel_members.c.msg_count_root + roots.scalar_subquery(),
    }
    last = channel_members.c.last_viewed_at < max(each.create_at for each in gone)
    transaction.connection.execute(update(channel_members).where(members, last).values(changes))


_MEMBER_UNMENTIONED = (
    update(channel_members)
    .where(channel_members.c.channel_id == bindparam("channel"), channel_members.c.user_id == bindparam("member"))
    .values(mention_count=bindparam("mentions"), mention_count_root=bindparam("root_mentions"))
)


def _uncount_mentions(
    transaction: Transaction, channel: Channel, gone: Sequence[Post], meant: Mapping[UUID, frozenset[UUID]]
) -> None:
    """Whoever was mentioned and has not looked since has that many mentions less."""
    everybody = sorted(frozenset().union(*meant.values())) if meant else []
    changed = []
    for some in portions(everybody):
        columns = [channel_members.c[name] for name in _COUNTS]
        theirs = (channel_members.c.channel_id == channel.id) & channel_members.c.user_id.in_(some)
        query = select(*columns).where(theirs, channel_members.c.mention_count > 0)
        for row in transaction.connection.execute(query):
            unseen = [
                each for each in gone if row.user_id in meant.get(each.id, ()) and each.create_at > row.last_viewed_at
            ]
            roots = sum(each.root_id is None for each in unseen)
            changed.append(
                {
                    "channel": channel.id,
                    "member": row.user_id,
                    "mentions": max(row.mention_count - len(unseen), 0),
                    "root_mentions": max(row.mention_count_root - roots, 0),
                }
            )
    if changed:
        transaction.connection.execute(_MEMBER_UNMENTIONED, changed)


_COUNTS = ("user_id", "last_viewed_at", "mention_count", "mention_count_root")


def _leave_thread(transaction: Transaction, reply: Post, root_id: UUID, meant: frozenset[UUID], now: int) -> None:
    """A thread has one reply less: whoever has read it has read one less, whoever has not has a mention less."""
    others = and_(posts.c.root_id == root_id, _IS_ALIVE)
    latest = select(func.coalesce(func.max(posts.c.create_at), 0)).where(others).scalar_subquery()
    one_less = {"reply_count": func.max(posts.c.reply_count - 1, 0), "last_reply_at": latest, "update_at": now}
    transaction.connection.execute(update(posts).where(posts.c.id == root_id).values(one_less))
    in_thread = thread_members.c.root_id == root_id
    seen = in_thread & (thread_members.c.last_viewed_at >= reply.create_at) & (thread_members.c.seen_replies > 0)
    one_seen_less = {"seen_replies": thread_members.c.seen_replies - 1}
    transaction.connection.execute(update(thread_members).where(seen).values(one_seen_less))
    for some in portions(sorted(meant)):
        unseen = (thread_members.c.last_viewed_at < reply.create_at) & (thread_members.c.unread_mentions > 0)
        theirs = in_thread & thread_members.c.user_id.in_(some) & unseen
        one_mention_less = {"unread_mentions": thread_members.c.unread_mentions - 1}
        transaction.connection.execute(update(thread_members).where(theirs).values(one_mention_less))
    if not list_posts(transaction, others, posts.c.user_id == reply.user_id, limit=1):
        mine = in_thread & (thread_members.c.user_id == reply.user_id)
        transaction.connection.execute(update(thread_members).where(mine).values(has_replied=False))


def _tell(transaction: Transaction, post: Post, by: UUID) -> None:
    shown = {**msgspec.to_builtins(show_post(post)), "state": "DELETED"}
    data = {"post": as_text(shown)}
    tell(transaction, "post_deleted", data, channel_id=post.channel_id, audience="others")
    for_admins = data | {"delete_by": shown_id(by)}
    tell(transaction, "post_deleted", for_admins, channel_id=post.channel_id, audience="admins")
