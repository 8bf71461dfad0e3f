"""What people do with their subscriptions: see them, make them, change them, end them, read what is new in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import ColumnElement, and_, false, select

from manor import Forbidden, NotFound, Principal, Transaction, Unauthorized, find_user
from manor_topics import store
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, read_id, read_reference
from manor_topics.drafts import check_tags
from manor_topics.messages import Message
from manor_topics.parts import Shared
from manor_topics.recent import newest_of
from manor_topics.rights import check_read, missing
from manor_topics.subscribing import DEFAULTS, no_room, room_for, subscribe, unsubscribe
from manor_topics.subscriptions_store import (
    MobileSettings,
    Settings,
    Subscription,
    change_subscription,
    find_subscription,
    is_readable,
    list_subscriptions,
)
from manor_topics.subscriptions_tables import subscriptions
from manor_topics.tables import topics
from manor_topics.unread import view_up_to


class MobileChanges(msgspec.Struct, frozen=True, kw_only=True):
    """How a phone is to tell of messages; what is left out, or null, stays as it is."""

    priority_threshold: Annotated[int, Meta(ge=1, le=5)] | UnsetType | None = UNSET
    sound_enabled: bool | UnsetType | None = UNSET
    vibrate_enabled: bool | UnsetType | None = UNSET
    tags_filter: list[str] | UnsetType | None = UNSET
    notification_sound: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType | None = UNSET


class SettingChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber decides anew; what is left out, or null, stays as it is."""

    web_notifications_enabled: bool | UnsetType | None = UNSET
    mobile_notifications_enabled: bool | UnsetType | None = UNSET
    mobile_notification_settings: MobileChanges | UnsetType | None = UNSET
    is_pinned: bool | UnsetType | None = UNSET


def merged(settings: Settings, changes: SettingChanges) -> Settings:
    """Settings with what is changed about them.

    Raises:
        Unprocessable: A value cannot be taken.
    """
    given = _given(SettingChanges, changes)
    mobile = given.pop("mobile_notification_settings", None)
    if mobile is not None:
        inner = _given(MobileChanges, mobile)
        if "tags_filter" in inner:
            inner["tags_filter"] = _tags(inner["tags_filter"])
        if not inner.get("notification_sound", "-").isprintable():
            raise refusal(Misfit("mobile_notification_settings.notification_sound", "can be shown in one line"))
        before: MobileSettings = settings.mobile_notification_settings
        given["mobile_notification_settings"] = msgspec.structs.replace(before, **inner)
    return msgspec.structs.replace(settings, **given)


def _given(shape: type[msgspec.Struct], changes: msgspec.Struct) -> dict[str, Any]:
    """Those members of a shape that a client has said something about; a request has others beside them."""
    members = ((name, getattr(changes, name)) for name in shape.__struct_fields__)
    return {name: value for name, value in members if value is not UNSET and value is not None}


