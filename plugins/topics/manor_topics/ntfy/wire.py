"""Messages as ntfy's clients read them: in answers, and line by line, event by event in streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Entry
from manor_topics.drafts import DEFAULT_PRIORITY
from manor_topics.messages import Extras, Message
from manor_topics.ntfy.saying import flipped

LINES_TYPE = "application/x-ndjson; charset=utf-8"
EVENTS_TYPE = "text/event-stream; charset=utf-8"
RAW_TYPE = "text/plain; charset=utf-8"

MARKDOWN_TYPE = "text/markdown"


class NtfyEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is not a message: a stream has opened, or is still alive."""

    id: str
    time: int
    event: str
    topic: str = ""


class NtfyMessage(msgspec.Struct, frozen=True):
    """A message. `time` and `expires` are Unix seconds; 5 is the highest priority, and 3 is left out."""

    id: UUID
    time: int
    expires: int | UnsetType
    event: str
    topic: str
    title: str | UnsetType
    message: str
    priority: int | UnsetType
    tags: list[str] | UnsetType
    click: str | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    actions: list[dict[str, Any]] | UnsetType = UNSET
    attachment: dict[str, Any] | UnsetType = UNSET
    content_type: str | UnsetType = UNSET


class Told(Extras, frozen=True, kw_only=True):
    """The part of a message, as our own API words it, that ntfy has words for, too."""

    id: UUID
    topic: str
    message: str
    title: str | None
    priority: int
    tags: list[str]
    timestamp: datetime
    expires_at: datetime | None


class _Greeted(msgspec.Struct, frozen=True):
    topic: str
    connection_id: UUID
    timestamp: datetime


_told = msgspec.json.Decoder(Told)
_greeted = msgspec.json.Decoder(_Greeted)
_encoder = msgspec.json.Encoder()


def ntfy_message(message: Told | Message) -> NtfyMessage:
    """A message in ntfy's words."""
    return NtfyMessage(
        id=message.id,
        time=int(message.timestamp.timestamp()),
        expires=UNSET if message.expires_at is None else int(message.expires_at.timestamp()),
        event="message",
        topic=message.topic,
        title=message.title or UNSET,
        message=message.message,
        priority=UNSET if message.priority == DEFAULT_PRIORITY else flipped(message.priority),
        tags=message.tags or UNSET,
        click=message.click,
        icon=message.icon,
        # Apps tell buttons apart by their id.
        actions=(
            UNSET
            if message.actions is UNSET
            else [{"id": str(number), **action} for number, action in enumerate(message.actions, start=1)]
        ),
        attachment=message.attachment,
        content_type=MARKDOWN_TYPE if message.markdown is True else UNSET,
    )


def read_told(encoded: bytes) -> Told:
    """A message that our own API has worded."""
    return _told.decode(encoded)


def answer_of(encoded: bytes) -> bytes:
    """The answer to a publisher, of the one that the server's own API gives."""
    return _encoder.encode(ntfy_message(_told.decode(encoded)))


# --- Streams -------------------------------------------------------------------------------------------------------


class Form(Enum):
    """How a stream looks."""

    JSON = "json"
    SSE = "sse"
    RAW = "raw"
    WS = "ws"

    @property
    def content_type(self) -> str:
        """Of the answer over plain HTTP."""
        return {Form.JSON: LINES_TYPE, Form.RAW: RAW_TYPE}.get(self, EVENTS_TYPE)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages are told.

    Args:
        id: The one that is.
        message: Those that say exactly this.
        title: Those with exactly this title.
        priorities: Those of one of these, 1 being the most important; all when empty.
        tags: Those that have all of these.
    """

    id: str | None = None
    message: str | None = None
    title: str | None = None
    priorities: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()

    def lets(self, told: Told | Message) -> bool:
        """Whether a message is told."""
        return (
            (self.id is None or str(told.id) == self.id)
            and (self.message is None or told.message == self.message)
            and (self.title is None or (told.title or "") == self.title)
            and (not self.priorities or told.priority in self.priorities)
            and self.tags.issubset(told.tags)
        )


EVERYTHING = Filters()


class NtfyVoice:
    """Says in ntfy's words what a topic's channel says in ours.

    Args:
        form: How the stream looks.
        topics: Their names, with commas between them.
        filters: Which messages are told.
        now: The time, for signs of life.
    """

    __slots__ = ("_filters", "_form", "_now", "_topics", "name")

    def __init__(self, form: Form, topics: str, filters: Filters, now: Callable[[], datetime]) -> None:
        self.name = f"ntfy {form.value}"
        self._form = form
        self._topics = topics
        self._filters = filters
        self._now = now

    def wants(self, entry: Entry) -> bool:
        """Edits and deletions have no words here."""
        if entry.event != "message":
            return entry.event in ("ready", "ping")
        return self._filters == EVERYTHING or self._filters.lets(_told.decode(entry.data))

    def say(self, entry: Entry, *, is_websocket: bool) -> bytes:
        """A line, an event or a WebSocket message."""
        match entry.event:
            case "message":
                return in_form(self._form, ntfy_message(_told.decode(entry.data)))
            case "ready":
                ready = _greeted.decode(entry.data)
                return in_form(self._form, self._event(ready.connection_id.hex, ready.timestamp, "open"))
            case _:
                now = self._now()
                return in_form(self._form, self._event(f"{int(now.timestamp() * 1e6):x}", now, "keepalive"))

    def _event(self, id_: str, time: datetime, event: str) -> NtfyEvent:
        return NtfyEvent(id_, int(time.timestamp()), event, self._topics)


def in_form(form: Form, told: NtfyMessage | NtfyEvent) -> bytes:
    """One message or event of a stream."""
    match form:
        case Form.RAW:
            text = told.message if isinstance(told, NtfyMessage) else ""
            return " ".join(text.splitlines()).encode() + b"\n"
        case Form.SSE:
            name = b"" if told.event == "message" else b"event: %s\n" % told.event.encode()
            return b"%sdata: %s\n\n" % (name, _encoder.encode(told))
        case Form.JSON:
            return _encoder.encode(told) + b"\n"
        case Form.WS:
            return _encoder.encode(told)
