"""Posts with all that clients want to know of them, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import and_, bindparam, or_, select

from manor import Transaction
from manor_chat.domain.attachments import without_integrations
from manor_chat.ids import read_ids, shown_id
from manor_chat.links.showing import links_in
from manor_chat.posts.emojis import emojis_in
from manor_chat.store.people import Person, find_people
from manor_chat.store.posts import Post, portions
from manor_chat.tables.posts import files, reactions, thread_members
from manor_chat.tables.posts import posts as posts_table
from manor_chat.wire.people import UserShown
from manor_chat.wire.posts import FileInfo, PostList, PostMetadata, PostShown, ReactionShown, show_file, show_reaction

ShowPeople = Callable[[Sequence[Person]], Sequence[UserShown]]
"""Shows people, in the same order, to whoever looks."""


def show_posts(
    transaction: Transaction,
    posts: Sequence[Post],
    viewer_id: UUID | None = None,
    *,
    show_people: ShowPeople | None = None,
    with_deleted: bool = False,
    reply_counts: Mapping[UUID, int] | None = None,
) -> list[PostShown]:
    """Posts as the API shows them, in the same order.

    Args:
        transaction: The caller's.
        posts: Which.
        viewer_id: Whose `is_following` they carry; None leaves it out, as events do.
        show_people: Shows those who wrote in threads as the viewer sees people; without it they have ids only.
        with_deleted: Whether deleted posts are shown with what they said, as administrators see them.
        reply_counts: Replies by root, where the caller knows; the others are looked up.
    """
    shown_whole = [post for post in posts if with_deleted or not post.delete_at or post.original_id]
    found_files = _files(transaction, shown_whole)
    found_reactions = _reactions(transaction, [post.id for post in shown_whole if post.has_reactions])
    emojis = emojis_in(transaction, shown_whole, found_reactions)
    links = links_in(transaction, shown_whole)
    roots = [post.id for post in posts if post.root_id is None and post.reply_count]
    repliers, followed = _threads(transaction, roots, viewer_id)
    names = _participants(transaction, repliers, show_people)
    counts = _reply_counts(transaction, posts, reply_counts or {})
    shown = []
    for post in posts:
        embeds, images = links.get(post.id, ([], {}))
        metadata = PostMetadata(
            embeds=embeds,
            images=images,
            emojis=emojis.get(post.id, []),
            files=found_files.get(post.id, []),
            reactions=found_reactions.get(post.id, []),
        )
        one = show_post(post, metadata, with_deleted=with_deleted, reply_count=counts.get(post.root_id))
        if post.root_id is None and post.reply_count:
            one = msgspec.structs.replace(
                one,
                participants=[names[each] for each in repliers.get(post.id, []) if each in names],
                is_following=UNSET if viewer_id is None else post.id in followed,
            )
        shown.append(one)
    return shown


def show_post(
    post: Post,
    metadata: PostMetadata | None = None,
    *,
    pending_post_id: str = "",
    with_deleted: bool = False,
    reply_count: int | None = None,
) -> PostShown:
    """A post with what its row says.

    Args:
        post: Which.
        metadata: What is known besides.
        pending_post_id: What the client calls it that wrote it.
        with_deleted: Whether it is shown with what it said when it is deleted; an earlier text of a post always is.
        reply_count: Of the thread that it is a reply in.
    """
    is_gone = post.delete_at > 0 and not with_deleted and post.original_id is None
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
        reply_count=post.reply_count if reply_count is None else reply_count,
        last_reply_at=post.last_reply_at,
        metadata=PostMetadata() if metadata is None or is_gone else metadata,
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


def _files(transaction: Transaction, posts: Sequence[Post]) -> dict[UUID, list[FileInfo]]:
    """The files of posts, in each post's own order. An earlier text has its files from the post as it is now."""
    found: dict[str, FileInfo] = {}
    for some in portions([id_ for post in posts for id_ in read_ids(post.file_ids)]):
        for row in transaction.connection.execute(select(files).where(files.c.id.in_(some))):
            found[shown_id(row.id)] = show_file(row)
    return {post.id: [found[name] for name in post.file_ids if name in found] for post in posts if post.file_ids}


def _reactions(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[ReactionShown]]:
    found: dict[UUID, list[ReactionShown]] = {}
    for some in portions(ids):
        query = select(reactions).where(reactions.c.post_id.in_(some)).order_by(reactions.c.create_at)
        for row in transaction.connection.execute(query):
            found.setdefault(row.post_id, []).append(show_reaction(row))
    return found


_IN_THREADS = (
    select(*(thread_members.c[name] for name in ("root_id", "user_id", "following", "has_replied")))
    .where(
        thread_members.c.root_id.in_(bindparam("roots", expanding=True)),
        or_(
            thread_members.c.has_replied,
            and_(thread_members.c.following, thread_members.c.user_id == bindparam("viewer")),
        ),
    )
    .order_by(thread_members.c.update_at)
)


def _threads(
    transaction: Transaction, roots: Sequence[UUID], viewer_id: UUID | None
) -> tuple[dict[UUID, list[UUID]], set[UUID]]:
    """Who wrote in these threads, and which of them the viewer follows."""
    repliers: dict[UUID, list[UUID]] = {}
    followed: set[UUID] = set()
    for some in portions(roots):
        for row in transaction.connection.execute(_IN_THREADS, {"roots": some, "viewer": viewer_id}):
            if row.has_replied:
                repliers.setdefault(row.root_id, []).append(row.user_id)
            if row.user_id == viewer_id and row.following:
                followed.add(row.root_id)
    return repliers, followed


def _participants(
    transaction: Transaction, repliers: Mapping[UUID, Sequence[UUID]], show_people: ShowPeople | None
) -> dict[UUID, dict[str, Any]]:
    everybody = {user_id for some in repliers.values() for user_id in some}
    if show_people is None:
        return {user_id: {"id": shown_id(user_id)} for user_id in everybody}
    people = [person for some in portions(everybody) for person in find_people(transaction, some).values()]
    shown = show_people(people)
    return {person.id: msgspec.to_builtins(one) for person, one in zip(people, shown, strict=True)}


def _reply_counts(transaction: Transaction, posts: Sequence[Post], known: Mapping[UUID, int]) -> dict[UUID | None, int]:
    """How many replies the threads have that these posts are replies in."""
    counts: dict[UUID | None, int] = {post.id: post.reply_count for post in posts if post.root_id is None}
    counts.update(known.items())
    wanted = {post.root_id for post in posts if post.root_id is not None} - counts.keys()
    for some in portions(wanted):
        query = select(posts_table.c.id, posts_table.c.reply_count).where(posts_table.c.id.in_(some))
        counts.update((row.id, row.reply_count) for row in transaction.connection.execute(query))
    return counts