def _tags(tags: list[str]) -> list[str]:
    try:
        return list(check_tags(tags))
    except Misfit as misfit:
        raise refusal(Misfit("mobile_notification_settings.tags_filter", misfit.reason)) from misfit


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who asks about their own subscriptions.

    Args:
        user_id: The person.
        caller: The person's own credentials, and none that came with them.
    """

    user_id: UUID
    caller: Caller


class Subscriptions:
    """Keeps people's subscriptions.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._storage = shared.context.storage

    async def listed(self, principals: Sequence[Principal]) -> list[Subscription]:
        """Somebody's subscriptions, without those to topics that they may not read any more."""
        who = await self._who(principals)
        return await self._storage.read(
            lambda transaction: list_subscriptions(transaction.connection, who.user_id, who.caller)
        )

    async def create(self, principals: Sequence[Principal], reference: str, changes: SettingChanges) -> Subscription:
        """Subscribe somebody to a topic.

        Args:
            principals: Who asks.
            reference: The topic's name or id.
            changes: What they want otherwise than people do who say nothing.

        Raises:
            Unprocessable: A value cannot be taken.
            NotFound: There is no such topic.
            Forbidden: They may not read it, or their plan has no room.
            Conflict: They are subscribed to it already.
        """
        settings = merged(DEFAULTS, changes)
        who = await self._who(principals)
        topic_id = (await self._shared.reading.find(reference)).id

        def work(transaction: Transaction) -> Subscription:
            topic = store.find_topic(transaction.connection, topic_id)
            if topic is None:
                raise missing(reference)
            check_read(topic, who.caller, self._shared.config)
            if find_user(transaction, user_id=who.user_id) is None:
                raise Unauthorized("This account is gone")
            limit = room_for(transaction, self._shared.payers, who.user_id)
            subscription = subscribe(transaction, who.user_id, topic, limit, settings)
            if subscription is None:
                raise Forbidden(no_room(limit))
            return subscription

        return await self._storage.write(work)

    async def change(
        self,
        principals: Sequence[Principal],
        subscription_id: str,
        changes: SettingChanges,
        last_viewed_at: datetime | None,
    ) -> Subscription:
        """Change how somebody hears of a topic, or up to when they have read it.

        Args:
            principals: Who asks.
            subscription_id: As the client wrote it.
            changes: What they decide anew.
            last_viewed_at: What came later is unread; None for no change.

        Raises:
            NotFound: It is not one of theirs, or they may not read its topic any more.
            Unprocessable: A value cannot be taken.
        """
        who = await self._who(principals)

        def work(transaction: Transaction) -> Subscription:
            connection = transaction.connection
            is_it = and_(_is(subscription_id), is_readable(who.caller))
            before = find_subscription(connection, who.user_id, is_it)
            if before is None:
                raise _no_subscription()
            change_subscription(connection, before.id, merged(before.settings, changes))
            if last_viewed_at is not None:
                view_up_to(transaction, before.id, before.topic_id, last_viewed_at)
            after = find_subscription(connection, who.user_id, is_it)
            assert after is not None, "it is changed in the same transaction"
            return after

        return await self._storage.write(work)

    async def end(self, principals: Sequence[Principal], subscription_id: str) -> None:
        """Unsubscribe somebody, from a topic that they may not read any more too.

        Raises:
            NotFound: It is not one of theirs.
        """
        await self._end(principals, _is(subscription_id))

    async def end_of_topic(self, principals: Sequence[Principal], reference: str) -> None:
        """The same, by the topic's name or id.

        Raises:
            NotFound: There is no such topic, or they are not subscribed to it.
        """
        await self._end(principals, _is_to(reference))

    async def check(self, principals: Sequence[Principal], reference: str) -> bool:
        """Whether somebody is subscribed to a topic that they may read."""
        who = await self._who(principals)
        condition = and_(_is_to(reference), is_readable(who.caller))
        return await self._storage.read(
            lambda transaction: find_subscription(transaction.connection, who.user_id, condition) is not None
        )

    async def recent(self, principals: Sequence[Principal], reference: str | None, limit: int) -> list[Message]:
        """The newest messages of all topics that somebody is subscribed to and may read, newest first.

        Args:
            principals: Who asks.
            reference: The name or id of the only topic that counts; None for all.
            limit: How many at most.
        """
        who = await self._who(principals)
        theirs = select(subscriptions.c.topic_id).where(subscriptions.c.user_id == who.user_id)
        is_wanted = and_(topics.c.id.in_(theirs), is_readable(who.caller))
        if reference is not None:
            is_wanted = and_(is_wanted, _is_to(reference))
        return await self._storage.read(
            lambda transaction: newest_of(transaction.connection, is_wanted, now=transaction.now, limit=limit)
        )

    async def _who(self, principals: Sequence[Principal]) -> Subscriber:
        """Whose subscriptions are asked about: of several people that of the session."""
        people = [principal for principal in principals if principal.user_id is not None]
        first = next((principal for principal in people if principal.kind == "access"), next(iter(people), None))
        if first is None or first.user_id is None:
            raise Unauthorized("Subscriptions are people's")
        own = [principal for principal in people if principal.user_id == first.user_id]
        return Subscriber(first.user_id, await self._shared.callers.find(own))

    async def _end(self, principals: Sequence[Principal], condition: ColumnElement[bool]) -> None:
        who = await self._who(principals)

        def work(transaction: Transaction) -> None:
            subscription = find_subscription(transaction.connection, who.user_id, condition)
            if subscription is None:
                raise _no_subscription()
            unsubscribe(transaction, who.user_id, subscription.id, subscription.topic_id)

        await self._storage.write(work)


def _is(subscription_id: str) -> ColumnElement[bool]:
    """Whether it is the subscription that a client named."""
    id_ = read_id(subscription_id)
    if id_ is None:
        raise _no_subscription()
    return subscriptions.c.id == id_


def _is_to(reference: str) -> ColumnElement[bool]:
    """Whether a topic is the one that a client named."""
    named = read_reference(reference)
    if named is None:
        return false()
    return topics.c.id == named if isinstance(named, UUID) else topics.c.name == named


def _no_subscription() -> NotFound:
    return NotFound("There is no such subscription of yours")
