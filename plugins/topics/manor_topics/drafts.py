"""What a publish request means: pure rules from bytes and header text to a checked draft."""

from __future__ import annotations

import hashlib
import json
import math
import re
from datetime import datetime
from typing import Any

import msgspec

from manor_topics.delays import read_delay
from manor_topics.domain import Misfit
from manor_topics.encoded_words import decode_words
from manor_topics.extras import read_extras_members
from manor_topics.messages import NO_EXTRAS, Extras

HIGHEST_PRIORITY = 1
LOWEST_PRIORITY = 5
DEFAULT_PRIORITY = 3
MOST_TITLE = 250
MOST_TAGS = 20
MOST_TAG = 50
MOST_KEY = 128

_EXTRA_MEMBERS = ("click", "icon", "markdown", "actions", "attachment", "attach")
_MOST_DIGITS = 100
_PLAIN_PRIORITIES = {b"%d" % priority: priority for priority in range(HIGHEST_PRIORITY, LOWEST_PRIORITY + 1)}
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Titles and tags go into other protocols' headers, where a line end would begin another one."""


class BrokenJson(ValueError):
    """A body that says it is JSON and is not."""


class MessageTooLong(ValueError):
    """A message over the server's limit."""


class Sent(msgspec.Struct, frozen=True):
    """What a publish request says besides its body: header values as Latin-1 text.

    Args:
        content_type: Of the body.
        title: The title.
        priority: A digit.
        tags: Words with commas between them.
        extras: What the message has beside its text, as headers say it.
        delay: When it is to appear.
        now: From when a delay counts.
    """

    content_type: str | None = None
    title: str | None = None
    priority: str | None = None
    tags: str = ""
    extras: Extras = NO_EXTRAS
    delay: str | None = None
    now: datetime | None = None


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message that somebody wants published, checked.

    Args:
        message: The text.
        title: Its title.
        priority: 1 (the most important) to 5.
        tags: Words.
        extras: What it has beside its text.
        delay: In how many seconds it is to appear; None for now.
        asked_delay: The same as it was sent: `tomorrow, 10am` is another number of seconds at each request.
    """

    message: str
    title: str | None = None
    priority: int = DEFAULT_PRIORITY
    tags: tuple[str, ...] = ()
    extras: Extras | None = None
    delay: int | None = None
    asked_delay: str | None = None

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that are the same for the same draft, to tell a repeated request from another one."""
        more = filter(None, (self.extras, self.asked_delay or self.delay))
        content = (self.message, self.title, self.priority, self.tags, *more)
        return hashlib.sha256(msgspec.json.encode(content)).digest()


def read_draft(body: bytes, sent: Sent, *, most_bytes: int) -> Draft:
    """Understand a publish request.

    A body is text, byte for byte, without one line end at its end, whatever type it declares: `curl -d` says that it
    sends a form. Only `application/json` is looked into, and there only an object with a string `message` is more than
    text; its members win over headers.

    Args:
        body: As it came.
        sent: The headers.
        most_bytes: Of the message as UTF-8.

    Raises:
        Misfit: A value cannot be taken.
        BrokenJson: JSON was announced and this is none.
        MessageTooLong: The message is over `most_bytes`.
    """
    says_json = is_json(sent.content_type)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        if says_json:
            raise BrokenJson("The body is not UTF-8, and so no JSON") from error
        raise Misfit("message", "is not UTF-8") from error
    members: dict[str, Any] = {}
    if says_json and not is_blank(text):
        value = decode_json(text)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            members = {name: member for name, member in value.items() if member is not None}
            text = value["message"]
            check_whole("message", text)
    else:
        text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    check_text(text, most_bytes=most_bytes)
    asked_delay = check_asked_delay(members["delay"]) if "delay" in members else sent.delay
    return Draft(
        message=text,
        title=check_title(members["title"]) if "title" in members else header_title(sent.title),
        priority=check_priority(members["priority"]) if "priority" in members else _header_priority(sent.priority),
        tags=check_tags(members["tags"]) if "tags" in members else header_tags(sent.tags) if sent.tags else (),
        extras=_extras(members, sent.extras),
        delay=_delay(asked_delay, sent.now),
        asked_delay=asked_delay,
    )


def plain_draft(
    body: bytes, *, title: bytes | None, priority: bytes | None, tags: bytes | None, most_bytes: int
) -> Draft | None:
    """What `read_draft` makes of a request as almost all are, in a fraction of its time.

    Args:
        body: As it came, of a request that does not say that it is JSON.
        title: The header as sent; None when it is not there.
        priority: The same.
        tags: The same.
        most_bytes: Of the message.

    Returns:
        None where it takes more to understand it, or it has a fault.
    """
    if len(body) > most_bytes:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not text or text.isspace():
        return None
    number = DEFAULT_PRIORITY if priority is None else _PLAIN_PRIORITIES.get(priority)
    if number is None:
        return None
    named: str | None = None
    if title is not None:
        named = _plain(title)
        if named is None or len(named) > MOST_TITLE or named.isspace():
            return None
    words: tuple[str, ...] = ()
    if tags is not None:
        listed = _plain(tags)
        # No longer than one tag, so that none of them is too long.
        if listed is None or len(listed) > MOST_TAG or listed.count(",") >= MOST_TAGS:
            return None
        words = tuple(dict.fromkeys(filter(None, map(str.strip, listed.split(",")))))
    return Draft(text, named, number, words)


def _plain(value: bytes) -> str | None:
    """A header's text, if it is what it says: printable ASCII, and no encoded word."""
    text = value.decode("latin-1")
    return text if text.isascii() and text.isprintable() and "=?" not in text and text else None


