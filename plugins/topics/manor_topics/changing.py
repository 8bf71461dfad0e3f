"""Changing topics: what they are called, who may read them, what is said about them; and deleting them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from manor import Conflict, PluginContext, Principal, Transaction
from manor_topics import store
from manor_topics.callers import Caller, Callers
from manor_topics.config import TopicsConfig
from manor_topics.creating import refusal
from manor_topics.deleting import delete_topic
from manor_topics.domain import AccessLevel, Misfit, Topic, check_description, check_icon, read_id
from manor_topics.events import TopicUpdated
from manor_topics.parts import Part
from manor_topics.payers import Payers, payer_of
from manor_topics.rights import check_manage, missing


class TopicChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise; what is left out stays as it is."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    is_discoverable: bool | UnsetType = UNSET
    icon_name: str | UnsetType | None = UNSET
    icon_color: str | UnsetType | None = UNSET
    access_level: AccessLevel | UnsetType = UNSET


class Changing:
    """Changes and deletes topics for those who manage them.

    Args:
        context: The plugin's.
        callers: Who asks.
        payers: Whose plan counts.
        check_name: Sees that a topic may be called something, and raises `Misfit` when it may not.
        parts: Of the plugin: each forgets what it has of a topic.
    """

    def __init__(
        self,
        context: PluginContext[TopicsConfig],
        callers: Callers,
        payers: Payers,
        check_name: Callable[[str], None],
        parts: Sequence[Part],
    ) -> None:
        self._context = context
        self._callers = callers
        self._payers = payers
        self._check_name = check_name
        self._parts = parts

    async def change(
        self, topic_id: str, principals: Sequence[Principal], changes: TopicChanges
    ) -> tuple[Topic, Caller]:
        """Change a topic.

        Args:
            topic_id: Its id; a name is none.
            principals: Who asks.
            changes: What is to be otherwise.

        Returns:
            The topic as it is now, and who asked.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to change, or the plan does not have what is wanted.
            Unprocessable: A value cannot be taken.
            Conflict: The name is taken.
        """
        caller = await self._callers.find(principals)

        def work(transaction: Transaction) -> Topic:
            before = self._managed(transaction, topic_id, caller)
            after = self._changed(before, changes)
            if after == before:
                return before
            if after.name != before.name and store.find_topic(transaction.connection, after.name) is not None:
                raise Conflict(f"There is a topic '{after.name}' already")
            if before.is_public and not after.is_public:
                self._payers.check_allowed("private_topics", payer_of(transaction, before), "Private topics")
            update_topic(transaction, before, after)
            return after

        return await self._context.storage.write(work), caller

    async def delete(self, topic_id: str, principals: Sequence[Principal]) -> None:
        """Delete a topic, with its messages, tokens and subscriptions; its streams end.

        Raises:
            NotFound: There is no such topic.
            Forbidden: It is not theirs to delete.
        """
        caller = await self._callers.find(principals)

        def work(transaction: Transaction) -> None:
            topic = self._managed(transaction, topic_id, caller)
            delete_topic(transaction, topic, self._parts)
            actor = next((str(person) for person in caller.people), "")
            self._context.audit.record(transaction, "topics.topic_deleted", actor=actor, target=str(topic.id))

        await self._context.storage.write(work)

    def _managed(self, transaction: Transaction, topic_id: str, caller: Caller) -> Topic:
        id_ = read_id(topic_id)
        topic = None if id_ is None else store.find_topic(transaction.connection, id_)
        if topic is None:
            raise missing(topic_id)
        check_manage(topic, caller, self._context.config)
        return topic

    def _changed(self, topic: Topic, changes: TopicChanges) -> Topic:
        given = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not UNSET}
        changed = msgspec.structs.replace(topic, **given)
        if not changed.is_public:
            # Whoever makes a topic private often says in one breath that it may be found.
            changed = msgspec.structs.replace(changed, is_discoverable=False)
        try:
            if changed.name != topic.name:
                self._check_name(changed.name)
            check_description(changed.description, is_listed=changed.is_discoverable)
            check_icon("icon_name", changed.icon_name)
            check_icon("icon_color", changed.icon_color)
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        return changed


def update_topic(transaction: Transaction, before: Topic, after: Topic) -> None:
    """Store what a topic is now, and say so."""
    store.change_topic(transaction.connection, after)
    transaction.emit(
        TopicUpdated(
            topic_id=after.id,
            topic=after.name,
            old_name=before.name,
            owner_id=after.owner_id,
            access_level=after.access_level,
        )
    )
