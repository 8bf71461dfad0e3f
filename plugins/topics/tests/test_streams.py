"""Streams in the house: greetings, gaps, pings, expiry, and places of an address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio
import trio.testing

from manor import GOING_AWAY
from manor.house import House
from manor.testing import Client, NotAStream, SetClock
from manor_topics.commands import CreateTopics

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def publish(client: Client, text: str) -> str:
    answer = await client.post("/welcome", body=text.encode())
    assert answer.status == 200, answer.text
    id_: str = answer.json()["id"]
    return id_


async def test_every_json_payload_has_a_message_and_a_timestamp(client: Client) -> None:
    async with client.sse(f"/welcome/sse?since_id={UNKNOWN}") as events:
        for event in ("ready", "gap"):
            told = await anext(events)
            payload = told.json()
            assert told.event == event
            assert isinstance(payload["message"], str)
            assert payload["timestamp"] == "2030-01-02T12:00:00Z"
        await publish(client, "x")
        assert (await anext(events)).json()["tags"] == []


async def test_pings_come_while_nothing_else_does(autojump_clock: trio.testing.MockClock, client: Client) -> None:
    began = trio.current_time()
    async with client.sse("/welcome/sse") as events, client.websocket("/welcome/ws") as socket:
        await anext(events)
        await anext(socket)
        for number in (1, 2):
            ping = await anext(events)
            assert (ping.event, ping.data) == ("ping", "")
            assert await socket.json() == {"type": "ping", "timestamp": "2030-01-02T12:00:00Z"}
            assert trio.current_time() - began == pytest.approx(25 * number, abs=1.5)


@pytest.mark.parametrize("since", ["all", "latest", "10m", "2030-01-02T11:59:00Z"])
async def test_since_means_the_same_for_streams_as_for_history(client: Client, since: str) -> None:
    for text in ("a", "b", "c"):
        await publish(client, text)
    told = [m["message"] for m in (await client.get(f"/welcome/json?since={since}")).json()["messages"]]
    assert told

    async with client.websocket(f"/welcome/ws?since={since}") as socket:
        await anext(socket)
        assert [(await socket.json())["message"] for _ in told] == told
        await publish(client, "d")
        assert (await socket.json())["message"] == "d"


async def test_a_stream_without_since_begins_now(client: Client) -> None:
    await publish(client, "before")
    async with client.sse("/welcome/sse") as events:
        await anext(events)
        await publish(client, "after")

        assert (await anext(events)).json()["message"] == "after"


async def test_an_expired_last_id_is_a_gap_and_what_expired_is_not_repeated(client: Client, clock: SetClock) -> None:
    old = await publish(client, "old")
    clock.set(NOON + timedelta(days=29))
    await publish(client, "young")
    clock.set(NOON + timedelta(days=31))

    async with client.sse("/welcome/sse", headers={"Last-Event-ID": old}) as events:
        kinds = [await anext(events) for _ in range(3)]

    assert [event.event for event in kinds] == ["ready", "gap", "message"]
    assert kinds[2].json()["message"] == "young"


async def test_a_last_id_of_another_topic_is_a_gap(house: House, client: Client) -> None:
    await house.run_command("topics.create", CreateTopics(names=["other"]))
    foreign = (await client.post("/other", body=b"x")).json()["id"]

    async with client.sse(f"/welcome/sse?since_id={foreign}") as events:
        await anext(events)
        assert (await anext(events)).event == "gap"


async def test_an_empty_last_event_id_is_none(client: Client) -> None:
    await publish(client, "before")
    async with client.sse("/welcome/sse", headers={"Last-Event-ID": ""}) as events:
        await anext(events)
        await publish(client, "after")

        assert (await anext(events)).json()["message"] == "after"


async def test_streams_hear_only_their_topic(house: House, client: Client) -> None:
    await house.run_command("topics.create", CreateTopics(names=["other"]))
    async with client.sse("/welcome/sse") as events:
        await anext(events)
        await client.post("/other", body=b"elsewhere")
        await publish(client, "here")

        assert (await anext(events)).json()["message"] == "here"


async def test_a_stopping_house_says_goodbye(house: House, client: Client) -> None:
    async with client.sse("/welcome/sse") as events, client.websocket("/welcome/ws") as socket:
        await anext(events)
        await anext(socket)
        await house.close_streams()

        assert (events.closing, socket.closing) == (GOING_AWAY, GOING_AWAY)


async def test_an_address_has_twenty_streams_and_gets_its_places_back(house: House, client: Client) -> None:
    async with trio.open_nursery() as nursery:

        async def listen(*, task_status: trio.TaskStatus[None]) -> None:
            async with client.sse("/welcome/sse") as events:
                await anext(events)
                task_status.started()
                await trio.sleep_forever()

        for _ in range(20):
            await nursery.start(listen)
        with pytest.raises(NotAStream) as refused:
            async with client.sse("/welcome/sse"):
                pass
        assert refused.value.answer.status == 429
        assert "streams" in refused.value.answer.json()["detail"]
        async with client(address="10.0.0.1").websocket("/welcome/ws") as other:
            await anext(other)
        nursery.cancel_scope.cancel()

    async with client.sse("/welcome/sse") as events:
        assert (await anext(events)).event == "ready"


@pytest.mark.parametrize("path", ["/welcome/sse?since=bad", "/nosuch/sse", "/welcome/sse?since_id=1"])
async def test_a_refused_stream_takes_no_place(house: House, client: Client, path: str) -> None:
    for _ in range(25):
        with pytest.raises(NotAStream):
            async with client.sse(path):
                pass

    async with client.sse("/welcome/sse") as events:
        assert (await anext(events)).event == "ready"
    assert house.live.outlets == 0
