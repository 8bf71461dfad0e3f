"""Staged posts into the tables, some hundred at a time: rows, threads, and all that counts them.

A post is there already when its channel has one of the same author, moment and message, an earlier text or a deleted
post too. Then only what others did to it is added.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from manor import Prepared, Transaction, new_id
from manor_chat.domain.hashtags import hashtags_in
from manor_chat.domain.post_types import is_counted, is_system
from manor_chat.ids import shown_id
from manor_chat.moving.report import Tally
from manor_chat.moving.seating import prefer_for
from manor_chat.moving.staging import StagedPost
from manor_chat.store.files import File
from manor_chat.store.posts import Post, add_post
from manor_chat.store.preferences import FLAGGED_POST
from manor_chat.tables.channels import channel_members, channels, uncounted
from manor_chat.tables.posts import files as file_rows
from manor_chat.tables.posts import posts, reactions, thread_members
from manor_chat.times import to_milliseconds

Key = tuple[UUID, UUID, int, str]


class Found(NamedTuple):
    """A post that is there already.

    Args:
        id: Its id.
        has_files: Whether it carries files.
    """

    id: UUID
    has_files: bool


def key_of(staged: StagedPost) -> Key:
    """What makes a post the same one."""
    return staged.channel_id, staged.user_id, staged.create_at, staged.message


def find_staged(transaction: Transaction, batch: Sequence[StagedPost]) -> dict[Key, Found]:
    """Those of a batch that are there already."""
    found: dict[Key, Found] = {}
    for channel_id, moment in {(each.channel_id, each.create_at) for each in batch}:
        for row in _AT.run(transaction.connection, channel_id.bytes, moment).fetchall():
            post_id, original_id, user_id, message, file_ids = row
            key = channel_id, UUID(bytes=user_id), moment, message
            found[key] = Found(UUID(bytes=original_id or post_id), file_ids != "[]")
    return found


_AT = Prepared(
    select(posts.c.id, posts.c.original_id, posts.c.user_id, posts.c.message, posts.c.file_ids).where(
        posts.c.channel_id == bindparam("channel"), posts.c.create_at == bindparam("moment")
    ),
    ["channel", "moment"],
)
"""Thousands are asked for one by one: as statements for many, those took thirteen times as long to be worded."""


class Kept(NamedTuple):
    """What a unit of work made of a batch: ids of its posts by their numbers."""

    tally: Tally
    ids: dict[int, UUID]


def keep_posts(
    transaction: Transaction,
    batch: Sequence[StagedPost],
    roots: Mapping[int, UUID],
    uploaded: Mapping[int, Sequence[File]],
) -> Kept:
    """Have the posts of a batch.

    Args:
        transaction: A writing one.
        batch: In the order of time.
        roots: Ids of posts of earlier batches that are answered, by their numbers.
        uploaded: Their files, by the number of the post.
    """
    unit = _Unit(transaction, find_staged(transaction, batch), roots, uploaded)
    for staged in batch:
        unit.take(staged)
    unit.finish()
    return Kept(unit.tally, unit.ids)


class _Unit:
    """One batch on its way into the tables."""

    def __init__(
        self,
        transaction: Transaction,
        found: dict[Key, Found],
        roots: Mapping[int, UUID],
        uploaded: Mapping[int, Sequence[File]],
    ) -> None:
        self._transaction = transaction
        self._found = found
        self._roots = roots
        self._uploaded = uploaded
        self.tally = Tally()
        self.ids: dict[int, UUID] = {}
        self._new: list[Post] = []
        self._reactions: list[dict[str, object]] = []
        self._flags: list[dict[str, object]] = []
        self._followers: list[dict[str, object]] = []
        self._replied: list[tuple[UUID, StagedPost]] = []

    def take(self, staged: StagedPost) -> None:
        root_id = None
        if staged.root_ref:
            root_id = self.ids.get(staged.root_ref) or self._roots.get(staged.root_ref)
            if root_id is None:
                return  # it went with its root, which is a trouble already
        kind = "replies" if staged.root_ref else "posts"
        found = self._found.get(key_of(staged))
        uploaded = self._uploaded.get(staged.ref, ())
        if found is None:
            post = self._post(staged, root_id, uploaded)
            self._new.append(post)
            found = self._found[key_of(staged)] = Found(post.id, bool(uploaded))
            self.tally.made[kind] += 1
            if root_id is not None:
                self._replied.append((root_id, staged))
            self._follow(staged, post.id)
        else:
            self.tally.unchanged[kind] += 1
            if found.has_files:
                uploaded = ()
            elif uploaded:
                self._add_files(found.id, uploaded)
        self.ids[staged.ref] = found.id
        self._keep_files(staged, found.id, uploaded)
        self._react(staged, found.id)

    def _post(self, staged: StagedPost, root_id: UUID | None, uploaded: Sequence[File]) -> Post:
        return Post(
            id=new_id(),
            channel_id=staged.channel_id,
            user_id=staged.user_id,
            root_id=root_id,
            create_at=staged.create_at,
            update_at=max(staged.create_at, staged.edit_at),
            edit_at=staged.edit_at,
            is_pinned=staged.is_pinned,
            has_reactions=bool(staged.reactions),
            type=staged.type,
            message=staged.message,
            hashtags="" if is_system(staged.type) else hashtags_in(staged.message),
            props=staged.props,
            file_ids=[shown_id(file.id) for file in uploaded],
            position=self._transaction.position(),
        )

    def _add_files(self, post_id: UUID, uploaded: Sequence[File]) -> None:
        ids = [shown_id(file.id) for file in uploaded]
        statement = update(posts).where(posts.c.id == post_id, posts.c.delete_at == 0).values(file_ids=ids)
        self._transaction.connection.execute(statement)

    def _keep_files(self, staged: StagedPost, post_id: UUID, uploaded: Sequence[File]) -> None:
        for file in uploaded:
            about = {"post_id": post_id, "create_at": staged.create_at, "update_at": staged.create_at}
            row = {name: getattr(file, name) for name in file.__struct_fields__} | about
            self._transaction.connection.execute(file_rows.insert().values(row))
            self.tally.made["files"] += 1

    def _follow(self, staged: StagedPost, post_id: UUID) -> None:
        for user_id, last_viewed_at in staged.followers:
            self._followers.append(
                {
                    "root_id": post_id,
                    "user_id": user_id,
                    "channel_id": staged.channel_id,
                    "following": True,
                    "has_replied": False,
                    "last_viewed_at": last_viewed_at,
                    "seen_replies": 0,
                    "unread_mentions": 0,
                    "update_at": staged.create_at,
                }
            )

    def _react(self, staged: StagedPost, post_id: UUID) -> None:
        for each in staged.reactions:
            self._reactions.append(
                {
                    "post_id": post_id,
                    "user_id": each.user_id,
                    "emoji_name": each.emoji_name,
                    "channel_id": staged.channel_id,
                    "create_at": each.create_at or staged.create_at,
                }
            )
        for user_id in staged.flagged_by:
            name = shown_id(post_id)
            self._flags.append({"user_id": user_id, "category": FLAGGED_POST, "name": name, "value": "true"})

    def finish(self) -> None:
        """Write what was gathered."""
        self._number()
        connection = self._transaction.connection
        if self._followers:
            connection.execute(upsert(thread_members).on_conflict_do_nothing(), self._followers)
        self._count_replies()
        statement = upsert(reactions).on_conflict_do_nothing()
        new = [each for each in self._reactions if connection.execute(statement, each).rowcount]
        self.tally.made["reactions"] += len(new)
        self.tally.unchanged["reactions"] += len(self._reactions) - len(new)
        if new:
            rows = [{"post": post_id} for post_id in {each["post_id"] for each in new}]
            connection.execute(_REACTED, rows)
        self.tally.made["preferences"] += prefer_for(self._transaction, self._flags)

    def _number(self) -> None:
        """Number the new posts of each channel, and write them. They are counted at the end; see `settle`."""
        connection = self._transaction.connection
        by_channel: dict[UUID, list[Post]] = defaultdict(list)
        for post in self._new:
            by_channel[post.channel_id].append(post)
        for channel_id, new in by_channel.items():
            roots = [post for post in new if post.root_id is None]
            first = min(post.create_at for post in new)
            numbers = (len(new), _latest(new), _latest(roots), first)
            ((last,),) = _MORE.run(connection, *numbers, channel_id.bytes).fetchall()
            counted = [post for post in new if is_counted(post.type)]
            counted_roots = sum(post.root_id is None for post in counted)
            _UNCOUNTED.run(connection, channel_id.bytes, len(counted), counted_roots)
            for number, post in enumerate(new, last - len(new) + 1):
                add_post(self._transaction, msgspec.structs.replace(post, sequence=number))

    def _count_replies(self) -> None:
        connection = self._transaction.connection
        counts = Counter(root_id for root_id, _ in self._replied)
        latest: dict[UUID, int] = {}
        for root_id, staged in self._replied:
            latest[root_id] = max(latest.get(root_id, 0), staged.create_at)
        authors = _authors(self._replied)
        for root_id, count in counts.items():
            ((total,),) = _ANSWERED.run(connection, count, latest[root_id], latest[root_id], root_id.bytes).fetchall()
            _SEEN.run(connection, count, root_id.bytes)
            for user_id, staged in authors[root_id].items():
                at = staged.create_at
                ids = (root_id.bytes, user_id.bytes, staged.channel_id.bytes)
                _WROTE.run(connection, *ids, staged.is_following, True, at, total, 0, at)


def _authors(replied: Iterable[tuple[UUID, StagedPost]]) -> dict[UUID, dict[UUID, StagedPost]]:
    """Who answered which post, with the last answer of each; what webhooks say in somebody's name is nobody's."""
    found: dict[UUID, dict[UUID, StagedPost]] = defaultdict(dict)
    for root_id, staged in replied:
        if not is_system(staged.type) and "from_webhook" not in staged.props:
            found[root_id][staged.user_id] = staged
    return found


def _latest(some: Sequence[Post]) -> int:
    return max((post.create_at for post in some), default=0)


_REACTED = update(posts).where(posts.c.id == bindparam("post")).values(has_reactions=True)
_ANSWERED = Prepared(
    update(posts)
    .where(posts.c.id == bindparam("root"))
    .values(
        reply_count=posts.c.reply_count + bindparam("more"),
        last_reply_at=func.max(posts.c.last_reply_at, bindparam("replied")),
        update_at=func.max(posts.c.update_at, bindparam("updated")),
    )
    .returning(posts.c.reply_count),
    ["more", "replied", "updated", "root"],
)
_INSERT = upsert(uncounted)
_UNCOUNTED = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=["channel_id"],
        set_={"total": uncounted.c.total + _INSERT.excluded.total, "roots": uncounted.c.roots + _INSERT.excluded.roots},
    ),
    ["channel_id", "total", "roots"],
)
_MORE = Prepared(
    update(channels)
    .where(channels.c.id == bindparam("channel"))
    .values(
        last_sequence=channels.c.last_sequence + bindparam("more"),
        last_post_at=func.max(channels.c.last_post_at, bindparam("latest")),
        last_root_post_at=func.max(channels.c.last_root_post_at, bindparam("latest_root")),
        create_at=func.min(channels.c.create_at, bindparam("first")),
    )
    .returning(channels.c.last_sequence),
    ["more", "latest", "latest_root", "first", "channel"],
)
_SEEN = Prepared(
    update(thread_members)
    .where(thread_members.c.root_id == bindparam("root"))
    .values(seen_replies=thread_members.c.seen_replies + bindparam("more")),
    ["more", "root"],
)
_MEMBER = (
    "root_id", "user_id", "channel_id", "following", "has_replied", "last_viewed_at", "seen_replies",
    "unread_mentions", "update_at",
)  # fmt: skip
_WROTE = Prepared(
    upsert(thread_members).on_conflict_do_update(
        index_elements=["root_id", "user_id"], set_={"has_replied": literal_column("1")}
    ),
    _MEMBER,
)


def unsettled(transaction: Transaction) -> list[UUID]:
    """Channels whose posts are not all counted: of an import that was interrupted too."""
    return list(transaction.connection.execute(select(uncounted.c.channel_id)).scalars())


def settle(transaction: Transaction, channel_id: UUID) -> None:
    """Count what came into a channel, and put the numbers of its posts in the order of time.

    What came in is unread to nobody: each member has read as much more as there is more.
    """
    connection = transaction.connection
    gone = delete(uncounted).where(uncounted.c.channel_id == channel_id).returning(uncounted.c.total, uncounted.c.roots)
    more = connection.execute(gone).one_or_none()
    if more is not None and more.total:
        for counts, total, roots, key in (
            (channels, channels.c.total_msg_count, channels.c.total_msg_count_root, channels.c.id),
            (
                channel_members,
                channel_members.c.msg_count,
                channel_members.c.msg_count_root,
                channel_members.c.channel_id,
            ),
        ):
            connection.execute(
                update(counts).where(key == channel_id).values({total: total + more.total, roots: roots + more.roots})
            )
    put_in_order(transaction, channel_id)


def put_in_order(transaction: Transaction, channel_id: UUID) -> bool:
    """Number a channel's posts anew, where their numbers are not in the order of time; whether they were not."""
    connection = transaction.connection
    if connection.exec_driver_sql(_INVERSION, (channel_id.bytes,)).first() is None:
        return False
    connection.exec_driver_sql(_NUMBER_BELOW_ZERO, (channel_id.bytes, channel_id.bytes))
    connection.exec_driver_sql(_NUMBER_ABOVE_ZERO, (channel_id.bytes,))
    statement = update(channels).where(channels.c.id == channel_id)
    connection.execute(statement.values(update_at=to_milliseconds(transaction.now)))
    return True


_INVERSION = (
    "SELECT 1 FROM (SELECT create_at, lag(create_at) OVER (ORDER BY sequence) AS before FROM chat_posts "
    "WHERE channel_id = ? AND sequence IS NOT NULL) WHERE create_at < before LIMIT 1"
)
# No two posts may have one number in between, so they go below zero first.
_NUMBER_BELOW_ZERO = (
    "UPDATE chat_posts SET sequence = -wanted.number FROM (SELECT id, row_number() OVER (ORDER BY create_at, sequence) "
    "AS number FROM chat_posts WHERE channel_id = ? AND sequence IS NOT NULL) AS wanted "
    "WHERE chat_posts.id = wanted.id AND chat_posts.channel_id = ?"
)
_NUMBER_ABOVE_ZERO = "UPDATE chat_posts SET sequence = -sequence WHERE channel_id = ? AND sequence < 0"
