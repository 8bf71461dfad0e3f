"""What topics and messages are, and what may be said about them: pure rules, no database, no network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from manor_topics.encoded_words import decode_words

AccessLevel = Literal["public", "private"]

RESERVED = frozenset(
    """
    entry livez readyz setup ntfy gotify api auth sse docs redoc openapi static assets admin users services system
    health metrics message messages topics teams devices subscriptions keys my public search recent activity invites
    stats deactivated register check by-topic hls logs stream v1 v4 file account login signup settings app www robots
    favicon manifest plugins hooks oauth chat status config emoji version ping embed thumbnail preview remote
    customjavascript logo yp client clients application user current
    """.split()  # noqa: SIM905 - ninety words in quotes are no easier to read
)
"""Names that no topic gets, whatever else is installed; first path segments of all routes come on top."""

HIGHEST_PRIORITY = 1
LOWEST_PRIORITY = 5
DEFAULT_PRIORITY = 3
MOST_TITLE = 250
MOST_TAGS = 20
MOST_TAG = 50
MOST_DESCRIPTION = 500
MOST_KEY = 128

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{2,63}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Misfit(ValueError):
    """A value that cannot be taken: of which member, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class BrokenJson(ValueError):
    """A body that says it is JSON and is not."""


class MessageTooLong(ValueError):
    """A message over the server's limit."""


# --- Topics --------------------------------------------------------------------------------------------------------


class Topic(msgspec.Struct, frozen=True):
    """A topic's own facts, those that do not change with every message."""

    id: UUID
    name: str
    owner_id: UUID
    team_id: UUID | None
    access_level: AccessLevel
    description: str | None
    is_discoverable: bool
    icon_name: str | None
    icon_color: str | None
    created_at: datetime

    @property
    def is_public(self) -> bool:
        """Whether everyone may read it."""
        return self.access_level == "public"


def check_name(name: str, taken: Collection[str] = ()) -> None:
    """See that a topic may be called this.

    Args:
        name: As it was sent.
        taken: First path segments of the server's own routes.

    Raises:
        Misfit: It may not.
    """
    if _NAME.fullmatch(name) is None:
        raise Misfit("name", "is 3 to 64 lower-case letters, digits, '-' and '_', and begins with a letter or a digit")
    if _parses_as_id(name):
        raise Misfit("name", "is not an id: paths take ids in place of names")
    if is_reserved(name, taken):
        raise Misfit("name", f"'{name}' is reserved")


def is_reserved(name: str, taken: Collection[str] = ()) -> bool:
    """Whether the server keeps this name for itself."""
    return name in RESERVED or name in taken


def read_reference(text: str) -> UUID | str | None:
    """What a path names: a topic's id, its name, or (None) nothing that could be one."""
    if (id_ := read_id(text)) is not None:
        return id_
    return text if _NAME.fullmatch(text) else None


def read_id(text: str) -> UUID | None:
    """An id as a client wrote it; None unless it is canonical: lower case, with its hyphens."""
    return UUID(text) if _UUID.fullmatch(text) else None


def _parses_as_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


# --- Drafts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """What a publish request says besides its body: header values as Latin-1 text, None for those that are missing."""

    content_type: str | None = None
    title: str | None = None
    priority: str | None = None
    tags: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that somebody wants published, checked."""

    message: str
    title: str | None = None
    priority: int = DEFAULT_PRIORITY
    tags: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that are the same for the same draft, to tell a repeated request from another one."""
        content = (self.message, self.title, self.priority, self.tags)
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
    is_json = _is_json(sent.content_type)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        if is_json:
            raise BrokenJson("The body is not UTF-8, and so no JSON") from error
        raise Misfit("message", "is not UTF-8") from error
    members: dict[str, Any] = {}
    if is_json and not _is_blank(text):
        value = _decode_json(text)
        if isinstance(value, dict) and isinstance(value.get("message"), str):
            members = {name: member for name, member in value.items() if member is not None}
            text = value["message"]
    else:
        text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if _is_blank(text):
        raise Misfit("message", "is empty")
    if len(text) > most_bytes or len(text.encode()) > most_bytes:
        raise MessageTooLong(f"The message is over {most_bytes} bytes")
    return Draft(
        message=text,
        title=_check_title(members["title"]) if "title" in members else _header_title(sent.title),
        priority=_check_priority(members["priority"]) if "priority" in members else _header_priority(sent.priority),
        tags=_check_tags(members["tags"]) if "tags" in members else _header_tags(sent.tags),
    )


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


def _is_blank(text: str) -> bool:
    return not text or text.isspace()


