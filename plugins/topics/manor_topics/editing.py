"""Editing and deleting messages, for those who manage their topic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType
from sqlalchemy import select, update

from manor import NotFound, Principal, TooLarge, Transaction
from manor_topics import scheduled, store
from manor_topics.callers import Caller
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic, read_id
from manor_topics.drafts import MessageTooLong, check_text, check_title
from manor_topics.events import MessageDeleted, MessageEdited
from manor_topics.message_store import COLUMNS, is_visible, read_message
from manor_topics.messages import Message
from manor_topics.parts import Shared
from manor_topics.payers import payer_of
from manor_topics.removing import MessageRow, delete_softly
from manor_topics.rights import check_manage, missing
from manor_topics.search import index
from manor_topics.tables import messages


class Editing:
    """Edits and deletes messages.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def delete(self, reference: str, message_id: str, principals: Sequence[Principal]) -> tuple[UUID, datetime]:
        """Delete a message: it is hidden from all but managers, and its row goes when it would have expired.

        One that waits for its time is cancelled, by who sent it too; nobody has seen it, and nobody is told.

        Args:
            reference: The topic's name or id.
            message_id: As the client wrote it.
            principals: Who asks.

        Returns:
            The message's id, and when it was deleted.

        Raises:
            NotFound: There is no such topic, or no such message in it that is visible.
            Forbidden: The topic is not theirs to manage, or the plan does not have it.
        """
        caller = await self._shared.callers.find(principals)
        topic_id = (await self._shared.reading.find(reference)).id

        def work(transaction: Transaction) -> tuple[UUID, datetime]:
            if (cancelled := self._cancel(transaction, topic_id, message_id, caller)) is not None:
                return cancelled, transaction.now
            topic = self._managed(transaction, topic_id, reference, caller)
            row = _visible(transaction, topic, message_id)
            delete_softly(transaction, row)
            transaction.emit(
                MessageDeleted(
                    id=row.id,
                    topic_id=topic.id,
                    topic=topic.name,
                    position=transaction.position(),
                    timestamp=transaction.now,
                    priority=row.priority,
                )
            )
            return row.id, transaction.now

        return await self._shared.context.storage.write(work)

    async def edit(
        self,
        reference: str,
        message_id: str,
        principals: Sequence[Principal],
        *,
        text: str,
        title: str | UnsetType | None = UNSET,
    ) -> Message:
        """Change what a message says; its id, its time and its place stay.

        Args:
            reference: The topic's name or id.
            message_id: As the client wrote it.
            principals: Who asks.
            text: What it says from now on.
            title: Its title; None for none, left out for the same as before.

        Returns:
            The message as it is now.

        Raises:
            Unprocessable: The text or the title cannot be taken.
            TooLarge: The text is too long.
            NotFound: As `delete`.
            Forbidden: As `delete`.
        """
        self._check(text, title)
        caller = await self._shared.callers.find(principals)
        topic_id = (await self._shared.reading.find(reference)).id

        def work(transaction: Transaction) -> Message:
            topic = self._managed(transaction, topic_id, reference, caller)
            before = _visible(transaction, topic, message_id)
            is_it = messages.c.position == before.position
            values = {"message": text, "edited_at": transaction.now} | ({} if title is UNSET else {"title": title})
            after = transaction.connection.execute(
                update(messages).where(is_it).values(values).returning(*COLUMNS)
            ).one()
            index.renew(transaction.connection, before, after)
            content = read_message(after, topic.name)
            transaction.emit(MessageEdited(position=transaction.position(), content=content))
            return content

        return await self._shared.context.storage.write(work)

    def _cancel(self, transaction: Transaction, topic_id: UUID, message_id: str, caller: Caller) -> UUID | None:
        """The id of a message that waited until now, if it was theirs to cancel."""
        id_ = read_id(message_id)
        waiting = None if id_ is None else scheduled.find(transaction.connection, id_)
        topic = None if waiting is None else store.find_topic(transaction.connection, topic_id)
        if waiting is None or topic is None or waiting.topic_id != topic.id:
            return None
        is_theirs = waiting.publisher_id is not None and waiting.publisher_id in caller.people
        if not is_theirs:
            check_manage(topic, caller, self._shared.config)
        scheduled.cancel(transaction, topic.id, waiting.id)
        return id_

    def _check(self, text: str, title: str | UnsetType | None) -> None:
        try:
            check_text(text, most_bytes=self._shared.config.max_message_bytes)
            if isinstance(title, str):
                check_title(title)
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        except MessageTooLong as error:
            raise TooLarge(str(error)) from error

    def _managed(self, transaction: Transaction, topic_id: UUID, reference: str, caller: Caller) -> Topic:
        """The topic as storage has it now, if the caller may change what is in it."""
        topic = store.find_topic(transaction.connection, topic_id)
        if topic is None:
            raise missing(reference)
        check_manage(topic, caller, self._shared.config)
        payer = payer_of(transaction, topic)
        self._shared.payers.check_allowed("message_edit", payer, "Edited and deleted messages")
        return topic


def _visible(transaction: Transaction, topic: Topic, message_id: str) -> MessageRow:
    id_ = read_id(message_id)
    row = None
    if id_ is not None:
        wanted = select(*COLUMNS).where(messages.c.id == id_, is_visible(topic.id, transaction.now))
        row = transaction.connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("There is no such message in this topic")
    return row
