"""Event streams on a real port, through both doors: ready, replay, live, and the end."""

from __future__ import annotations

from contextlib import suppress

import httpx
import pytest
import trio

from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened
from tests.contracts.topic_clients import LOTS, UNKNOWN, close_code, frame, handshake, publish, websocket


async def test_an_event_stream_is_ready_then_tells_what_comes(door: Door, http: httpx.AsyncClient) -> None:
    async with opened(door.port, "/welcome/sse") as events:
        assert events.status == 200
        assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.headers["cache-control"] == "no-cache, no-transform"
        assert events.headers["x-accel-buffering"] == "no"
        assert events.headers["transfer-encoding"] == "chunked"
        ready = await anext(events)
        published = await publish(http, "zażółć")
        told = await anext(events)

    assert (ready.event, ready.id, ready.retry) == ("ready", "", 3000)
    said = ready.json()
    assert set(said) == {"topic", "message", "connection_id", "timestamp"}
    assert (said["topic"], said["message"]) == ("welcome", "Connected to topic")
    assert (told.event, told.id, told.json()) == ("message", published["id"], published)


@pytest.mark.manor(config={"plugins": {"topics": {"ping_seconds": 1}}})
async def test_pings_have_an_empty_data_line(door: Door) -> None:
    async with opened(door.port, "/welcome/sse") as events:
        await anext(events)
        ping = await anext(events)

    assert (ping.event, ping.data, ping.id) == ("ping", "", "")


@pytest.mark.parametrize("place", ["since_id", "since", "Last-Event-ID", "since, and an empty since_id", "all of them"])
async def test_a_stream_resumes_after_the_last_id(door: Door, http: httpx.AsyncClient, place: str) -> None:
    published = [await publish(http, str(number)) for number in range(6)]
    last, older = published[3]["id"], published[0]["id"]
    path, headers = {
        "since_id": (f"/welcome/sse?since_id={last}", {}),
        "since": (f"/welcome/sse?since={last}", {}),
        "Last-Event-ID": ("/welcome/sse", {"Last-Event-ID": last}),
        "since, and an empty since_id": (f"/welcome/sse?since_id=&since={last}", {"Last-Event-ID": ""}),
        "all of them": (f"/welcome/sse?since=all&since_id={older}", {"Last-Event-ID": last}),
    }[place]

    async with opened(door.port, path, headers) as events:
        assert [message["message"] for message in await events.messages(2)] == ["4", "5"]
        await publish(http, "6")
        assert [message["message"] for message in await events.messages(1)] == ["6"]


@pytest.mark.manor(config={"plugins": {"topics": {"replay_max": 3}}})
async def test_an_unknown_last_id_is_a_gap_said_aloud(door: Door, http: httpx.AsyncClient) -> None:
    for number in range(5):
        await publish(http, str(number))

    async with opened(door.port, f"/welcome/sse?since_id={UNKNOWN}") as events:
        assert (await anext(events)).event == "ready"
        gap = await anext(events)
        messages = await events.messages(3)

    assert gap.event == "gap"
    assert isinstance(gap.json()["message"], str)
    assert isinstance(gap.json()["timestamp"], str)
    assert [message["message"] for message in messages] == ["2", "3", "4"]


async def test_a_replay_during_publishing_has_neither_gap_nor_duplicate(door: Door, http: httpx.AsyncClient) -> None:
    for number in range(120):
        await publish(http, str(number))

    async def go_on() -> None:
        for number in range(80):
            await publish(http, str(number))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go_on)
        for _ in range(3):
            async with opened(door.port, "/welcome/sse?since=all") as events:
                sequences = [message["sequence"] for message in await events.messages(200)]
            assert sequences == list(range(1, 201))


async def test_a_reader_that_stops_is_closed_and_resumes_without_loss(door: Door, http: httpx.AsyncClient) -> None:
    async with (
        opened(door.port, "/welcome/sse", receive_buffer=4096) as stuck,
        opened(door.port, "/welcome/sse") as good,
    ):
        await anext(stuck)
        await anext(good)
        for number in range(LOTS):
            await publish(http, f"{number} " + "x" * 60_000)
            (message,) = await good.messages(1)
            assert message["sequence"] == number + 1
        seen: list[int] = []
        # Who reads too late to be told why finds the stream cut, maybe in the middle of a message.
        with suppress(EOFError):
            async for event in stuck:
                if event.event == "message":
                    seen.append(event.json()["sequence"])  # noqa: PERF401 - what came before a cut counts
        last = len(seen)
    assert seen == list(range(1, last + 1))
    assert last < LOTS

    since = f"since_id={await _id_of(http, last)}" if last else "since=all"
    async with opened(door.port, f"/welcome/sse?{since}") as resumed:
        missed = await resumed.messages(LOTS - last)

    assert [message["sequence"] for message in missed] == list(range(last + 1, LOTS + 1))


async def _id_of(http: httpx.AsyncClient, sequence: int) -> str:
    since: str = "all"
    while True:
        for message in (await http.get(f"/welcome/json?limit=100&since={since}")).json()["messages"]:
            since = str(message["id"])
            if message["sequence"] == sequence:
                return since


async def test_a_stopping_house_ends_streams_cleanly(door: Door, http: httpx.AsyncClient) -> None:
    async with opened(door.port, "/welcome/sse") as events, websocket(door, "/welcome/ws") as socket:
        await anext(events)
        await frame(socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.house.live.shut_down)
            code, _ = await close_code(socket)
            rest = [event async for event in events]

    assert rest == []
    assert code == 1001


async def test_open_streams_of_one_address_are_counted(door: Door, http: httpx.AsyncClient) -> None:
    door.house.services.limits.address_limit_factor = 0.1
    async with opened(door.port, "/welcome/sse") as first, opened(door.port, "/welcome/sse") as second:
        await anext(first)
        await anext(second)
        async with opened(door.port, "/welcome/sse") as third:
            assert third.status == 429
            assert third.headers["retry-after"] == "30"
        fourth = await handshake(http, "/welcome/ws")
        assert (fourth.status_code, fourth.headers["retry-after"]) == (429, "30")
        assert fourth.json()["detail"] == "Too many open streams: one address may have 2 at once"
    # The server sees that they are gone when it sees it; their places are free from then on.
    with trio.fail_after(10):
        status = 429
        while status == 429:
            async with opened(door.port, "/welcome/sse") as again:
                status = again.status
    assert status == 200
