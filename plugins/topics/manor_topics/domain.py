"""What topics are, and what may be said about them: pure rules, no database, no network."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

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

MOST_DESCRIPTION = 500
MOST_ICON = 50

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{2,63}")
_NTFY_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ICON = re.compile(rf"[a-z0-9-]{{1,{MOST_ICON}}}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Misfit(ValueError):
    """A value that cannot be taken: of which member, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


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


def check_name(name: str, taken: Collection[str] = (), *, as_ntfy: bool = False) -> None:
    """See that a topic may be called this.

    Args:
        name: As it was sent.
        taken: First path segments of the server's own routes.
        as_ntfy: Whether names that ntfy allows are taken, too: with capitals, and of one or two characters.

    Raises:
        Misfit: It may not.
    """
    if as_ntfy and _NTFY_NAME.fullmatch(name) is None:
        raise Misfit("name", "is 1 to 64 letters, digits, '-' and '_'")
    if not as_ntfy and _NAME.fullmatch(name) is None:
        raise Misfit("name", "is 3 to 64 lower-case letters, digits, '-' and '_', and begins with a letter or a digit")
    if _parses_as_id(name):
        raise Misfit("name", "is not an id: paths take ids in place of names")
    if name.lower() in RESERVED or name.lower() in {segment.lower() for segment in taken}:
        raise Misfit("name", f"'{name}' is reserved")


def read_reference(text: str) -> UUID | str | None:
    """What a path names: a topic's id, its name, or (None) nothing that could be one.

    Names that ntfy allows are looked up always: topics that have one outlive the configuration that let them be made.
    """
    if (id_ := read_id(text)) is not None:
        return id_
    return text if _NTFY_NAME.fullmatch(text) else None


def read_id(text: str) -> UUID | None:
    """An id as a client wrote it; None unless it is canonical: lower case, with its hyphens."""
    return UUID(text) if _UUID.fullmatch(text) else None


def _parses_as_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def check_description(description: str | None, *, is_listed: bool) -> None:
    """See that a topic may be described so.

    Args:
        description: As it was sent.
        is_listed: Whether everyone finds the topic (public and discoverable): then it has to say what it is.

    Raises:
        Misfit: It is too long, has control characters, or is missing where it is needed.
    """
    if description is not None and len(description) > MOST_DESCRIPTION:
        raise Misfit("description", f"is at most {MOST_DESCRIPTION} characters long")
    if description is not None and _CONTROL_BUT_LINES.search(description):
        raise Misfit("description", "has no control characters other than tabs and ends of lines")
    if is_listed and not (description or "").strip():
        raise Misfit("description", "is needed where a public topic is discoverable")


def check_icon(field: str, value: str | None) -> None:
    """See that a topic may have this icon, or its colour.

    Args:
        field: Which of the two.
        value: A name, such as `bell`; None for none.

    Raises:
        Misfit: It may not.
    """
    if value is not None and _ICON.fullmatch(value) is None:
        raise Misfit(field, f"is 1 to {MOST_ICON} lower-case letters, digits and '-'")
