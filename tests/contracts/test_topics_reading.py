"""Topics and their history on a real port, through both doors."""

from __future__ import annotations

import httpx
import pytest

from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened
from tests.contracts.topic_clients import TOPIC_MEMBERS, UNKNOWN, frame, publish, websocket


@pytest.mark.parametrize("path", ["/api/topics", "/api/topics/public"])
async def test_a_first_start_brings_the_topic_welcome(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    (topic,) = answer.json()
    assert set(topic) == TOPIC_MEMBERS
    assert (topic["name"], topic["access_level"], topic["is_discoverable"]) == ("welcome", "public", True)
    assert topic["owner_id"] == "00000000-0000-7000-8000-000000000000"
    assert (topic["message_count"], topic["last_message_at"], topic["subscriber_count"]) == (0, None, 0)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)


async def test_a_topic_counts_its_messages_and_open_streams(door: Door, http: httpx.AsyncClient) -> None:
    published = await publish(http, "x")

    async with opened(door.port, "/welcome/sse") as events, websocket(door, "/welcome/ws") as socket:
        await anext(events)
        await frame(socket)
        shown = (await http.get("/api/topics/welcome")).json()

    assert set(shown) == TOPIC_MEMBERS | {"connection_count", "can_manage"}
    assert (shown["message_count"], shown["last_message_at"]) == (1, published["timestamp"])
    assert (shown["connection_count"], shown["can_manage"]) == (2, False)
    assert (await http.get("/api/topics/welcome/stats")).json().keys() == shown.keys()


# --- History -------------------------------------------------------------------------------------------------------


async def test_history_is_newest_first_and_oldest_first_with_since(http: httpx.AsyncClient) -> None:
    published = [await publish(http, str(number)) for number in range(5)]

    async def read(query: str) -> list[int]:
        answer = await http.get(f"/welcome/json?{query}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["count"] == len(page["messages"])
        return [int(message["message"]) for message in page["messages"]]

    assert await read("") == [4, 3, 2, 1, 0]
    assert await read("limit=2&poll=1") == [4, 3]
    assert await read("since=&limit=2") == [4, 3]
    assert await read("since=all&limit=2") == [0, 1]
    assert await read("since=latest&poll=0") == [4]
    assert await read(f"since={published[1]['id']}") == [2, 3, 4]
    assert await read(f"since={published[1]['timestamp']}") == [2, 3, 4]
    assert await read("since=1893412800") == [0, 1, 2, 3, 4]
    assert await read("since=10m") == [0, 1, 2, 3, 4]
    assert await read("since=2031-01-01") == []
    assert await read("since=2030-01-01t00:00:00z") == [0, 1, 2, 3, 4]
    assert await read("since=9999-12-31T23:59:59-12:00") == []
    assert await read("since=0001-01-01T00:00:00%2B12:00") == [0, 1, 2, 3, 4]
    assert await read(f"since={UNKNOWN}") == [0, 1, 2, 3, 4]


async def test_a_poller_by_time_pages_forward_without_skipping(http: httpx.AsyncClient) -> None:
    for number in range(25):
        await publish(http, str(number))

    seen: list[str] = []
    since = "all"
    while page := (await http.get(f"/welcome/json?limit=7&since={since}")).json()["messages"]:
        seen += [message["message"] for message in page]
        since = page[-1]["timestamp"]

    assert seen == [str(number) for number in range(25)]


async def test_head_answers_like_get_without_a_body(http: httpx.AsyncClient) -> None:
    full, head = await http.get("/welcome/json"), await http.head("/welcome/json")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == full.headers["content-type"]
