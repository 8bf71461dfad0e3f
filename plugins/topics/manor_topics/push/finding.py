"""Whom a message is for: subscribers whose settings want it, who may still read the topic, on active devices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, tuple_

from manor import Principal, Transaction, find_user, roles_of
from manor_topics import message_store, store
from manor_topics.callers import Caller
from manor_topics.domain import Topic
from manor_topics.following import Placed
from manor_topics.messages import Message
from manor_topics.push.addresses import WEB
from manor_topics.push.devices_tables import devices
from manor_topics.rights import can_read
from manor_topics.subscriptions_tables import subscriptions
from manor_topics.tables import messages, topics

Pair = tuple[UUID, int]
"""A device, and the position of a message."""

_TOPIC = tuple(topics.c[name] for name in Topic.__struct_fields__)
_UNREAD = topics.c.last_sequence - subscriptions.c.viewed_sequence - subscriptions.c.gone


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that is to go to a device.

    Args:
        position: The message's.
        device_id: The device's `id`.
        platform: What it is.
        push_token: Where it is reached.
        digest: Of the way in which it is reached.
        user_id: Whose it is.
        subscription_id: What it comes from.
        sound: What their settings say; None for silence.
        vibrates: The same.
        unread: Messages of the topic that they have not read.
    """

    position: int
    device_id: UUID
    platform: str
    push_token: str
    digest: bytes
    user_id: UUID
    subscription_id: UUID
    sound: str | None
    vibrates: bool
    unread: int

    @property
    def pair(self) -> Pair:
        """Device and message."""
        return self.device_id, self.position


def worth_looking(
    connection: Connection, placed: Sequence[Placed], *, platforms: Collection[str], since: datetime
) -> Sequence[Placed]:
    """Of some messages those that somebody with a device may want: of topics with such subscribers, and not too old."""
    young = [each for each in placed if each[1].timestamp > since]
    if not young:
        return ()
    statement = (
        select(subscriptions.c.topic_id)
        .join(devices, devices.c.user_id == subscriptions.c.user_id)
        .where(
            subscriptions.c.topic_id.in_({message.topic_id for _, message in young}),
            devices.c.is_active,
            devices.c.platform.in_(platforms),
        )
        .distinct()
    )
    wanted = set(connection.execute(statement).scalars())
    return [each for each in young if each[1].topic_id in wanted]


def find_wanted(
    transaction: Transaction, *, platforms: Collection[str], since: datetime, among: Collection[int] | Collection[Pair]
) -> list[Wanted]:
    """Which messages go to which devices, as settings, rights and messages are now: one question for all of them.

    Args:
        transaction: Any.
        platforms: Of devices that can be reached.
        since: Older messages go nowhere.
        among: Positions of messages; or pairs, where it is known already which devices may have wanted them.
    """
    connection, now = transaction.connection, transaction.now
    statement = (
        select(
            *_TOPIC,
            messages.c.position,
            messages.c.tags.label("message_tags"),
            devices.c.id.label("device"),
            devices.c.platform,
            devices.c.push_token,
            devices.c.token_digest,
            devices.c.user_id,
            subscriptions.c.id.label("subscription"),
            subscriptions.c.tags_filter,
            subscriptions.c.sound_enabled,
            subscriptions.c.notification_sound,
            subscriptions.c.vibrate_enabled,
            _UNREAD.label("unread"),
        )
        .select_from(messages)
        .join(topics, topics.c.id == messages.c.topic_id)
        .join(subscriptions, subscriptions.c.topic_id == topics.c.id)
        .join(devices, devices.c.user_id == subscriptions.c.user_id)
        .where(
            _is_among(among),
            messages.c.is_deleted.is_(False),
            messages.c.timestamp > since,
            or_(messages.c.expires_at.is_(None), messages.c.expires_at > now),
            devices.c.is_active,
            devices.c.platform.in_(platforms),
            messages.c.priority <= subscriptions.c.priority_threshold,
            or_(
                and_(devices.c.platform == WEB, subscriptions.c.web_notifications_enabled),
                and_(devices.c.platform != WEB, subscriptions.c.mobile_notifications_enabled),
            ),
        )
        .order_by(messages.c.position)
    )
    readers = Readers(transaction)
    return [
        Wanted(
            position=row.position,
            device_id=row.device,
            platform=row.platform,
            push_token=row.push_token,
            digest=row.token_digest,
            user_id=row.user_id,
            subscription_id=row.subscription,
            sound=row.notification_sound if row.sound_enabled else None,
            vibrates=row.vibrate_enabled,
            unread=max(0, row.unread),
        )
        for row in connection.execute(statement)
        if _shares_tags(row.message_tags, row.tags_filter) and readers.may_read(Topic(*row[: len(_TOPIC)]), row.user_id)
    ]


def find_messages(connection: Connection, positions: Collection[int]) -> Mapping[int, Message]:
    """Messages as they are now, by position."""
    statement = (
        select(*message_store.COLUMNS, topics.c.name.label("topic"))
        .join_from(messages, topics, topics.c.id == messages.c.topic_id)
        .where(messages.c.position.in_(positions))
    )
    return {row.position: message_store.read_message(row, row.topic) for row in connection.execute(statement)}


def unread_in_all(transaction: Transaction, user_id: UUID) -> int:
    """How many messages somebody has not read, of all topics that they are subscribed to and may read."""
    is_open = or_(topics.c.access_level == "public", store.of_people([user_id], list(roles_of(transaction, user_id))))
    statement = (
        select(func.sum(_UNREAD))
        .join_from(subscriptions, topics, topics.c.id == subscriptions.c.topic_id)
        .where(subscriptions.c.user_id == user_id, is_open)
    )
    return max(0, transaction.connection.execute(statement).scalar_one() or 0)


class Readers:
    """Knows within one transaction who may still read what, as if they asked themselves.

    Args:
        transaction: Any.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._callers: dict[UUID, Caller | None] = {}

    def may_read(self, topic: Topic, user_id: UUID) -> bool:
        """Whether somebody may read a topic; nobody may whose account is switched off."""
        if user_id not in self._callers:
            self._callers[user_id] = self._caller(user_id)
        caller = self._callers[user_id]
        return caller is not None and can_read(topic, caller)

    def _caller(self, user_id: UUID) -> Caller | None:
        user = find_user(self._transaction, user_id=user_id)
        if user is None or not user.is_active:
            return None
        person = Principal("access", user_id=user_id, scopes=frozenset({"*"}), is_admin=user.is_admin)
        return Caller((person,), {user_id: roles_of(self._transaction, user_id)})


def _is_among(among: Collection[int] | Collection[Pair]) -> ColumnElement[bool]:
    pairs = [each for each in among if isinstance(each, tuple)]
    if pairs:
        return tuple_(devices.c.id, messages.c.position).in_(pairs)
    return messages.c.position.in_(among)


def _shares_tags(message_tags: str, tags_filter: str) -> bool:
    wanted = msgspec.json.decode(tags_filter, type=list[str])
    return not wanted or not set(wanted).isdisjoint(msgspec.json.decode(message_tags, type=list[str]))
