"""Who a post is about: the members of its channel whom it mentions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select, union_all

from manor import Prepared, Transaction, from_chat_id, users_table
from manor_chat.domain.attachments import spoken
from manor_chat.domain.mentions import Mentioned, Wishes, mentioned_in
from manor_chat.domain.post_types import ADD_TO_CHANNEL, is_system
from manor_chat.store.channels import DIRECT, GROUP, Channel, ChannelMember, member_ids
from manor_chat.store.people import Person
from manor_chat.store.posts import Post, portions
from manor_chat.store.words import among, listed
from manor_chat.tables.channels import channel_members
from manor_chat.tables.people import mention_keys, profiles
from manor_chat.tables.personal import preferences

IsOnline = Callable[[UUID], bool]


@dataclass(frozen=True)
class Heard:
    """Whom a post mentions.

    Args:
        mentioned: Members of the channel, its author not among them.
        following: Those of them who follow its thread for it: all but those who are told of each comment.
    """

    mentioned: frozenset[UUID]
    following: frozenset[UUID]

    def also(self, user_ids: Collection[UUID]) -> Heard:
        """The same with people who are told, and do not follow for it."""
        return Heard(self.mentioned | frozenset(user_ids), self.following) if user_ids else self


NOBODY = Heard(frozenset(), frozenset())

_HEARING = select(mention_keys.c.user_id).where(among(mention_keys.c.key, "keys"))
_NAMED = select(users_table.c.id).where(among(users_table.c.handle, "names"))
_BY_KEYS = Prepared(_HEARING, ["keys"])
_BY_BOTH = Prepared(select(union_all(_HEARING, _NAMED).subquery().c.user_id), ["keys", "names"])


def who_hears(
    transaction: Transaction, channel: Channel, post: Post, is_online: IsOnline, *, may_call: bool = True
) -> Heard:
    """Find them. Words are compared with what anybody wants to hear, never member by member.

    Args:
        transaction: The caller's.
        channel: Where it stands.
        post: What was written.
        is_online: Whether somebody is there now, for `@here`.
        may_call: Whether its author may mention everybody at once.
    """
    if is_system(post.type):
        return _added(post)
    said = mentioned_in(spoken(post.message, post.props))
    found = _members_meant(transaction, channel.id, said)
    if channel.type in (DIRECT, GROUP):
        found |= set(member_ids(transaction, channel.id))
    elif may_call and (said.everybody or said.here):
        called = _members_called(transaction, channel.id)
        found |= set(called) if said.everybody else {each for each in called if is_online(each)}
    if "from_webhook" not in post.props:
        found.discard(post.user_id)
    return Heard(frozenset(found), frozenset(found)) if found else NOBODY


def who_was_meant(transaction: Transaction, channel: Channel, found: Sequence[Post]) -> dict[UUID, frozenset[UUID]]:
    """Whom posts mentioned that were written before, by post, in a fixed number of queries; nobody knows any more who
    was there to hear of `@here`.
    """
    said = {post.id: mentioned_in(spoken(post.message, post.props)) for post in found if not is_system(post.type)}
    by_word = _members_by_word(transaction, channel.id, said.values())
    everybody = frozenset[UUID]()
    if channel.type in (DIRECT, GROUP):
        everybody = frozenset(member_ids(transaction, channel.id))
    elif any(each.everybody for each in said.values()):
        everybody = frozenset(_members_called(transaction, channel.id))
    meant: dict[UUID, frozenset[UUID]] = {}
    for post in found:
        words = said.get(post.id)
        if words is None:
            meant[post.id] = _added(post).mentioned
            continue
        named = {each for word in words.keys for each in by_word.get(word, ())}
        if words.everybody or channel.type in (DIRECT, GROUP):
            named |= everybody
        meant[post.id] = frozenset(named - {post.user_id})
    return meant


def _members_by_word(transaction: Transaction, channel_id: UUID, said: Collection[Mentioned]) -> dict[str, set[UUID]]:
    """Members by the mention keys that mean them, of those that are said; their names among them, with an `@`."""
    keys = {key for each in said for key in each.keys}
    names = {name for each in said for name in each.names}
    found: dict[str, set[UUID]] = {}
    if keys:
        query = select(mention_keys.c.key, mention_keys.c.user_id).where(among(mention_keys.c.key, "keys"))
        for key, user_id in transaction.connection.execute(query, {"keys": listed(keys)}):
            found.setdefault(key, set()).add(user_id)
    if names:
        query = select(users_table.c.handle, users_table.c.id).where(among(users_table.c.handle, "names"))
        for name, user_id in transaction.connection.execute(query, {"names": listed(names)}):
            found.setdefault(f"@{name}", set()).add(user_id)
    if found:
        members = _members_among(transaction, channel_id, {each for some in found.values() for each in some})
        found = {key: some & members for key, some in found.items()}
    return found


def who_is_told_of_comments(
    transaction: Transaction, root: Post, author_id: UUID, repliers: Collection[UUID]
) -> set[UUID]:
    """Who wants to hear of each comment on what they wrote (`comments` is `any` or `root`) and reads channels with
    replies in them: for everybody else threads keep count.

    Args:
        transaction: The caller's.
        root: The thread's.
        author_id: Who commented.
        repliers: Who has commented before.
    """
    asked = {root.user_id, *repliers} - {author_id}
    found: set[UUID] = set()
    for some in portions(asked):
        rows = transaction.connection.execute(_WITHOUT_THREADS, {"channel": root.channel_id, "users": some})
        for user_id, notify_props in rows:
            wanted = notify_props.get("comments", "never")
            if wanted == "any" or (wanted == "root" and user_id == root.user_id):
                found.add(user_id)
    return found


_WITHOUT_THREADS = (
    select(profiles.c.user_id, profiles.c.notify_props)
    .join(preferences, preferences.c.user_id == profiles.c.user_id)
    .join(channel_members, channel_members.c.user_id == profiles.c.user_id)
    .where(
        channel_members.c.channel_id == bindparam("channel"),
        preferences.c.category == "display_settings",
        preferences.c.name == "collapsed_reply_threads",
        preferences.c.value == "off",
        profiles.c.user_id.in_(bindparam("users", expanding=True)),
    )
)


def wishes_of(transaction: Transaction, person: Person, channel: Channel, member: ChannelMember) -> Wishes:
    """What one member of a channel hears of."""
    keys = select(mention_keys.c.key).where(mention_keys.c.user_id == person.id)
    return Wishes(
        handle=person.handle,
        keys=frozenset(transaction.connection.execute(keys).scalars()),
        calls=_is_called(member.notify_props, person.profile.notify_props),
        everything=channel.type in (DIRECT, GROUP),
    )


def _added(post: Post) -> Heard:
    """Being added to a channel is a mention."""
    added = post.props.get("addedUserId")
    user_id = from_chat_id(added) if post.type == ADD_TO_CHANNEL and isinstance(added, str) else None
    return NOBODY if user_id is None or user_id == post.user_id else Heard(frozenset({user_id}), frozenset())


def _members_meant(transaction: Transaction, channel_id: UUID, said: Mentioned) -> set[UUID]:
    """Members who are named, or whose words are said."""
    if not said.keys:
        return set()
    if said.names:
        rows = _BY_BOTH.run(transaction.connection, listed(said.keys), listed(said.names))
    else:
        rows = _BY_KEYS.run(transaction.connection, listed(said.keys))
    meant = {UUID(bytes=row[0]) for row in rows.fetchall()}
    return _members_among(transaction, channel_id, meant) if meant else set()


def _members_among(transaction: Transaction, channel_id: UUID, user_ids: Collection[UUID]) -> set[UUID]:
    found: set[UUID] = set()
    for some in portions(user_ids):
        query = select(channel_members.c.user_id).where(
            channel_members.c.channel_id == channel_id, channel_members.c.user_id.in_(some)
        )
        found.update(transaction.connection.execute(query).scalars())
    return found


def _members_called(transaction: Transaction, channel_id: UUID) -> list[UUID]:
    """Members who hear of `@channel`, by their settings and the channel's: as `_is_called`, for all at once."""
    return [UUID(bytes=row[0]) for row in _CALLED.run(transaction.connection, channel_id.bytes).fetchall()]


_of_member = func.coalesce(channel_members.c.notify_props["ignore_channel_mentions"].as_string(), "default")
_of_profile = func.coalesce(profiles.c.notify_props["channel"].as_string(), "true")
_CALLED = Prepared(
    select(channel_members.c.user_id)
    .join(profiles, profiles.c.user_id == channel_members.c.user_id, isouter=True)
    .where(
        channel_members.c.channel_id == bindparam("channel"),
        or_(_of_member == "off", and_(_of_member == "default", _of_profile == "true")),
    ),
    ["channel"],
)


def _is_called(of_member: dict[str, str], of_profile: dict[str, str]) -> bool:
    ignored = of_member.get("ignore_channel_mentions", "default")
    return ignored == "off" or (ignored == "default" and of_profile.get("channel", "true") == "true")
