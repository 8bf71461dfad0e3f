"""What an announcement is, and how an event becomes its words. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manor_topics.domain import Misfit, check_name
from manor_topics.drafts import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY, MOST_TITLE, Draft, check_tags

REFUSED = {
    "topics.message_published": "an announcement is such a message itself, and would be announced without end",
    "topics.message_edited": "webhooks hear it",
    "topics.message_deleted": "webhooks hear it",
    "identity.team_deleted": "teams' topics hear it",
}
"""Events that cannot be announced: those that announcing itself makes, and those that the plugin hears DURABLE already,
which it can only once."""

_NAME = "name"
_NAME_FIELD = "name_"
"""Where an event says the name of what it is about: its `name` is its own."""

_EVENT = re.compile(r"[a-z][a-z0-9_-]*\.[a-z][a-z0-9_]*")
_PIECE = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def _check_event(event: str) -> None:
    if _EVENT.fullmatch(event) is None:
        raise ValueError(f"expected an event's name, such as 'doorbell.door_rang', got {event!r}")
    if event in REFUSED:
        raise ValueError(f"{event!r} cannot be announced: {REFUSED[event]}")


def _check_topic(topic: str) -> None:
    try:
        check_name(topic)
    except Misfit as misfit:
        raise ValueError(f"a topic's name {misfit.reason}; got {topic!r}") from misfit


def _check_message(text: str) -> None:
    if not text.strip():
        raise ValueError("expected a text, got nothing")
    _check_template(text)


def _check_template(text: str) -> None:
    for piece in _PIECE.finditer(text):
        if piece[0] in ("{", "}"):
            raise ValueError(
                f"expected plain names of fields such as {{door}}, and {{{{ and }}}} for braces, got {text!r}"
            )


def _check_tags(tags: tuple[str, ...]) -> None:
    try:
        check_tags(list(tags))
    except Misfit as misfit:
        raise ValueError(f"{misfit.field} {misfit.reason}") from misfit


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An event that is told on a topic."""

    event: Annotated[
        str,
        Meta(description="The event's name, as its plugin gives it.", extra={"check": _check_event}),
    ]
    topic: Annotated[
        str,
        Meta(
            description="The topic's name; where there is none, a private one of the server's is made.",
            extra={"check": _check_topic},
        ),
    ]
    message: Annotated[
        str,
        Meta(
            description="The text; `{field}` stands for what the event says there, `{{` and `}}` for braces.",
            extra={"check": _check_message},
        ),
    ]
    title: Annotated[
        str, Meta(description="The title, likewise; none when empty.", extra={"check": _check_template})
    ] = ""
    priority: Annotated[
        int, Meta(ge=HIGHEST_PRIORITY, le=LOWEST_PRIORITY, description="From 1, the most urgent, to 5.")
    ] = DEFAULT_PRIORITY
    tags: Annotated[tuple[str, ...], Meta(description="At most 20 words.")] = ()

    def __post_init__(self) -> None:
        """See that the tags may be tags.

        Raises:
            ValueError: They may not.
        """
        _check_tags(self.tags)

    @property
    def fields(self) -> frozenset[str]:
        """What it reads of the event."""
        texts = (self.message, self.title)
        return frozenset(_field(piece[1]) for text in texts for piece in _PIECE.finditer(text) if piece[1])

    def draft(self, told: Mapping[str, Any], *, most_bytes: int) -> Draft | None:
        """What is published.

        Args:
            told: The event's fields, as JSON has them.
            most_bytes: Of the message as UTF-8; what is longer is cut.

        Returns:
            The draft; None when there is nothing to say.
        """
        text = fill(self.message, told).encode()[:most_bytes].decode(errors="ignore")
        if not text.strip():
            return None
        title = _CONTROLS.sub(" ", fill(self.title, told)).strip()[:MOST_TITLE].strip()
        return Draft(text, title or None, self.priority, check_tags(list(self.tags)))


def fill(template: str, told: Mapping[str, Any]) -> str:
    """Put an event's values into a text. They are taken as they are: braces in them mean nothing."""

    def value(piece: re.Match[str]) -> str:
        return _plain(told[_field(piece[1])]) if piece[1] else piece[0][0]

    return _PIECE.sub(value, template)


def _field(word: str) -> str:
    return _NAME_FIELD if word == _NAME else word


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(map(_plain, value))
        case _:
            return msgspec.json.encode(value).decode()


def shape_of(fields: Collection[str]) -> type[msgspec.Struct]:
    """A struct with so much of an event."""
    return msgspec.defstruct("Announced", [(name, Any) for name in sorted(fields)], frozen=True)
