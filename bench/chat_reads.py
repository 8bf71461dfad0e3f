"""How long a client waits when somebody opens a channel, among a thousand people and a hundred thousand posts.

    python -m bench.chat_reads                   # imports the data, measures, prints JSON; about two minutes
    python -m bench.chat_reads --cpu             # counts what the process computed, not what the clock said

The five requests are those of the apps: the posts around the first unread one, the view, the channel's numbers, the
statuses and the profiles of who wrote there. Each is asked in this process, without a socket, by a person who has never
looked at the channel; then all five at once, as the apps do. Also what an app asks when it starts.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import trio

from bench.chat_data import write_bundle
from bench.search import Language
from manor import Principal, Transaction, find_team, list_members, to_chat_id
from manor.testing import Answer, Client, House, SetClock, open_test_house
from manor_chat.commands import Import
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.search.index import catch_up
from manor_chat.store.channels import find_channel_by_name
from manor_chat.store.people import find_person_by_name

NOW = datetime(2030, 1, 31, tzinfo=UTC)
API = "/api/v4"
_now = time.perf_counter


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--switches", type=int, default=100, help="how often somebody opens a channel")
    parser.add_argument("--cpu", action="store_true", help="count the process's CPU time")
    options = parser.parse_args()
    global _now
    _now = time.process_time if options.cpu else time.perf_counter
    with tempfile.TemporaryDirectory(prefix="manor-bench-") as folder:
        print(json.dumps(trio.run(_measure, Path(folder), options), indent=2))


async def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    async with open_test_house(folder, plugins=["chat"], clock=SetClock(NOW), inline=False) as house:
        language = Language(random.Random(1))
        bundle = folder / "bundle.jsonl"
        write_bundle(bundle, language, posts=options.posts, people=options.people, rooms=options.channels)
        begun = _now()
        await house.commands["chat.import"].run(Import(path=str(bundle)))
        seconds = _now() - begun
        team, people, rooms = await house.storage.write(partial(_unread, channels=options.channels))
        await _quiet(house)
        gc.collect()
        taken: dict[str, list[float]] = {}
        for number in range(options.switches):
            # Somebody else each time: nobody opens a channel twice.
            client = Client(house.dispatcher)(
                principals=[Principal("chat_session", user_id=people[1 + number % (len(people) - 1)])]
            )
            room = to_chat_id(rooms[number % len(rooms)])
            if number % 10 == 0:
                await _time(taken, "start of an app", partial(_start, client, to_chat_id(team)))
            await _switch(taken, client, room)
        figures = {name: _summary(values) for name, values in taken.items()}
        return {
            "is_cpu_time": options.cpu,
            "posts": options.posts,
            "people": options.people,
            "channels": options.channels,
            "seconds_of_import": round(seconds, 1),
            "milliseconds": figures,
        }


def _unread(transaction: Transaction, channels: int) -> tuple[UUID, list[UUID], list[UUID]]:
    """Have something unread in each channel, for all that came in counts as read; the team, its people and channels."""
    team = find_team(transaction, name="bench")
    assert team is not None
    author = find_person_by_name(transaction, "person-0")
    assert author is not None
    rooms = []
    for number in range(channels):
        room = find_channel_by_name(transaction, team.id, f"room-{number}")
        assert room is not None
        rooms.append(room.id)
        for text in ("Good morning", "Who is there?"):
            create_post(transaction, NewPost(channel=room, author=author, message=text))
    return team.id, [member.user_id for member in list_members(transaction, team.id)], rooms


async def _quiet(house: House) -> None:
    """Wait until nothing is left to do of making the data: it would be counted as what is measured."""

    while await house.storage.write(catch_up):
        pass

    def is_busy(transaction: Transaction) -> bool:
        return bool(house.services.outbox.list(transaction, state="waiting", most=1))

    while True:
        if not await house.storage.read(is_busy):
            return
        await trio.sleep(0.1)


async def _switch(taken: dict[str, list[float]], client: Client, room: str) -> None:
    around = await _time(
        taken, "posts around the first unread one", lambda: client.get(f"{API}/users/me/channels/{room}/posts/unread")
    )
    authors = sorted({post["user_id"] for post in around.json()["posts"].values()})
    asks: dict[str, Callable[[], Awaitable[Answer]]] = {
        "view": lambda: client.post(f"{API}/channels/members/me/view", json={"channel_id": room}),
        "numbers of the channel": lambda: client.get(f"{API}/channels/{room}/stats"),
        "statuses": lambda: client.post(f"{API}/users/status/ids", json=authors),
        "profiles": lambda: client.post(f"{API}/users/ids", json=authors),
    }
    for name, ask in asks.items():
        await _time(taken, name, ask)
    everything = [lambda: client.get(f"{API}/users/me/channels/{room}/posts/unread"), *asks.values()]
    begun = _now()
    async with trio.open_nursery() as nursery:
        for ask in everything:
            nursery.start_soon(_checked, ask)
    taken.setdefault("all five at once", []).append((_now() - begun) * 1000)


async def _start(client: Client, team: str) -> Answer:
    for path in (
        "/config/client",
        "/license/client",
        "/users/me",
        "/users/me/preferences",
        "/users/me/teams",
        "/users/me/teams/members",
        "/users/me/channels",
        "/users/me/channel_members?page=0&pageSize=200",
        f"/users/me/teams/{team}/channels/categories",
        "/users/me/teams/unread?include_collapsed_threads=true",
        f"/users/me/teams/{team}/threads?totalsOnly=true",
        f"/users/me/teams/{team}/drafts",
    ):
        answer = await _checked(partial(client.get, f"{API}{path}"))
    return answer


async def _time(taken: dict[str, list[float]], name: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    begun = _now()
    answer = await _checked(ask)
    taken.setdefault(name, []).append((_now() - begun) * 1000)
    return answer


async def _checked(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    answer = await ask()
    assert answer.status == 200, answer.text
    return answer


def _summary(values: list[float]) -> dict[str, float]:
    most = quantiles(values, n=100)[98] if len(values) > 1 else values[0]
    return {"median": round(median(values), 1), "p99": round(most, 1)}


if __name__ == "__main__":
    main()