def _decode_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenJson("The body is not valid JSON") from error


def _check_title(title: Any) -> str:
    if not isinstance(title, str):
        raise Misfit("title", "is text")
    if _is_blank(title) or len(title) > MOST_TITLE:
        raise Misfit("title", f"is 1 to {MOST_TITLE} characters long")
    return title


def _check_priority(priority: Any) -> int:
    if type(priority) is not int or not HIGHEST_PRIORITY <= priority <= LOWEST_PRIORITY:
        raise Misfit("priority", f"is a whole number from {HIGHEST_PRIORITY} to {LOWEST_PRIORITY}")
    return priority


def _check_tags(tags: Any) -> tuple[str, ...]:
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Misfit("tags", "is a list of words, or words with commas between them")
    kept = tuple(dict.fromkeys(trimmed for tag in tags if (trimmed := tag.strip())))
    if len(kept) > MOST_TAGS or any(len(tag) > MOST_TAG for tag in kept):
        raise Misfit("tags", f"is at most {MOST_TAGS} words of at most {MOST_TAG} characters each")
    return kept


def _header_title(value: str | None) -> str | None:
    return None if value is None else _check_title(read_header("title", value))


def _header_priority(value: str | None) -> int:
    if value is None:
        return DEFAULT_PRIORITY
    value = value.strip()
    # Not int(): that also takes "+3", "0_3" and digits of other scripts.
    return _check_priority(int(value) if value.isascii() and value.isdigit() and len(value) == 1 else None)


def _header_tags(value: str | None) -> tuple[str, ...]:
    return () if value is None else _check_tags(read_header("tags", value))


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


# --- Since when ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SinceBeginning:
    """Everything that is kept."""


@dataclass(frozen=True, slots=True)
class SinceNewest:
    """The newest message, and what comes."""


@dataclass(frozen=True, slots=True)
class SinceMessage:
    """Strictly after that message."""

    id: UUID


@dataclass(frozen=True, slots=True)
class SinceTime:
    """Strictly after that moment."""

    time: datetime


Since = SinceBeginning | SinceNewest | SinceMessage | SinceTime

_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_DURATION_PART = re.compile(r"([0-9]+)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


def read_since(text: str, *, now: datetime, field: str = "since") -> Since:
    """Understand `since`: a time, Unix seconds, a message id, a duration such as `10m` or `1h30m`, `all`, `latest`.

    Raises:
        Misfit: It is none of these.
    """
    if text == "all":
        return SinceBeginning()
    if text == "latest":
        return SinceNewest()
    if (id_ := read_id(text.lower())) is not None:
        return SinceMessage(id_)
    try:
        if _DURATION.fullmatch(text):
            seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
            return SinceTime(now - timedelta(seconds=seconds))
        if _UNIX_SECONDS.fullmatch(text):
            return SinceTime(datetime.fromtimestamp(float(text), UTC))
    except (OverflowError, ValueError, OSError):
        # Longer ago than times go back, or later than they go forward.
        if _DURATION.fullmatch(text):
            return SinceBeginning()
        raise Misfit(field, "lies beyond the year 9999") from None
    try:
        # In a query a plus sign means a space, and few clients write %2B.
        time = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
        return SinceTime(time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))
    except (ValueError, OverflowError):
        raise Misfit(
            field, "is a time, Unix seconds, a message id, a duration such as 10m, 'all' or 'latest'"
        ) from None


# --- Topics that are made ------------------------------------------------------------------------------------------


def check_description(description: str | None, *, is_listed: bool) -> None:
    """See that a topic may be described so.

    Args:
        description: As it was sent.
        is_listed: Whether everyone finds the topic (public and discoverable): then it has to say what it is.

    Raises:
        Misfit: It is too long, or missing where it is needed.
    """
    if description is not None and len(description) > MOST_DESCRIPTION:
        raise Misfit("description", f"is at most {MOST_DESCRIPTION} characters long")
    if is_listed and not (description or "").strip():
        raise Misfit("description", "is needed where a public topic is discoverable")


def check_key(key: str | None) -> str | None:
    """An `Idempotency-Key` as it came; None when there is none.

    Raises:
        Misfit: It is empty or too long.
    """
    if key is not None and not 1 <= len(key) <= MOST_KEY:
        raise Misfit("Idempotency-Key", f"is 1 to {MOST_KEY} characters long")
    return key


def read_tags(stored: str) -> Sequence[str]:
    """Tags as a table has them: a JSON array."""
    return msgspec.json.decode(stored, type=list[str])
