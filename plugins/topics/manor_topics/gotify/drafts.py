"""What Gotify's senders say: from a form or JSON to a checked draft. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from msgspec import UNSET

from manor_topics.domain import Misfit
from manor_topics.drafts import BrokenJson, Draft, check_text, check_title, check_whole, decode_json
from manor_topics.links import check_target
from manor_topics.messages import NO_EXTRAS, Extras

HIGHEST = 10

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100
_MARKDOWN = "text/markdown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message to be published, and what its answer repeats.

    Args:
        draft: The message.
        priority: On Gotify's scale, as it was sent.
        extras: As they were sent.
    """

    draft: Draft
    priority: int
    extras: dict[str, Any] | None


def read_gotify(body: bytes, content_type: str | None, parameters: dict[str, str], *, most_bytes: int) -> Wanted:
    """Understand a message.

    Args:
        body: As it came.
        content_type: A form, or else JSON.
        parameters: Of the query: what the body does not say.
        most_bytes: Of the text as UTF-8.

    Raises:
        ValueError: As `drafts.read_draft`.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    members: dict[str, Any] = {**parameters, **(_form(body) if kind == _FORM else _json(body))}
    text, title = members.get("message"), members.get("title")
    if not isinstance(text, str):
        raise Misfit("message", "is text")
    check_whole("message", text)
    check_text(text, most_bytes=most_bytes)
    priority = _priority(members.get("priority"))
    sent = members.get("extras")
    extras = _extras(sent)
    draft = Draft(
        message=text,
        title=check_title(title) if title not in (None, "") else None,
        priority=to_notifer(priority),
        extras=None if extras == NO_EXTRAS else extras,
    )
    return Wanted(draft, priority, sent or None)


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise BrokenJson("The body is no form in UTF-8") from error


def _json(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = decode_json(body.decode())
    except UnicodeDecodeError as error:
        raise BrokenJson("The body is not UTF-8, and so no JSON") from error
    if not isinstance(value, dict):
        raise BrokenJson("The body is no JSON object")
    return {name: member for name, member in value.items() if member is not None}


def _priority(value: Any) -> int:
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 2:
        value = int(value)
    if type(value) is not int or not 0 <= value <= HIGHEST:
        raise Misfit("priority", f"is a whole number from 0 to {HIGHEST}")
    return value


def to_notifer(priority: int) -> int:
    """Gotify's 0 to 10, of which 10 is the highest, as 5 to 1, of which 1 is."""
    for lowest, ours in ((10, 1), (8, 2), (4, 3), (1, 4)):
        if priority >= lowest:
            return ours
    return 5


def _extras(sent: Any) -> Extras:
    """What of `client::display` and `client::notification` has a place in a message; the rest is of other apps."""
    if sent is None:
        return NO_EXTRAS
    if not isinstance(sent, dict):
        raise Misfit("extras", "is an object")
    notification = _member(sent, "client::notification")
    url, image = _member(notification, "click").get("url"), notification.get("bigImageUrl")
    return Extras(
        click=check_target("extras", url) if url else UNSET,
        icon=check_target("extras", image, web_only=True) if image else UNSET,
        markdown=True if _member(sent, "client::display").get("contentType") == _MARKDOWN else UNSET,
    )


def _member(value: dict[str, Any], name: str) -> dict[str, Any]:
    member = value.get(name, {})
    if not isinstance(member, dict):
        raise Misfit("extras", f"has '{name}' that is no object")
    return member
