"""Which of many topics somebody hears: those that they may read; the others are named, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from manor import NotFound, Principal, Refused
from manor_topics.domain import Topic
from manor_topics.live import Rejected
from manor_topics.parts import Shared
from manor_topics.rights import check_read

MOST_TOPICS = 100
"""That one stream hears."""

_MOST_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is heard of what was asked for.

    Args:
        topics: Each once, in the order in which they were named.
        named: The topic of each name or id that was given and is heard.
        rejected: What is not heard.
    """

    topics: Sequence[Topic]
    named: dict[str, Topic]
    rejected: Sequence[Rejected]


async def choose(shared: Shared, references: Iterable[str], principals: Sequence[Principal]) -> Chosen:
    """Find topics by name or id, and see which of them the caller may read.

    Raises:
        Refused: None is left: 404 when none of them is there, otherwise as for the first that may not be read.
    """
    caller = await shared.callers.find(principals)
    named: dict[str, Topic] = {}
    refusals: dict[str, Refused] = {}
    for reference in dict.fromkeys(references):
        try:
            topic = await shared.reading.find(reference)
            check_read(topic, caller, shared.config)
            named[reference] = topic
        except Refused as refused:
            refusals[reference] = refused
    if not named:
        first = next(iter(refusals.values()))
        raise next((each for each in refusals.values() if not isinstance(each, NotFound)), first)
    topics = {topic.id: topic for topic in named.values()}
    rejected = [Rejected(reference[:_MOST_SHOWN], str(refused)) for reference, refused in refusals.items()]
    return Chosen(list(topics.values()), named, rejected)
