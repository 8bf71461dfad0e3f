"""Who a post is about: the members of its channel whom it mentions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select

from manor import Transaction, users_table
from manor_chat.domain.mentions import mentioned_in
from manor_chat.domain.post_types import is_system
from manor_chat.store.channels import DIRECT, GROUP, member_ids
from manor_chat.store.posts import Post
from manor_chat.tables.channels import channel_members
from manor_chat.tables.people import mention_keys, profiles

if TYPE_CHECKING:
    from manor_chat.posts.creating import NewPost

_AT_ONCE = 500


@dataclass(frozen=True)
class Heard:
    """Whom a post mentions.

    Args:
        mentioned: Members of the channel, its author not among them.
        explicitly: Those of them whom it names, or whose words it says: they follow its thread.
    """

    mentioned: frozenset[UUID]
    explicitly: frozenset[UUID]


NOBODY = Heard(frozenset(), frozenset())


def who_hears(
    transaction: Transaction, post: Post, new: NewPost, root: Post | None, is_online: Callable[[UUID], bool]
) -> Heard:
    """Find them. Words are compared with what the channel's members want to hear, never member by member."""
    if is_system(post.type):
        return NOBODY
    said = mentioned_in(post.message)
    named = set(_members_named(transaction, post.channel_id, sorted(said.names)))
    named |= set(_members_hearing(transaction, post.channel_id, sorted(said.words | {f"@{n}" for n in said.names})))
    named.discard(new.author.id)
    everybody: set[UUID] = set()
    if new.channel.type in (DIRECT, GROUP):
        everybody = set(member_ids(transaction, post.channel_id))
    elif said.everybody or said.here:
        hearing = _members_called(transaction, post.channel_id)
        everybody = set(hearing) if said.everybody else {each for each in hearing if is_online(each)}
    everybody.discard(new.author.id)
    return Heard(frozenset(named | everybody), frozenset(named))


def _portions(words: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(words), _AT_ONCE):
        yield words[start : start + _AT_ONCE]


def _members_named(transaction: Transaction, channel_id: UUID, names: Sequence[str]) -> Iterator[UUID]:
    members = channel_members.c.channel_id == channel_id
    for some in _portions(names):
        query = select(users_table.c.id).join(channel_members, channel_members.c.user_id == users_table.c.id)
        yield from transaction.connection.execute(query.where(members, users_table.c.handle.in_(some))).scalars()


def _members_hearing(transaction: Transaction, channel_id: UUID, words: Sequence[str]) -> Iterator[UUID]:
    members = channel_members.c.channel_id == channel_id
    for some in _portions(words):
        query = select(mention_keys.c.user_id).join(
            channel_members, channel_members.c.user_id == mention_keys.c.user_id
        )
        yield from transaction.connection.execute(query.where(members, mention_keys.c.key.in_(some))).scalars()


def _members_called(transaction: Transaction, channel_id: UUID) -> list[UUID]:
    """Members who hear of `@channel`, by their settings and by those of the channel."""
    query = (
        select(channel_members.c.user_id, channel_members.c.notify_props, profiles.c.notify_props.label("of_profile"))
        .join(profiles, profiles.c.user_id == channel_members.c.user_id, isouter=True)
        .where(channel_members.c.channel_id == channel_id)
    )
    found = []
    for row in transaction.connection.execute(query):
        own = (row.of_profile or {}).get("channel", "true")
        ignored = row.notify_props.get("ignore_channel_mentions", "default")
        if ignored == "off" or (ignored == "default" and own == "true"):
            found.append(row.user_id)
    return found
