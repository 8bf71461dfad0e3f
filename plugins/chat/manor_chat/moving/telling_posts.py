"""Lines of an export about posts: each with its replies, and what others did to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select

from manor import Transaction, from_chat_id
from manor_chat.ids import shown_id
from manor_chat.moving.lines import (
    AttachmentSaid,
    DirectPostSaid,
    FollowerSaid,
    Line,
    PostSaid,
    ReactionSaid,
    ReplySaid,
)
from manor_chat.moving.report import Tally
from manor_chat.moving.telling_people import Names
from manor_chat.store.posts import Post, list_posts, portions
from manor_chat.store.preferences import FLAGGED_POST
from manor_chat.tables.personal import preferences
from manor_chat.tables.posts import files, posts, reactions, thread_members

R = TypeVar("R", bound=ReplySaid)

GONE = "posts of people who are gone, with replies to them"


def file_path(file_id: UUID, name: str) -> str:
    """Where a file is in the archive."""
    return f"files/{shown_id(file_id)}/{name}"


class PostTeller:
    """Says some posts.

    Args:
        transaction: A reading one.
        roots: Posts that answer none.
        names: What everybody is called.
        with_files: Whether attachments are named.
    """

    def __init__(self, transaction: Transaction, roots: Sequence[Post], names: Names, *, with_files: bool) -> None:
        self._transaction = transaction
        self._names = names
        self._replies: dict[UUID, list[Post]] = defaultdict(list)
        ids = [post.id for post in roots if post.reply_count]
        for some in portions(ids):
            order = [posts.c.root_id, posts.c.sequence]
            for reply in list_posts(transaction, posts.c.root_id.in_(some), *_ALIVE, order=order):
                assert reply.root_id is not None, "was asked for"
                self._replies[reply.root_id].append(reply)
        everything = [*roots, *(reply for replies in self._replies.values() for reply in replies)]
        self._reactions = self._find_reactions([post.id for post in everything if post.has_reactions])
        self._files = self._find_files([post.id for post in everything if post.file_ids]) if with_files else {}
        self._flags = self._find_flags([post.id for post in everything])
        self._followers = self._find_followers([post.id for post in roots])
        self.tally = Tally()

    def lines(self, roots: Iterable[Post], conversations: Mapping[UUID, list[str]]) -> list[Line]:
        """Their lines.

        Args:
            roots: The posts.
            conversations: Who is in the direct and group channels among theirs.
        """
        return [line for post in roots if (line := self._line(post, conversations)) is not None]

    def _line(self, post: Post, conversations: Mapping[UUID, list[str]]) -> Line | None:
        replies = self._replies.get(post.id, [])
        if post.user_id not in self._names.users:
            self.tally.left_out[GONE] += 1 + len(replies)
            return None
        place = self._names.channels.get(post.channel_id)
        if place is not None:
            team = self._names.teams[place[0]]
            said: PostSaid | DirectPostSaid = self._said(PostSaid, post, team=team, channel=place[1])
        elif post.channel_id in conversations:
            said = self._said(DirectPostSaid, post, channel_members=conversations[post.channel_id])
        else:
            self.tally.left_out["posts of conversations of people who are gone"] += 1 + len(replies)
            return None
        kept = [reply for reply in replies if reply.user_id in self._names.users]
        self.tally.left_out[GONE] += len(replies) - len(kept)
        said.replies = [self._said(ReplySaid, reply) for reply in kept] or None
        followers = self._followers.get(post.id)
        if followers or kept:
            said.thread_followers = followers or []
        self.tally.made["posts"] += 1
        self.tally.made["replies"] += len(kept)
        if isinstance(said, PostSaid):
            return Line(type="post", post=said)
        return Line(type="direct_post", direct_post=said)

    def _said(self, kind: type[R], post: Post, **place: Any) -> R:
        return kind(
            user=self._names.users[post.user_id],
            create_at=post.create_at,
            message=post.message,
            type=post.type or None,
            props=post.props or None,
            edit_at=post.edit_at or None,
            is_pinned=post.is_pinned or None,
            flagged_by=self._flags.get(post.id),
            reactions=self._reactions.get(post.id),
            attachments=self._attachments(post),
            **place,
        )

    def _attachments(self, post: Post) -> list[AttachmentSaid] | None:
        there = self._files.get(post.id, {})
        ids = [from_chat_id(each) for each in post.file_ids]
        said = [AttachmentSaid(path=file_path(id_, there[id_])) for id_ in ids if id_ is not None and id_ in there]
        return said or None

    def _find_reactions(self, ids: Sequence[UUID]) -> dict[UUID, list[ReactionSaid]]:
        found: dict[UUID, list[ReactionSaid]] = defaultdict(list)
        for some in portions(ids):
            query = select(reactions).where(reactions.c.post_id.in_(some))
            for row in self._transaction.connection.execute(query.order_by(reactions.c.create_at, reactions.c.user_id)):
                user = self._names.users.get(row.user_id)
                if user is not None:
                    said = ReactionSaid(user=user, emoji_name=row.emoji_name, create_at=row.create_at)
                    found[row.post_id].append(said)
        return found

    def _find_files(self, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, str]]:
        found: dict[UUID, dict[UUID, str]] = defaultdict(dict)
        for some in portions(ids):
            query = select(files.c.post_id, files.c.id, files.c.name)
            query = query.where(files.c.post_id.in_(some), files.c.delete_at == 0)
            for row in self._transaction.connection.execute(query):
                found[row.post_id][row.id] = row.name
        return found

    def _find_flags(self, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        found: dict[UUID, list[str]] = defaultdict(list)
        by_name = {shown_id(each): each for each in ids}
        for some in portions(by_name):
            query = select(preferences.c.name, preferences.c.user_id)
            query = query.where(preferences.c.category == FLAGGED_POST, preferences.c.name.in_(some))
            for row in self._transaction.connection.execute(query.where(preferences.c.value == "true")):
                if row.user_id in self._names.users:
                    found[by_name[row.name]].append(self._names.users[row.user_id])
        return {post_id: sorted(users) for post_id, users in found.items()}

    def _find_followers(self, ids: Sequence[UUID]) -> dict[UUID, list[FollowerSaid]]:
        found: dict[UUID, list[FollowerSaid]] = defaultdict(list)
        for some in portions(ids):
            query = select(thread_members).where(thread_members.c.root_id.in_(some), thread_members.c.following)
            for row in self._transaction.connection.execute(query):
                user = self._names.users.get(row.user_id)
                if user is not None:
                    found[row.root_id].append(FollowerSaid(user=user, last_viewed=row.last_viewed_at or None))
        return {root_id: sorted(some, key=lambda each: each.user) for root_id, some in found.items()}


_ALIVE = (posts.c.delete_at == 0, posts.c.original_id.is_(None))


def alive_roots() -> tuple[Any, ...]:
    """Conditions of posts that answer none and are not deleted."""
    return (*_ALIVE, posts.c.root_id.is_(None))
