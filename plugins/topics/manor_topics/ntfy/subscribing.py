"""What ntfy's clients hear: streams of several topics, and what is kept of them, read at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from manor import Live, Principal, Stream, Transaction, Write
from manor_topics import message_store, scheduled
from manor_topics.callers import Caller
from manor_topics.domain import Misfit, Topic
from manor_topics.live import PAGE, Listener
from manor_topics.messages import Message
from manor_topics.ntfy.saying import Scale, read_priority
from manor_topics.ntfy.wire import EVERYTHING, Filters, Form, NtfyVoice, Told, in_form, ntfy_message, read_told
from manor_topics.parts import Shared
from manor_topics.payers import payer_of
from manor_topics.rights import can_manage, check_read
from manor_topics.since import Since, SinceBeginning, SinceMessage, SinceNewest, SinceTime, read_since
from manor_topics.streams.limit import StreamLimit
from manor_topics.streams.merging import Start, before_newest, merged_after, position_in

MOST_TOPICS = 100
MOST_SCHEDULED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client wants to hear.

    Args:
        form: How it looks.
        since: From when on; None for what comes.
        is_polled: Whether it is what is kept alone, at once.
        with_scheduled: Whether that has what waits for its time, too.
        filters: Which messages.
    """

    form: Form
    since: Since | None = None
    is_polled: bool = False
    with_scheduled: bool = False
    filters: Filters = EVERYTHING


def read_question(form: Form, get: Callable[..., str | None], *, now: datetime) -> Question:
    """Understand parameters.

    Args:
        form: How the stream looks.
        get: The first of some names that says something, as parameter or header.
        now: What durations are counted back from.

    Raises:
        Misfit: One of them means nothing.
    """
    since, is_polled = get("since", "si"), _is_on(get("poll", "po"))
    priorities = [each for each in (get("priority", "prio", "p") or "").split(",") if each.strip()]
    tags = (each.strip() for each in (get("tags", "tag", "ta") or "").split(","))
    if since is None or since == "none":
        began: Since | None = SinceBeginning() if is_polled and since is None else None
    else:
        began = read_since(since, now=now)
    return Question(
        form=form,
        since=began,
        is_polled=is_polled,
        with_scheduled=_is_on(get("scheduled", "sched")),
        filters=Filters(
            id=get("id"),
            message=get("message", "m"),
            title=get("title", "t"),
            priorities=frozenset(read_priority(each, Scale.NTFY) for each in priorities),
            tags=frozenset(filter(None, tags)),
        ),
    )


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "yes", "true")


class Subscribing:
    """Opens streams in ntfy's words.

    Args:
        shared: What all parts use.
        limit: Counts open streams.
    """

    def __init__(self, shared: Shared, limit: StreamLimit) -> None:
        self._shared = shared
        self._limit = limit

    async def topics(self, names: str, principals: Sequence[Principal]) -> tuple[list[Topic], Caller]:
        """The topics of a path, all of which the caller may read.

        Args:
            names: With commas between them.
            principals: The credentials of the request.

        Raises:
            Refused: 404 when there is none, otherwise as `rights.check_read`.
            Misfit: They are too many.
        """
        wanted = list(dict.fromkeys(filter(None, names.split(","))))
        if len(wanted) > MOST_TOPICS:
            raise Misfit("topic", f"is at most {MOST_TOPICS} topics")
        caller = await self._shared.callers.find(principals)
        found: dict[UUID, Topic] = {}
        for name in wanted or [names]:
            topic = await self._shared.reading.find(name)
            check_read(topic, caller, self._shared.config)
            found[topic.id] = topic
        return list(found.values()), caller

    async def hear(
        self, names: str, question: Question, principals: Sequence[Principal], address: str
    ) -> Live | Stream:
        """A stream, or what is kept.

        Args:
            names: Of the topics, with commas between them.
            question: What is wanted of them.
            principals: The credentials that may subscribe.
            address: Where it is heard.

        Raises:
            Refused: As `topics`; 429 when too many streams are open.
            Misfit: They are too many.
        """
        shared = self._shared
        # Before the right is looked up: what changes from here on is looked at again once the stream is attached.
        checked = shared.streams.watch.changes
        topics, caller = await self.topics(names, principals)
        start = await shared.context.storage.read(lambda transaction: self._start(transaction, topics, question))
        if question.is_polled:
            waiting = await self._waiting(topics, caller) if question.with_scheduled else []
            return Stream(
                lambda write: self._tell_kept(topics, start, question, waiting, write),
                content_type=question.form.content_type,
            )
        voice = NtfyVoice(
            question.form, ",".join(topic.name for topic in topics), question.filters, shared.context.clock.now
        )
        listener = Listener(
            principals=principals,
            checked=checked,
            messages_only=True,
            released=await self._limit.hold(principals, address, topics[0]),
            voice=voice,
        )
        live = shared.streams.open_many(topics, start, listener)
        return replace(live, content_type=question.form.content_type)

    def _start(self, transaction: Transaction, topics: Sequence[Topic], question: Question) -> Start:
        ids = [topic.id for topic in topics]
        connection, now = transaction.connection, transaction.now
        match question.since:
            case None:
                newest = message_store.newest_position(connection)
                return Start(dict.fromkeys(ids, newest), is_replayed=False)
            case SinceBeginning():
                return Start(dict.fromkeys(ids, 0))
            case SinceNewest():
                return Start({id_: message_store.position_before_newest(connection, id_, 1, now=now) for id_ in ids})
            case SinceTime(time):
                return Start({id_: message_store.position_at(connection, id_, time) for id_ in ids})
            case SinceMessage(id_):
                return Start(dict.fromkeys(ids, self._behind(connection, ids, id_, now)))

    def _behind(self, connection: Connection, ids: Sequence[UUID], message_id: UUID, now: datetime) -> int:
        """Behind a message; for one that nobody knows any more, behind what is too much to repeat."""
        known = position_in(connection, ids, message_id, now=now)
        if known is not None:
            return known
        return before_newest(connection, ids, self._shared.config.replay_max, now=now)

    async def _waiting(self, topics: Sequence[Topic], caller: Caller) -> list[Told]:
        """What waits for its time, in those of the topics that the caller manages."""
        managed = [topic for topic in topics if can_manage(topic, caller)]

        def work(transaction: Transaction) -> list[Told]:
            payers = self._shared.payers
            return [
                read_told(message.encoded)
                for topic in managed
                for message in scheduled.waiting_of(
                    transaction.connection,
                    topic,
                    payers.retention(payer_of(transaction, topic)),
                    limit=MOST_SCHEDULED,
                )
            ]

        return await self._shared.context.storage.read(work)

    async def _tell_kept(
        self, topics: Sequence[Topic], start: Start, question: Question, waiting: Sequence[Told], write: Write
    ) -> None:
        storage = self._shared.context.storage
        position = min(start.places.values())
        places = {topic.id: start.places[topic.id] for topic in topics}

        def page(transaction: Transaction) -> Sequence[tuple[int, Message]]:
            return merged_after(transaction.connection, places, position, now=transaction.now, limit=PAGE)

        while start.is_replayed:
            found = await storage.read(page)
            if not found:
                break
            position = found[-1][0]
            await write(_in_form(question, [message for _, message in found]))
        await write(_in_form(question, waiting))


def _in_form(question: Question, told: Sequence[Told | Message]) -> bytes:
    form, filters = question.form, question.filters
    return b"".join(in_form(form, ntfy_message(message)) for message in told if filters.lets(message))
