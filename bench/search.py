"""How long a search page takes among a million messages, its total included, and what the index costs.

    python -m bench.search                       # builds the data, measures, prints JSON; about five minutes
    python -m bench.search --messages 100000

The data is the same at every run: words of a made-up language by Zipf's law, a thousand topics of which one person has
half, thirty days, five priorities, twelve tags, a fifth of the messages with Chinese in them. It is written by direct
inserts. Each case is asked with several values; `first` has nothing counted before, `again` what one page after another
finds. Times are milliseconds of a search as a handler does it: the thread hop, the statements, the rows, the JSON.
`--cpu` counts what the process computed instead of what the clock said, for machines that do other things meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import msgspec

from bench.inside import NOW, run, seconds
from bench.language import COMMON, Language
from manor import Principal, Storage, Transaction, new_id, to_microseconds
from manor.testing import House
from manor_topics import store
from manor_topics.callers import Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.creating import new_topic
from manor_topics.domain import Topic
from manor_topics.reading import Reading
from manor_topics.search.finding import Criteria
from manor_topics.search.indexing import Indexer
from manor_topics.search.searching import Searching
from manor_topics.search.words import read_query

SPAN = timedelta(days=30)
OWNER = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HERS = Principal("session", user_id=OWNER)
_CHUNK = 1000


@dataclass(frozen=True)
class Case:
    """Something to search for, in several variants.

    Args:
        name: What it is.
        asked: Criteria, with the offset.
        who: Who asks; nobody searches all public topics.
        topic: Of one topic.
    """

    name: str
    asked: Sequence[tuple[Criteria, int]]
    who: Sequence[Principal] = ()
    topic: str | None = None


def main() -> None:
    """Measure."""
    counts = {
        "messages": (1_000_000, "how many there are"),
        "topics": (1000, "how many they are on"),
        "repeat": (20, "times that each variant is asked again"),
    }
    run(__doc__, "topics", _measure, counts)


async def _measure(house: House, language: Language, options: argparse.Namespace, _folder: Path) -> dict[str, Any]:
    topics = await _fill(house, language, options.messages, options.topics)
    figures: dict[str, Any] = {"messages": options.messages, "topics": options.topics}
    figures["index"] = await _index(house.storage, options.messages)
    gc.collect()
    figures["milliseconds"] = {
        case.name: await _ask(house, case, options.repeat) for case in _cases(language, topics, options.messages)
    }
    figures["activity_milliseconds"] = {
        f"{days} days": await _activity(house, days, options.repeat) for days in (1, 30)
    }
    return figures


async def _fill(house: House, language: Language, count: int, topic_count: int) -> list[Topic]:
    chance = language.chance
    topics = [
        new_topic(
            f"topic-{number}",
            owner_id=OWNER if number % 2 else new_id(),
            access_level="private" if number % 10 == 1 else "public",
            is_discoverable=False,
            now=NOW,
        )
        for number in range(topic_count)
    ]

    def add_topics(transaction: Transaction) -> None:
        for topic in topics:
            store.add_topic(transaction.connection, topic)

    await house.storage.write(add_topics)
    tags = [json.dumps([f"tag-{number}"]) for number in range(12)] + ["[]"] * 12
    rows = (
        (
            position,
            new_id().bytes,
            chance.choice(topics).id.bytes,
            position,
            text,
            None,
            chance.randint(1, 5),
            chance.choice(tags),
            to_microseconds(NOW - SPAN + position * SPAN / count),
            to_microseconds(NOW + position * SPAN / count + timedelta(minutes=1)),
            None,
        )
        for position, text in enumerate(language.texts(count), start=1)
    )
    while chunk := list(islice(rows, _CHUNK)):
        await house.storage.write(lambda transaction, chunk=chunk: _add(transaction, chunk))  # type: ignore[misc]
    return topics


def _add(transaction: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    transaction.connection.connection.cursor().executemany(
        "INSERT INTO topics_messages (position, id, topic_id, sequence, message, title, priority, tags, timestamp, "
        "expires_at, is_deleted, publisher_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        rows,
    )


async def _index(storage: Storage, count: int) -> dict[str, Any]:
    indexer, began = Indexer(storage), seconds()
    await indexer.catch_up()
    indexed, began = seconds() - began, seconds()
    await indexer.settle()
    settled = seconds() - began

    def size(transaction: Transaction) -> tuple[int, int, int]:
        connection = transaction.connection
        texts = "SELECT sum(length(CAST(message AS BLOB))) FROM topics_messages"
        sizes = (
            "SELECT sum(length(block)) FROM topics_search_data",
            texts,
            "SELECT sum(length(bits)) FROM topics_search_bits",
        )
        found = [connection.exec_driver_sql(sql).scalar_one() or 0 for sql in sizes]
        return found[0], found[1], found[2]

    bytes_, texts, bits = await storage.read(size)
    return {
        "seconds": round(indexed, 1),
        "microseconds_per_message": round(indexed / count * 1e6, 1),
        "megabytes": round(bytes_ / 1e6, 1),
        "megabytes_of_text": round(texts / 1e6, 1),
        "seconds_of_settling": round(settled, 1),
        "megabytes_of_bits": round(bits / 1e6, 1),
    }


def _cases(language: Language, topics: Sequence[Topic], count: int) -> list[Case]:
    words, signs = language.words, language.signs

    def query(*texts: str) -> list[tuple[Criteria, int]]:
        return [(Criteria(read_query(text)), 0) for text in texts]

    ends = [NOW - timedelta(hours=17 * number) for number in range(10)]
    return [
        Case("rare word", query(*words[20_000:20_010])),
        Case("common word (in every message)", query(COMMON)),
        Case("common words", query(*(word for word in words[:10] if len(word) > 3))),
        Case("two words", query(*(f"{words[number]} {words[number + 7]}" for number in range(10)))),
        Case("beginning of one letter", query("b", "k", "z")),
        Case("beginning of three letters", query(*(word[:3] for word in words[100:110]))),
        Case("one topic of a thousand", query("", COMMON), topic="topic-2"),
        Case("all of somebody's five hundred topics", query(COMMON, words[0], words[3000]), who=(HERS,)),
        Case("tag", [(Criteria(tags=[f"tag-{number}"]), 0) for number in range(6)]),
        Case("word, tag and priority", [(Criteria(read_query(COMMON), ["tag-1"], 1, 2), 0)]),
        Case(
            "dates: a day",
            [(Criteria(read_query(COMMON), date_from=end - timedelta(days=1), date_to=end), 0) for end in ends],
        ),
        Case(
            "dates: three weeks",
            [(Criteria(read_query(COMMON), date_from=end - timedelta(days=21), date_to=end), 0) for end in ends[:5]],
        ),
        Case("one Chinese sign", query(*signs[:5], *signs[500:505])),
        Case("two Chinese signs", query(*(signs[number] + signs[number + 1] for number in range(10)))),
        Case("four Chinese signs", query(*("".join(signs[number : number + 4]) for number in range(5)))),
        Case(
            "deep offset",
            [(Criteria(read_query(COMMON)), int(count * share)) for share in (0.1, 0.3, 0.45, 0.6, 0.8)],
        ),
        Case("nothing asked for", [(Criteria(), 0)]),
    ]


def _searching(house: House) -> Searching:
    callers = Callers(house.storage)
    reading = Reading(house.storage, Catalog(house.storage), callers, house.live, TopicsConfig)
    return Searching(house.storage, reading, callers, Indexer(house.storage))


async def _ask(house: House, case: Case, repeat: int) -> dict[str, Any]:
    first: list[float] = []
    again: list[float] = []
    totals = []
    known = _searching(house)
    for criteria, offset in case.asked:
        totals.append(await _timed(_searching(house), case, criteria, offset, first))
        await _timed(known, case, criteria, offset, [])
        for _ in range(repeat):
            await _timed(known, case, criteria, offset, again)
    return {"totals": [min(totals), max(totals)], "first": _spread(first), "again": _spread(again)}


async def _timed(searching: Searching, case: Case, criteria: Criteria, offset: int, times: list[float]) -> int:
    began = seconds()
    page = await searching.everywhere(case.topic, case.who, criteria, limit=50, offset=offset)
    msgspec.json.encode(page.messages)
    times.append(seconds() - began)
    return page.total


async def _activity(house: House, days: int, repeat: int) -> dict[str, Any]:
    criteria = Criteria(date_from=NOW - timedelta(days=days), date_to=NOW)
    times: list[float] = []
    total = 0
    for _ in range(repeat):
        began = seconds()
        shown = await _searching(house).activity((), (HERS,), criteria, None, NOW)
        msgspec.json.encode(shown)
        times.append(seconds() - began)
        total = shown.total
    return {"total": total, **_spread(times)}


def _spread(times: Sequence[float]) -> dict[str, float]:
    falling = sorted(times)
    p95 = falling[min(len(falling) - 1, int(len(falling) * 0.95))]
    return {
        name: round(1000 * value, 1) for name, value in (("p50", median(times)), ("p95", p95), ("max", falling[-1]))
    }


if __name__ == "__main__":
    main()
