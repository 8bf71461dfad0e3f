"""How long a page of chat's search takes among a million posts, and what its index costs.

    python -m bench.chat_search                    # builds the data, measures, prints JSON; about ten minutes
    python -m bench.chat_search --posts 100000

The data is the same at every run: the made-up language of `bench.search`, 200 channels of one team of which ten people
are in half, a post a second. It is written by direct inserts and put into the index as the daemon does it. Each case is
asked as `POST /api/v4/posts/search` in this process: times are milliseconds of a request without the socket, a page of
60 posts with their files, reactions and threads included. `--cpu` counts what the process computed instead of what the
clock said, for machines that do other things meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import trio
from sqlalchemy import text

from bench.chat_data import cast, fill
from bench.search import COMMON, Language
from manor import Principal, Transaction
from manor.testing import Client, House, SetClock, open_test_house
from manor_chat.search.index import catch_up

NOW = datetime(2030, 1, 31, tzinfo=UTC)
CHANNELS = 200
_now = time.perf_counter


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=20, help="times that each case is asked")
    parser.add_argument("--cpu", action="store_true", help="count the process's CPU time")
    parser.add_argument("--scratch", type=Path, help="a folder on the disk that matters")
    options = parser.parse_args()
    global _now
    _now = time.process_time if options.cpu else time.perf_counter
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="manor-bench-") as folder:
        print(json.dumps(trio.run(_measure, Path(folder), options), indent=2))


async def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    async with open_test_house(folder, plugins=["chat"], clock=SetClock(NOW), inline=False) as house:
        language = Language(random.Random(1))
        _, people, rooms = await house.storage.write(lambda transaction: cast(transaction, people=10, rooms=CHANNELS))
        await fill(house, language, options.posts, people, rooms)
        index = await _index(house, options.posts)
        gc.collect()
        client = Client(house.dispatcher)(principals=[Principal("chat_session", user_id=people[0])])
        figures = {name: await _ask(client, body, options.repeat) for name, body in _cases(language).items()}
        return {"is_cpu_time": options.cpu, "posts": options.posts, "index": index, "milliseconds": figures}


async def _index(house: House, count: int) -> dict[str, Any]:
    begun = _now()
    while await house.storage.write(catch_up):
        pass
    seconds = _now() - begun

    def size(transaction: Transaction) -> int:
        # The index's own tables; FTS5 has no other place.
        pages = "SELECT COALESCE(SUM(LENGTH(block)), 0) FROM chat_search_data"
        return int(transaction.connection.execute(text(pages)).scalar_one())

    return {
        "microseconds_a_post": round(seconds / count * 1e6, 1),
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
        begun = _now()
        answer = await client.post("/api/v4/posts/search", json={"is_or_search": False, **body})
        taken.append((_now() - begun) * 1000)
        found = len(answer.json()["order"])
    return {
        "first": round(taken[0], 1),
        "median": round(median(taken), 1),
        "most": round(max(taken), 1),
        "on_page": found,
    }


if __name__ == "__main__":
    main()
