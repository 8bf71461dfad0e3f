"""Posts of a channel, page by page, the newest first: by their number in the channel, which no edit changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from manor import Transaction
from manor_chat.ids import shown_id
from manor_chat.posts.showing import ShowPeople, post_list, show_posts
from manor_chat.store.channels import find_member
from manor_chat.store.posts import Post, find_posts, list_posts
from manor_chat.tables.posts import posts
from manor_chat.wire.posts import PostList

MOST_SINCE = 1000


@dataclass(frozen=True)
class View:
    """How somebody looks at a channel.

    Args:
        channel_id: Which.
        viewer_id: Who.
        roots_only: Whether replies are left to their threads (`collapsedThreads`).
        show_people: Shows those who wrote in threads; without it they have ids only.
        with_roots: Whether roots of replies come with them.
        with_deleted: Whether deleted posts are among them, with what they said.
    """

    channel_id: UUID
    viewer_id: UUID
    roots_only: bool = False
    show_people: ShowPeople | None = None
    with_roots: bool = True
    with_deleted: bool = False

    def conditions(self, *, with_deleted: bool = False) -> list[Any]:
        """Which posts are seen."""
        conditions: list[Any] = [posts.c.channel_id == self.channel_id, posts.c.original_id.is_(None)]
        if not self.with_deleted and not with_deleted:
            conditions.append(posts.c.delete_at == 0)
        if self.roots_only:
            conditions.append(posts.c.root_id.is_(None))
        return conditions


@dataclass(frozen=True)
class Page:
    """Posts in a row, the newest first.

    Args:
        posts: They.
        anchor: The post that they are before or after, for a page that has none.
        is_after: Whether they are after it.
    """

    posts: Sequence[Post]
    anchor: Post | None = None
    is_after: bool = False


def newest(transaction: Transaction, view: View, *, limit: int, offset: int = 0) -> Page:
    """A page of all posts."""
    return Page(_listed(transaction, view, [], limit=limit, offset=offset))


def before(transaction: Transaction, view: View, anchor: Post, *, limit: int, offset: int = 0) -> Page:
    """Posts that are older than one of the channel's."""
    older = [posts.c.sequence < anchor.sequence]
    return Page(_listed(transaction, view, older, limit=limit, offset=offset), anchor)


def after(transaction: Transaction, view: View, anchor: Post, *, limit: int, offset: int = 0) -> Page:
    """The first posts that are newer than one of the channel's; the newest of them first."""
    newer = [posts.c.sequence > anchor.sequence]
    found = _listed(transaction, view, newer, limit=limit, offset=offset, oldest_first=True)
    return Page(found[::-1], anchor, is_after=True)


def since(transaction: Transaction, view: View, update_at: int) -> Page:
    """What has changed after a time, deleted posts among it; the first thousand of more, so that nothing is skipped by
    who asks again.
    """
    changed = [*view.conditions(with_deleted=True), posts.c.update_at > update_at]
    found = list_posts(transaction, *changed, order=[posts.c.update_at, posts.c.sequence], limit=MOST_SINCE)
    return Page(sorted(found, key=lambda post: post.sequence or 0, reverse=True))


def around_unread(transaction: Transaction, view: View, user_id: UUID, *, limit_before: int, limit_after: int) -> Page:
    """The posts around the first that somebody has not read; the newest where they have read all, or are not in the
    channel.
    """
    member = find_member(transaction, view.channel_id, user_id)
    first = [] if member is None else _first_after(transaction, view, member.last_viewed_at)
    if not first:
        return newest(transaction, view, limit=max(limit_before, 1))
    newer = after(transaction, view, first[0], limit=limit_after - 1).posts if limit_after > 1 else []
    older = before(transaction, view, first[0], limit=limit_before).posts if limit_before else []
    return Page([*newer, *first, *older])


def _first_after(transaction: Transaction, view: View, last_viewed_at: int) -> list[Post]:
    """The first post after a time, if there is one."""
    unread = [*view.conditions(), posts.c.create_at > last_viewed_at]
    # By the index of times: what was read may be millions of posts, and none of them is looked at.
    return list_posts(transaction, *unread, order=[posts.c.create_at, posts.c.sequence], limit=1)


def show_page(transaction: Transaction, view: View, page: Page) -> PostList:
    """A page as the API shows it, with the posts next to it."""
    newer, older = _neighbours(transaction, view, page)
    return show_list(transaction, view, page.posts, next_post_id=newer, prev_post_id=older)


def show_list(transaction: Transaction, view: View, found: Sequence[Post], **members: Any) -> PostList:
    """Posts as the API shows them, in the same order, with the roots of replies.

    Args:
        transaction: The caller's.
        view: How they are seen.
        found: They.
        members: Further members of the list.
    """
    more: list[Post] = []
    if view.with_roots and not view.roots_only:
        wanted = {post.root_id for post in found if post.root_id is not None} - {post.id for post in found}
        roots = find_posts(transaction, wanted).values()
        more = [root for root in roots if view.with_deleted or not root.delete_at]
    shown = show_posts(
        transaction,
        [*found, *more],
        view.viewer_id,
        show_people=view.show_people,
        with_deleted=view.with_deleted,
    )
    return post_list(shown[: len(found)], more=shown[len(found) :], **members)


def _listed(
    transaction: Transaction,
    view: View,
    conditions: Sequence[Any],
    *,
    limit: int,
    offset: int,
    oldest_first: bool = False,
) -> list[Post]:
    order = posts.c.sequence if oldest_first else posts.c.sequence.desc()
    wanted = [*view.conditions(), posts.c.sequence.is_not(None), *conditions]
    return list_posts(transaction, *wanted, order=[order], limit=limit, offset=offset)


def _neighbours(transaction: Transaction, view: View, page: Page) -> tuple[str, str]:
    """The ids of the next newer and the next older post, "" for none."""
    if not page.posts:
        anchor = "" if page.anchor is None else shown_id(page.anchor.id)
        return ("", anchor) if page.is_after else (anchor, "")
    numbers = [post.sequence for post in page.posts if post.sequence is not None]

    def one(condition: Any, order: Any) -> str:
        query = select(posts.c.id).where(*view.conditions(), condition).order_by(order).limit(1)
        return shown_id(transaction.connection.execute(query).scalar_one_or_none())

    newer = one(posts.c.sequence > max(numbers), posts.c.sequence)
    older = one(posts.c.sequence < min(numbers), posts.c.sequence.desc())
    return newer, older
