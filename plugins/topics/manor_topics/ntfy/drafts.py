"""What a publish request means in ntfy's words: from bytes, headers and parameters to a checked draft. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import UNSET

from manor_topics.delays import read_delay
from manor_topics.domain import Misfit
from manor_topics.drafts import (
    DEFAULT_PRIORITY,
    BrokenJson,
    Draft,
    Sent,
    check_asked_delay,
    check_tags,
    check_text,
    check_title,
    check_whole,
    decode_json,
    header_tags,
    header_title,
    is_blank,
    merge_extras,
    read_draft,
    read_header,
)
from manor_topics.extras import read_extras_members
from manor_topics.messages import NO_EXTRAS, Extras
from manor_topics.ntfy.saying import (
    ATTACH,
    DELAY,
    EMAIL,
    FILENAME,
    MESSAGE,
    TAGS,
    TITLE,
    TRIGGERED,
    Said,
    Scale,
    read_extras,
    read_priority,
)


class NoAttachments(ValueError):
    """A body that is a file: files are not kept here, and are not taken for text."""

    def __init__(self) -> None:
        super().__init__("A message is UTF-8 text; files are not stored here, only links to them (Attach)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message to be published, and who else is to get it.

    Args:
        draft: The message.
        email: Where it is to be mailed, too.
        topic: Where it goes; "" where the path says so.
    """

    draft: Draft
    email: str | None = None
    topic: str = ""


def read_own_path(body: bytes, content_type: str | None, said: Said, *, most_bytes: int, now: datetime) -> Wanted:
    """Understand a request to a topic's own path that has something of ntfy's in it.

    What the server's own API defines means what it says there; all else is ntfy's.

    Raises:
        ValueError: As `read_draft`, and `NoAttachments`.
    """
    _check_no_file(said)
    extras = read_extras(said, None)
    if is_blank(body.decode("latin-1")) and (text := _text_without_body(said, extras)) is not None:
        body, content_type = text.encode("utf-8", "surrogatepass"), None
    priority = said.priority(Scale.NOTIFER)
    sent = Sent(
        content_type=content_type,
        title=said.get(TITLE),
        priority=None if priority is None else str(priority),
        tags=said.get(TAGS) or "",
        extras=extras,
        delay=said.get(DELAY),
        now=now,
    )
    return Wanted(read_draft(body, sent, most_bytes=most_bytes), said.text("email", EMAIL))


def read_path(body: bytes, content_type: str | None, said: Said, *, most_bytes: int, now: datetime) -> Wanted:
    """Understand a request to a path of ntfy's: a body is text whatever it says that it is, without spaces around it.

    Raises:
        ValueError: As `read_draft`, and `NoAttachments`.
    """
    _check_no_file(said)
    extras = read_extras(said, content_type)
    try:
        text = body.decode().strip()
    except UnicodeDecodeError as error:
        raise NoAttachments from error
    if "\0" in text:
        raise NoAttachments
    if not text:
        text = _text_without_body(said, extras) or TRIGGERED
    return _wanted(text, said, {}, extras, most_bytes=most_bytes, now=now)


def read_json(body: bytes, said: Said, *, most_bytes: int, now: datetime) -> Wanted:
    """Understand a message that is JSON as a whole, its topic too; its members win over headers.

    Raises:
        ValueError: As `read_draft`.
    """
    try:
        value = decode_json(body.decode())
    except UnicodeDecodeError as error:
        raise BrokenJson("The body is not UTF-8, and so no JSON") from error
    if not isinstance(value, dict):
        raise BrokenJson("The body is no JSON object")
    # What says nothing is as good as absent: clients send all members that they know.
    members = {name: member for name, member in value.items() if member not in (None, "", 0, False) and member != []}
    topic, text = members.get("topic"), members.get("message", "")
    if not isinstance(topic, str):
        raise Misfit("topic", "is the name of a topic")
    if not isinstance(text, str):
        raise Misfit("message", "is text")
    check_whole("topic", topic)
    check_whole("message", text)
    if members.get("call"):
        raise Misfit("call", "is not possible here: this server telephones nobody")
    extras = merge_extras(read_extras_members(members), under=read_extras(said, None))
    if is_blank(text):
        text = _text_without_body(said, extras) or TRIGGERED
    return _wanted(text, said, members, extras, most_bytes=most_bytes, now=now, topic=topic)


def _wanted(
    text: str, said: Said, members: dict[str, Any], extras: Extras, *, most_bytes: int, now: datetime, topic: str = ""
) -> Wanted:
    check_text(text, most_bytes=most_bytes)
    asked_delay = check_asked_delay(members["delay"]) if "delay" in members else said.get(DELAY)
    email = members["email"] if "email" in members else said.text("email", EMAIL)
    if email is not None and not isinstance(email, str):
        raise Misfit("email", "is an address")
    draft = Draft(
        message=text,
        title=check_title(members["title"]) if "title" in members else header_title(said.get(TITLE)),
        priority=_priority(members, said),
        tags=check_tags(members["tags"]) if "tags" in members else header_tags(said.get(TAGS) or ""),
        extras=None if extras == NO_EXTRAS else extras,
        delay=None if asked_delay is None else read_delay(read_header("delay", asked_delay), now=now),
        asked_delay=asked_delay,
    )
    return Wanted(draft, email, topic)


def _priority(members: dict[str, Any], said: Said) -> int:
    value = members.get("priority")
    if value is None:
        return said.priority(Scale.NTFY) or DEFAULT_PRIORITY
    if type(value) is int and abs(value) < 10:
        value = str(value)
    if not isinstance(value, str):
        raise Misfit("priority", "is a whole number from 1 to 5")
    return read_priority(value, Scale.NTFY)


def _check_no_file(said: Said) -> None:
    if said.get(FILENAME) is not None and said.get(ATTACH) is None:
        raise NoAttachments


def _text_without_body(said: Said, extras: Extras) -> str | None:
    """What a message says whose body says nothing."""
    text = said.text("message", MESSAGE)
    if text is None and extras.attachment is not UNSET:
        return f"You received a file: {extras.attachment['name']}"
    # Clients that can send no line end in a header send what C and shells write for it.
    return None if text is None else text.replace("\\n", "\n")
