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
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import trio

from bench.chat_data import write_bundle
from bench.inside import run, seconds
from bench.language import Language
from manor import Principal, Transaction, find_team, list_members, to_chat_id
from manor.testing import Answer, Client, House
from manor_chat.commands import Import
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.search.index import catch_up
from manor_chat.store.channels import find_channel_by_name
from manor_chat.store.people import find_person_by_name

API = "/api/v4"


def main() -> None:
    """Measure."""
    counts = {
        "posts": (100_000, "how many there are"),
        "people": (1000, "how many wrote them"),
        "channels": (50, "how many they are in"),
        "switches": (100, "how often somebody opens a channel"),
    }
    run(__doc__, "chat", _measure, counts)


async def _measure(house: House, language: Language, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    bundle = folder / "bundle.jsonl"
    write_bundle(bundle, language, posts=options.posts, people=options.people, rooms=options.channels)
    begun = seconds()
    await house.commands["chat.import"].run(Import(path=str(bundle)))
    imported = seconds() - begun
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
    return {
        "posts": options.posts,
        "people": options.people,
        "channels": options.channels,
        "seconds_of_import": round(imported, 1),
        "milliseconds": {name: _summary(values) for name, values in taken.items()},
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
    begun = seconds()
    async with trio.open_nursery() as nursery:
        for ask in everything:
            nursery.start_soon(_checked, ask)
    taken.setdefault("all five at once", []).append((seconds() - begun) * 1000)


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
    begun = seconds()
    answer = await _checked(ask)
    taken.setdefault(name, []).append((seconds() - begun) * 1000)
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
