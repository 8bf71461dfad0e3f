"""How long a page of chat's search takes among a million posts, and what its index costs.

    python -m bench.chat_search                    # builds the data, measures, prints JSON; about ten minutes
    python -m bench.chat_search --posts 100000

The data is the same at every run: the language of `bench.language`, 200 channels of one team of which ten people
are in half, a post a second. It is written by direct inserts and put into the index as the daemon does it. Each case is
asked as `POST /api/v4/posts/search` in this process: times are milliseconds of a request without the socket, a page of
60 posts with their files, reactions and threads included. `--cpu` counts what the process computed instead of what the
clock said, for machines that do other things meanwhile.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import text

from bench.chat_data import cast, fill
from bench.inside import run, seconds
from bench.language import COMMON, Language
from manor import Principal, Transaction
from manor.testing import Client, House
from manor_chat.search.index import catch_up

CHANNELS = 200


def main() -> None:
    """Measure."""
    counts = {"posts": (1_000_000, "how many there are"), "repeat": (20, "times that each case is asked")}
    run(__doc__, "chat", _measure, counts)


async def _measure(house: House, language: Language, options: argparse.Namespace, _folder: Path) -> dict[str, Any]:
    _, people, rooms = await house.storage.write(lambda transaction: cast(transaction, people=10, rooms=CHANNELS))
    await fill(house, language, options.posts, people, rooms)
    index = await _index(house, options.posts)
    gc.collect()
    client = Client(house.dispatcher)(principals=[Principal("chat_session", user_id=people[0])])
    figures = {name: await _ask(client, body, options.repeat) for name, body in _cases(language).items()}
    return {"posts": options.posts, "index": index, "milliseconds": figures}


async def _index(house: House, count: int) -> dict[str, Any]:
    begun = seconds()
    while await house.storage.write(catch_up):
        pass
    taken = seconds() - begun

    def size(transaction: Transaction) -> int:
        # The index's own tables; FTS5 has no other place.
        pages = "SELECT COALESCE(SUM(LENGTH(block)), 0) FROM chat_search_data"
        return int(transaction.connection.execute(text(pages)).scalar_one())

    return {
        "microseconds_a_post": round(taken / count * 1e6, 1),
        "mebibytes": round(await house.storage.read(size) / 2**20, 1),
    }


def _cases(language: Language) -> dict[str, dict[str, Any]]:
    words, signs = language.words, language.signs
    return {
        "a word in every post": {"terms": COMMON},
        "a common word": {"terms": words[3]},
        "two common words": {"terms": f"{words[1]} {words[5]}"},
        "one word or another": {"terms": f"{words[40]} {words[60]}", "is_or_search": True},
        "a rare word": {"terms": words[20_000]},
        "a common and a rare word": {"terms": f"{words[0]} {words[15_000]}"},
        "a phrase": {"terms": f'"{words[0]} {words[1]}"'},
        "the beginning of a word": {"terms": f"{words[10][:2]}*"},
        "a word, and not another": {"terms": f"{words[2]} -{words[0]}"},
        "a word from somebody in a channel": {"terms": f"{words[2]} from:person-3 in:room-2"},
        "a hashtag": {"terms": "#release"},
        "two Chinese characters": {"terms": signs[5] + signs[9]},
        "a word on one day": {"terms": f"{words[2]} on:2029-11-25"},
        "the twentieth page": {"terms": words[3], "page": 19},
    }


async def _ask(client: Client, body: dict[str, Any], repeat: int) -> dict[str, Any]:
    taken, found = [], 0
    for _ in range(repeat):
        begun = seconds()
        answer = await client.post("/api/v4/posts/search", json={"is_or_search": False, **body})
        taken.append((seconds() - begun) * 1000)
        found = len(answer.json()["order"])
    return {
        "first": round(taken[0], 1),
        "median": round(median(taken), 1),
        "most": round(max(taken), 1),
        "on_page": found,
    }


if __name__ == "__main__":
    main()
