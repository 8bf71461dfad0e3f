"""What people say about how they are there: an emoji and some words, for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from manor import Transaction
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.ids import shown_id
from manor_chat.people.news import tell_changes
from manor_chat.status.store import find_preference, put_preference
from manor_chat.store.people import Person
from manor_chat.telling import as_text, tell

PROP = "customStatus"
"""The member of a profile's props that holds it, as a string of JSON."""

CATEGORY, NAME = "custom_status", "recent_custom_statuses"
"""The preference that holds those that somebody had last."""

MOST_RECENT = 5
LONGEST_TEXT = 100
LONGEST_EMOJI = 64
DURATIONS = ("thirty_minutes", "one_hour", "four_hours", "today", "this_week", "date_and_time")
NEVER = "0001-01-01T00:00:00Z"
"""How the API writes that there is no time."""


class CustomStatus(msgspec.Struct, frozen=True):
    """A custom status. Without an emoji it has a speech balloon; without a time it stays."""

    emoji: str = ""
    text: str = ""
    duration: str = ""
    expires_at: str = ""


def checked(status: CustomStatus, now: datetime) -> CustomStatus:
    """A custom status as it is kept.

    Raises:
        BadRequest: 400: it says nothing, or it is over before it begins.
    """
    expires_at = _time(status.expires_at)
    is_timed = bool(status.duration)
    if not (status.emoji or status.text) or len(status.emoji) > LONGEST_EMOJI:
        raise faults.bad_body_param("custom_status")
    if (is_timed and (status.duration not in DURATIONS or expires_at is None)) or (expires_at and expires_at <= now):
        raise faults.bad_body_param("custom_status")
    return CustomStatus(
        status.emoji or "speech_balloon",
        status.text[:LONGEST_TEXT],
        status.duration or ("date_and_time" if expires_at else ""),
        status.expires_at or NEVER,
    )


def _time(text: str) -> datetime | None:
    """A time as RFC 3339 has it; None for none.

    Raises:
        BadRequest: 400: it is no time.
    """
    try:
        found = None if text in ("", NEVER) else msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise faults.bad_body_param("expires_at") from None
    if found is not None and found.tzinfo is None:
        raise faults.bad_body_param("expires_at")
    return None if found is None else found.astimezone(UTC)


def set_custom(transaction: Transaction, person: Person, status: CustomStatus, config: ChatConfig) -> None:
    """Have somebody say this, and remember that they did."""
    status = checked(status, transaction.now)
    tell_changes(transaction, person, config, props=person.profile.props | {PROP: as_text(status)})
    recent = [each for each in _recent(transaction, person) if each.text != status.text]
    _remember(transaction, person, [status, *recent][:MOST_RECENT])


def clear_custom(transaction: Transaction, person: Person, config: ChatConfig) -> None:
    """Have somebody say nothing any more."""
    if person.profile.props.get(PROP):
        tell_changes(transaction, person, config, props=person.profile.props | {PROP: ""})


def forget_recent(transaction: Transaction, person: Person, status: CustomStatus) -> None:
    """Take one out of those that somebody had last."""
    known = _recent(transaction, person)
    left = [each for each in known if (each.emoji, each.text, each.duration) != _key(status)]
    if left != known:
        _remember(transaction, person, left)


def _key(status: CustomStatus) -> tuple[str, str, str]:
    return status.emoji, status.text, status.duration


def _recent(transaction: Transaction, person: Person) -> list[CustomStatus]:
    value = find_preference(transaction, person.id, CATEGORY, NAME)
    try:
        return msgspec.json.decode(value, type=list[CustomStatus]) if value else []
    except msgspec.DecodeError:
        # Clients may write any preference as they like.
        return []


def _remember(transaction: Transaction, person: Person, recent: Sequence[CustomStatus]) -> None:
    value = as_text(recent)
    put_preference(transaction, person.id, CATEGORY, NAME, value)
    shown = {"user_id": shown_id(person.id), "category": CATEGORY, "name": NAME, "value": value}
    tell(transaction, "preferences_changed", {"preferences": as_text([shown])}, user_id=person.id)
