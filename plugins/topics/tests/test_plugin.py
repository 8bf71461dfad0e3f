"""The plugin in its house: the first start, the command, retention, and topics that routes hide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from sqlalchemy import delete

from manor import SYSTEM_ID, Conflict, Event, Refused, Unprocessable
from manor.house import House
from manor.testing import Client, SetClock, open_test_house
from manor_topics import store
from manor_topics.commands import CreateTopics, TopicsCreated
from manor_topics.creating import new_topic
from manor_topics.events import TopicCreated
from manor_topics.tables import topics


async def names(house: House) -> list[str]:
    answer = await Client(house.dispatcher).get("/api/topics")
    return [topic["name"] for topic in answer.json()]


async def test_welcome_comes_with_the_first_start_only(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        assert await names(house) == ["welcome"]
        await house.storage.write(lambda transaction: transaction.connection.execute(delete(topics)))
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        assert await names(house) == []


async def test_messages_outlive_the_house(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        first = (await Client(house.dispatcher).post("/welcome", body=b"x")).json()
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        client = Client(house.dispatcher)
        second = (await client.post("/welcome", body=b"y")).json()
        async with client.sse(f"/welcome/sse?since_id={first['id']}") as events:
            await anext(events)
            assert (await anext(events)).json() == second
    assert (first["sequence"], second["sequence"]) == (1, 2)


async def test_the_command_makes_topics_of_the_server(house: House, client: Client, heard: list[Event]) -> None:
    wanted = CreateTopics(names=["one", "two", "one"], description="d", is_discoverable=True)

    created = await house.run_command("topics.create", wanted)

    assert isinstance(created, TopicsCreated)
    assert [(topic.name, topic.owner_id) for topic in created.topics] == [("one", SYSTEM_ID), ("two", SYSTEM_ID)]
    assert [event.topic for event in heard if isinstance(event, TopicCreated)] == ["one", "two"]
    assert (await client.post("/two", body=b"x")).status == 200
    assert (await client.get("/api/topics/one")).json()["is_discoverable"] is True


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        (CreateTopics(names=["fine", "Bad"]), Unprocessable),
        (CreateTopics(names=["fine", "livez"]), Unprocessable),
        (CreateTopics(names=["fine", "welcome"]), Conflict),
        (CreateTopics(names=["fine"], description="x" * 501), Unprocessable),
        (CreateTopics(names=["fine"], is_discoverable=True), Unprocessable),
    ],
)
async def test_the_command_makes_all_topics_or_none(house: House, wanted: CreateTopics, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        await house.run_command("topics.create", wanted)

    assert await names(house) == ["welcome"]


async def test_a_private_topic_is_never_discoverable(house: House) -> None:
    wanted = CreateTopics(names=["mine"], access_level="private", is_discoverable=True)

    (topic,) = (await house.run_command("topics.create", wanted)).topics

    assert (topic.access_level, topic.is_discoverable) == ("private", False)


@pytest.mark.manor(config={"tiers": {"FREE": {"retention_days": 7}}})
async def test_the_tier_says_how_long_messages_are_kept(client: Client) -> None:
    published = (await client.post("/welcome", body=b"x")).json()

    assert (published["timestamp"], published["expires_at"]) == ("2030-01-02T12:00:00Z", "2030-01-09T12:00:00Z")


@pytest.mark.manor(config={"tiers": {"FREE": {"retention_days": 0}}})
async def test_no_retention_keeps_messages_for_ever(client: Client) -> None:
    assert (await client.post("/welcome", body=b"x")).json()["expires_at"] is None


async def test_the_description_of_the_api_names_headers_and_refusals(client: Client) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    def headers(operation: dict[str, Any]) -> list[str]:
        return [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"]

    for method in ("post", "put"):
        publish = paths["/{topic}"][method]
        assert headers(publish) == ["X-Title", "X-Priority", "X-Tags", "Idempotency-Key"]
        assert {"200", "400", "404", "413", "415", "422", "429"} <= set(publish["responses"])
        assert publish["tags"] == ["notifer"]
    for path in ("/{topic}/sse", "/{topic}/ws"):
        assert headers(paths[path]["get"]) == ["Last-Event-ID"]
    assert list(paths["/{topic}/sse"]["get"]["responses"]["200"]["content"]) == ["text/event-stream"]


async def test_a_topic_that_a_route_hides_is_told_and_reached_by_id(tmp_path: Path, clock: SetClock) -> None:
    hidden = new_topic("livez", owner_id=SYSTEM_ID, access_level="public", now=clock.now())
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        await house.storage.write(lambda transaction: store.add_topic(transaction.connection, hidden))
    with structlog.testing.capture_logs() as logged:
        async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
            client = Client(house.dispatcher)
            assert (await client.post("/livez", body=b"x")).status == 405
            assert (await client.post(f"/{hidden.id}", body=b"x")).json()["topic"] == "livez"

    (warning,) = [line for line in logged if line["event"] == "a topic is hidden by a route"]
    assert warning["log_level"] == "warning"
    assert (warning["topic"], warning["hidden_by"], warning["id"]) == ("livez", "core", str(hidden.id))
