"""Search over HTTP: bad and odd input."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from manor import new_id
from manor.house import House
from manor.testing import Client
from manor_topics import store
from manor_topics.creating import new_topic

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
PATHS = ("/api/messages/search", "/api/topics/welcome/messages")


_BAD = [
    "limit=0",
    "limit=101",
    "limit=x",
    "limit=1.5",
    "offset=-1",
    "offset=x",
    "priority_min=0",
    "priority_min=6",
    "priority_max=0",
    "priority_max=6",
    "priority_max=high",
    "date_from=yesterday",
    "date_to=2030-13-01",
    "date_from=",
    f"q={'x' * 1001}",
    f"q={'x' * 10_000}",
    f"tags={','.join(map(str, range(101)))}",
]


@pytest.mark.parametrize("path", PATHS)
async def test_bad_values_are_422(client: Client, path: str) -> None:
    answers = {query: await client.get(f"{path}?{query}") for query in _BAD}

    assert {query: answer.status for query, answer in answers.items()} == dict.fromkeys(_BAD, 422)
    assert all(isinstance(answer.json()["detail"], str) for answer in answers.values())


_ODD = [
    "q=%22",
    "q=*",
    "q=a*",
    "q=NEAR(a,b)",
    "q=a%20OR%20b",
    "q=AND",
    "q=((((",
    "q=a%00b",
    "q=%ED%A0%80",
    "q=%FF%FE",
    "q=%F0%9F%94%A5",
    f"q={'a%20' * 250}",
    f"q={'%20'.join(map(str, range(250)))}",
    f"q={'%E4%B8%80%E4%BA%8C%E4%B8%89' * 300}",
    f"q={'%D8%A7%20' * 400}",
    f"tags={','.join(map(str, range(100)))}",
    "tags=,,",
    "tags=%22%20OR%20x",
    "offset=4611686018427387904",
    "date_from=9999-12-31T23:59:59Z",
    "date_to=0001-01-01T00:00:00Z",
    "priority_min=5&priority_max=1",
    "topic=%22&q=x",
]


@pytest.mark.parametrize("path", PATHS)
async def test_odd_values_are_answered(client: Client, path: str) -> None:
    await client.post("/welcome", body="hello 🌍".encode())

    answers = {query: await client.get(f"{path}?{query}") for query in _ODD}

    assert {query: answer.status for query, answer in answers.items()} == dict.fromkeys(_ODD, 200)
    assert {answer.json()["total"] for answer in answers.values()} == {0, 1}


async def test_a_blank_query_narrows_nothing(client: Client) -> None:
    await client.post("/welcome", body=b"hello")

    for query in ("", "q=", "q=%20%20"):
        assert (await client.get(f"/api/messages/search?{query}")).json()["total"] == 1


async def test_an_unknown_topic_is_404_where_it_is_asked_for_and_empty_in_a_search(client: Client) -> None:
    assert (await client.get("/api/topics/nope/messages")).status == 404
    assert (await client.get("/api/messages/search?topic=nope")).json()["total"] == 0


async def test_a_private_topic_is_401_for_strangers(house: House, client: Client) -> None:
    mine = new_topic("mine", owner_id=new_id(), access_level="private", is_discoverable=False, now=NOON)
    await house.storage.write(lambda unit: store.add_topic(unit.connection, mine))

    assert (await client.get("/api/topics/mine/messages")).status == 401
    assert (await client.get("/api/messages/search?topic=mine")).json()["total"] == 0


@pytest.mark.parametrize("text", ["\ud83d", "a\0b", "\x1b[0m", "e\u0301" * 3000, "漢" * 20_000, "x" * 60_000])
async def test_odd_texts_are_indexed_or_refused_and_never_in_the_way(client: Client, text: str) -> None:
    body = json.dumps({"message": text}).encode()
    status = (await client.post("/welcome", body=body, headers={"Content-Type": "application/json"})).status
    await client.post("/welcome", body=b"hello")

    assert status in (200, 400, 422)
    assert (await client.get("/api/messages/search?q=hello")).json()["total"] == 1
    assert (await client.get("/api/messages/search")).json()["total"] == (2 if status == 200 else 1)