def _extras(members: dict[str, Any], of_headers: Extras) -> Extras | None:
    extras = of_headers
    if members and not members.keys().isdisjoint(_EXTRA_MEMBERS):
        extras = merge_extras(read_extras_members(members), under=of_headers)
    return None if extras is NO_EXTRAS or extras == NO_EXTRAS else extras


def merge_extras(extras: Extras, *, under: Extras) -> Extras:
    """Extras of two sources; each member is of the first that has it."""
    own = {name: getattr(extras, name) for name in Extras.__struct_fields__}
    return msgspec.structs.replace(under, **{name: value for name, value in own.items() if value is not msgspec.UNSET})


def check_asked_delay(value: Any) -> str | None:
    """A delay as JSON has it: text, or Unix seconds.

    Raises:
        Misfit: It is neither.
    """
    if isinstance(value, str):
        return value or None
    if type(value) is not int:
        raise Misfit("delay", "is text, or Unix seconds")
    return str(value)


def _delay(asked: str | None, now: datetime | None) -> int | None:
    if asked is None:
        return None
    if now is None:
        raise Misfit("delay", "is not possible here")
    return read_delay(read_header("delay", asked), now=now)


def is_json(content_type: str | None) -> bool:
    """Whether a body says that it is JSON."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


def is_blank(text: str) -> bool:
    """Whether a text says nothing."""
    return not text or text.isspace()


def decode_json(text: str) -> Any:
    """What JSON says.

    Raises:
        BrokenJson: It is none.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _decode_extreme_json(text)


def _decode_extreme_json(text: str) -> Any:
    """Decode what JSON's grammar allows and msgspec does not: numbers of any size, and halves of surrogate pairs."""
    try:
        return json.loads(text, parse_int=_whole_number, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise BrokenJson("The body is nested too deeply") from error
    except ValueError as error:
        raise BrokenJson("The body is not valid JSON") from error


def _whole_number(digits: str) -> int | float:
    # Python refuses to make an int of more than 4300 digits. No member that we read wants more than one.
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def check_whole(field: str, text: str) -> None:
    """See that a text is one that UTF-8 can hold.

    Raises:
        Misfit: It is not.
    """
    if not text.isascii() and _SURROGATE.search(text):
        raise Misfit(field, "has half a character: a surrogate without its other half")


def check_text(text: str, *, most_bytes: int) -> None:
    """See that a message may say this.

    Raises:
        Misfit: It is empty.
        MessageTooLong: It is over `most_bytes` of UTF-8.
    """
    if is_blank(text):
        raise Misfit("message", "is empty")
    if len(text) > most_bytes or (not text.isascii() and len(text.encode()) > most_bytes):
        raise MessageTooLong(f"The message is over {most_bytes} bytes")


def check_title(title: Any) -> str:
    """A title as it came.

    Raises:
        Misfit: It is no title.
    """
    if not isinstance(title, str):
        raise Misfit("title", "is text")
    if is_blank(title) or len(title) > MOST_TITLE:
        raise Misfit("title", f"is 1 to {MOST_TITLE} characters long")
    check_whole("title", title)
    if _CONTROL.search(title):
        raise Misfit("title", "has no control characters")
    return title


def check_priority(priority: Any) -> int:
    """A priority as it came.

    Raises:
        Misfit: It is none.
    """
    if type(priority) is not int or not HIGHEST_PRIORITY <= priority <= LOWEST_PRIORITY:
        raise Misfit("priority", f"is a whole number from {HIGHEST_PRIORITY} to {LOWEST_PRIORITY}")
    return priority


def check_tags(tags: Any) -> tuple[str, ...]:
    """Tags as they came, a list or one text, without those that are empty or there twice.

    Raises:
        Misfit: They are too many, or too long.
    """
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Misfit("tags", "is a list of words, or words with commas between them")
    kept = tuple(dict.fromkeys(trimmed for tag in tags if (trimmed := tag.strip())))
    if len(kept) > MOST_TAGS or any(len(tag) > MOST_TAG for tag in kept):
        raise Misfit("tags", f"is at most {MOST_TAGS} words of at most {MOST_TAG} characters each")
    for tag in kept:
        check_whole("tags", tag)
    if any(map(_CONTROL.search, kept)):
        raise Misfit("tags", "has no control characters")
    return kept


def header_title(value: str | None) -> str | None:
    """A header's title; None where there is no header.

    Raises:
        Misfit: It is no title.
    """
    return None if value is None else check_title(read_header("title", value))


def _header_priority(value: str | None) -> int:
    if value is None:
        return DEFAULT_PRIORITY
    value = value.strip()
    # Not int(): that also takes "+3", "0_3" and digits of other scripts.
    return check_priority(int(value) if value.isascii() and value.isdigit() and len(value) == 1 else None)


def header_tags(value: str) -> tuple[str, ...]:
    """A header's tags.

    Raises:
        Misfit: They are too many, or too long.
    """
    return check_tags(read_header("tags", value))


def read_header(field: str, value: str) -> str:
    """A header's text: sent as raw UTF-8, as encoded words (RFC 2047), or as both.

    Args:
        field: What the header says, for the error.
        value: Its bytes as Latin-1 text, which is how HTTP hands them over.

    Raises:
        Misfit: The bytes are not UTF-8.
    """
    try:
        return decode_words(value.encode("latin-1").decode())
    except UnicodeError as error:
        raise Misfit(field, "is neither UTF-8 nor made of encoded words (RFC 2047)") from error


def check_key(key: str | None) -> str | None:
    """An `Idempotency-Key` as it came, bytes as Latin-1 text; None when there is none. Nothing in it is decoded.

    Raises:
        Misfit: It is empty or too long.
    """
    if key is not None and not 1 <= len(key) <= MOST_KEY:
        raise Misfit("Idempotency-Key", f"is 1 to {MOST_KEY} characters long")
    return key
