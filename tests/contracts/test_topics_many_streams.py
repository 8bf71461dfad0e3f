"""Streams of many topics on a real port, through both doors: sessions, edits, lost rights, and nothing lost."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio

from manor import NewUser, Transaction, add_user
from manor.testing import Client
from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened
from tests.contracts.topic_clients import LOTS, UNKNOWN, close_code, frame, handshake, publish, websocket
from tests.topic_people import asking_as, make_topic

ROOMS = ["attic", "cellar", "garden"]


@pytest.fixture
async def ada(door: Door) -> Client:
    """Somebody who owns three public topics, asking the house directly."""
    new = NewUser(username="ada", email="ada@example.org", tier="BUSINESS", is_verified=True)

    def add(transaction: Transaction) -> Any:
        return add_user(transaction, new).id

    client = asking_as(door.house, await door.house.storage.write(add))
    for name in ROOMS:
        await make_topic(client, name, access_level="public")
    return client


async def session(ada: Client, *topics: str) -> str:
    made = await ada.post("/api/sse/sessions", json={"topics": topics})
    assert made.status == 200, made.text
    return str(made.json()["session_id"])


async def test_a_session_carries_many_topics_and_resumes_by_itself(
    door: Door, http: httpx.AsyncClient, ada: Client
) -> None:
    secret = await session(ada, *ROOMS, "nosuch")
    async with opened(door.port, f"/sse?session={secret}") as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.headers["cache-control"] == "no-cache, no-transform"
        ready = await anext(events)
        first = await publish(http, "zażółć", "attic")
        second = await publish(http, "gęślą", "cellar")
        told = [await anext(events) for _ in range(2)]
    assert (ready.json()["topics"], ready.retry) == (ROOMS, 3000)
    assert [(event.event, event.id, event.json()) for event in told] == [
        ("message", each["id"], each) for each in (first, second)
    ]
    missed = await publish(http, "jaźń", "garden")

    async with opened(door.port, f"/sse?session={secret}", {"Last-Event-ID": first["id"]}) as events:
        assert [each["id"] for each in await events.messages(2)] == [second["id"], missed["id"]]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 422),
        ("?session=sse_unknown", {}, 401),
        ("?topics=nosuch", {}, 404),
        ("?topics=attic&since_id=attic", {}, 422),
        ("?topics=attic&events=x", {}, 422),
        ("?topics=attic&token=tk_x", {}, 401),
        ("?topics=attic", {"Last-Event-ID": "x"}, 422),
        ("?topics=attic", {"Authorization": "Bearer x"}, 401),
    ],
)
async def test_a_stream_of_many_is_refused_as_json(
    http: httpx.AsyncClient, ada: Client, query: str, headers: dict[str, str], status: int
) -> None:
    refused = await http.get(f"/sse{query}", headers=headers)

    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/json"
    assert isinstance(refused.json()["detail"], str)


async def test_sessions_are_made_with_json_that_fits(http: httpx.AsyncClient, ada: Client) -> None:
    assert (await http.post("/api/sse/sessions", json={"topics": ["attic"]})).status_code == 401
    for body, status in ((b"{", 400), (b"[]", 422), (b'{"topics": []}', 422), (b'{"topics": ["\\ud800"]}', 400)):
        answer = await ada.post("/api/sse/sessions", body=body, headers={"Content-Type": "application/json"})
        assert (answer.status, type(answer.json()["detail"])) == (status, str), body


async def test_edits_and_deletions_are_told_on_both_wires(door: Door, http: httpx.AsyncClient, ada: Client) -> None:
    async with (
        opened(door.port, "/attic/sse") as events,
        opened(door.port, "/sse?topics=attic,cellar&events=message") as plain,
        websocket(door, "/attic/ws") as socket,
    ):
        await anext(events)
        await anext(plain)
        await frame(socket)
        sent = await publish(http, "before", "attic")
        await ada.patch(f"/api/attic/messages/{sent['id']}", json={"message": "after"})
        await ada.delete(f"/api/attic/messages/{sent['id']}")
        await publish(http, "next", "attic")
        told = [await anext(events) for _ in range(4)]
        flat = [await frame(socket) for _ in range(4)]
        alone = [await anext(plain) for _ in range(2)]

    assert [event.event for event in told] == ["message", "message_updated", "message_deleted", "message"]
    assert [(event.json()["message"], event.json()["is_deleted"]) for event in told[1:3]] == [
        ("after", False),
        ("", True),
    ]
    assert flat == [{"type": event.event, **event.json()} for event in told]
    assert [event.json()["message"] for event in alone] == ["before", "next"]


async def test_lost_rights_close_with_their_code(door: Door, http: httpx.AsyncClient, ada: Client) -> None:
    ids = {name: (await ada.get(f"/api/topics/{name}")).json()["id"] for name in ROOMS}
    async with (
        websocket(door, "/attic/ws") as hidden,
        websocket(door, "/cellar/ws") as gone,
        opened(door.port, "/sse?topics=attic,garden") as many,
        opened(door.port, "/garden/sse") as kept,
    ):
        await frame(hidden)
        await frame(gone)
        await anext(many)
        await anext(kept)
        await ada.patch(f"/api/topics/{ids['attic']}", json={"access_level": "private"})
        await ada.delete(f"/api/topics/{ids['cellar']}")

        assert await close_code(hidden) == (4403, "access lost")
        assert await close_code(gone) == (4404, "topic deleted")
        assert [event async for event in many] == []
        await ada.patch(f"/api/topics/{ids['garden']}", json={"name": "yard"})
        await publish(http, "still here", "yard")
        assert [each["message"] for each in await kept.messages(1)] == ["still here"]
    assert (await handshake(http, "/attic/ws")).status_code == 401


async def test_a_slow_reader_of_many_topics_is_ended_and_resumes_without_loss(
    door: Door, http: httpx.AsyncClient, ada: Client
) -> None:
    path = f"/sse?topics={','.join(ROOMS)}"
    async with opened(door.port, path, receive_buffer=4096) as stuck:
        await anext(stuck)
        first = await publish(http, "first", "attic")
        published = [await publish(http, f"{number} " + "x" * 60_000, ROOMS[number % 3]) for number in range(LOTS)]
        seen: list[str] = [first["id"]]
        # Who reads too late to be told why finds the stream cut, maybe in the middle of a message.
        with suppress(EOFError, trio.BrokenResourceError):
            async for event in stuck:
                if event.event == "message" and event.id != first["id"]:
                    seen.append(event.id)  # noqa: PERF401 - what came before a cut counts
    expected = [first["id"], *(each["id"] for each in published)]
    assert seen == expected[: len(seen)]
    assert len(seen) < len(expected)

    async with opened(door.port, path, {"Last-Event-ID": seen[-1]}) as resumed:
        missed = await resumed.messages(len(expected) - len(seen))

    assert [each["id"] for each in missed] == expected[len(seen) :]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("way", ["one topic", "many topics", "a session", "a session without the last id"])
async def test_clients_that_reconnect_during_publishing_miss_nothing_and_hear_nothing_twice(
    door: Door, http: httpx.AsyncClient, ada: Client, way: str, seed: int
) -> None:
    chance = random.Random(seed)
    rooms = ROOMS[:1] if way == "one topic" else ROOMS
    path = {
        "one topic": f"/attic/sse?since_id={UNKNOWN}",
        "many topics": f"/sse?topics={','.join(ROOMS)}&since_id={','.join(f'{room}:{UNKNOWN}' for room in ROOMS)}",
    }.get(way) or f"/sse?session={await session(ada, *ROOMS)}"
    published: list[dict[str, Any]] = []
    is_over = trio.Event()

    async def go_on() -> None:
        for number in range(100):
            sent = await publish(http, str(number), chance.choice(rooms))
            published.append(sent)
            place = f"/api/{sent['topic']}/messages/{sent['id']}"
            if number % 10 == 3:
                assert (await ada.patch(place, json={"message": f"{number}, edited"})).status == 200
            if number % 25 == 24:
                victim = published[chance.randrange(len(published) - 20, len(published))]
                # One that was deleted before is not found again.
                assert (await ada.delete(f"/api/{victim['topic']}/messages/{victim['id']}")).status in (200, 404)
                gone.add(victim["id"])
        is_over.set()

    gone: set[str] = set()
    heard: dict[str, int] = {}
    said: dict[str, str] = {}
    last = ""
    repeats = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(go_on)
        while True:
            headers = {"Last-Event-ID": last} if last and way != "a session without the last id" else {}
            is_last = is_over.is_set()
            left = 10_000 if is_last else chance.randrange(1, 25)
            may_repeat = "Last-Event-ID" not in headers
            async with opened(door.port, path, headers) as events:
                with trio.move_on_after(5 if is_last else chance.random() / 3):
                    async for event in events:
                        may_repeat |= event.event == "gap"
                        if event.event == "message":
                            left -= 1
                            repeats += event.id in heard and not may_repeat
                            heard[event.id] = heard.get(event.id, 0) + 1
                            last = event.id
                        if event.event.startswith("message"):
                            said[event.json()["id"]] = event.json()["message"]
                        if not left or (is_last and {each["id"] for each in published} - gone <= heard.keys()):
                            break
            if is_last:
                break

    assert {each["id"] for each in published} - gone <= heard.keys()
    assert repeats == 0
    order = [id_ for id_ in heard if id_ not in gone]
    assert order == [each["id"] for each in published if each["id"] not in gone]
    # What was edited while the client was away, and had been heard before, is not told again.
    now = {each["id"]: each["message"] for room in rooms for each in await _history(http, room)}
    assert all(now[id_] in (said[id_], f"{said[id_]}, edited") for id_ in now)


async def _history(http: httpx.AsyncClient, topic: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    since = "all"
    while page := (await http.get(f"/{topic}/json?limit=100&since={since}")).json()["messages"]:
        found += page
        since = page[-1]["id"]
    return found
