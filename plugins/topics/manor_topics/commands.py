"""What the shell's commands say to the house, and what it answers."""

from __future__ import annotations

import msgspec

from manor_topics.domain import AccessLevel, Topic


class CreateTopics(msgspec.Struct, frozen=True):
    """Make topics that belong to the server itself, all of them or none."""

    names: list[str]
    description: str | None = None
    access_level: AccessLevel = "public"
    is_discoverable: bool = False


class TopicsCreated(msgspec.Struct, frozen=True):
    """The topics that were made, in the order of their names as given."""

    topics: list[Topic]


class Reindex(msgspec.Struct, frozen=True):
    """Make the search index anew from the messages."""


class Reindexed(msgspec.Struct, frozen=True):
    """The index knows every message up to this position of the server's."""

    position: int
