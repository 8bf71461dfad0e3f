"""Terms that say of a message where it stands and what it is; words cannot be taken for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from manor_topics.domain import Topic

EVERY = "x"
"""Stands on every message."""

OPEN = "o"
"""Stands on messages of public topics."""


def of_topic(topic_id: bytes) -> str:
    """Stands on all messages of a topic."""
    return f"t{topic_id.hex()}"


def of_owner(user_id: UUID) -> str:
    """Stands on messages of somebody's topics."""
    return f"u{user_id.hex}"


def of_team(team_id: UUID) -> str:
    """Stands on messages of a team's topics."""
    return f"m{team_id.hex}"


def of_priority(priority: int) -> str:
    """Stands on messages of a priority."""
    return f"p{priority}"


@lru_cache(maxsize=10_000)
def of_tag(tag: str) -> str:
    """Stands on messages with a tag. Any character may be in a tag, so a digest stands for it."""
    return f"g{blake2b(tag.encode(errors='surrogatepass'), digest_size=10).hexdigest()}"


def of_place(topic: Topic) -> str:
    """What a topic's messages get because of the topic: who may read it, and whose it is."""
    labels = [of_owner(topic.owner_id)]
    if topic.is_public:
        labels.append(OPEN)
    if topic.team_id is not None:
        labels.append(of_team(topic.team_id))
    return " ".join(labels)


def of_message(topic_id: bytes, priority: int, tags: Iterable[str]) -> str:
    """What a message has by itself."""
    return " ".join([EVERY, of_topic(topic_id), of_priority(priority), *map(of_tag, tags)])
