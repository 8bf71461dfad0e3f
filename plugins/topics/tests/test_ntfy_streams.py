"""What ntfy's clients hear: its shapes, its parameters, several topics at once, and when a stream ends."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio.testing

from manor.house import House
from manor.testing import Client, NotAStream
from manor.testing.streams import SseStream
from manor_topics.commands import CreateTopics
from tests.topic_people import asking_as, make_topic, person

OPEN = {"event": "open", "topic": "welcome", "time": 1_893_585_600}


async def send(client: Client, text: str, topic: str = "welcome", **headers: str) -> str:
    answer = await client.post(f"/{topic}", body=text.encode(), headers=headers)
    assert answer.status == 200, answer.text
    id_: str = answer.json()["id"]
    return id_


class Lines:
    """What a stream of lines says."""

    def __init__(self, stream: SseStream) -> None:
        self._frames = stream._frames
        self._lines: list[str] = []

    async def next(self) -> str:
        while not self._lines:
            self._lines = (await self._frames.next()).decode().removesuffix("\n").split("\n")
        return self._lines.pop(0)


async def kept(client: Client, query: str, topics: str = "welcome") -> list[dict[str, Any]]:
    answer = await client.get(f"/ntfy/{topics}/json?poll=1&{query}")
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    return [json.loads(line) for line in answer.text.splitlines()]


async def texts(client: Client, query: str, topics: str = "welcome") -> list[str]:
    return [message["message"] for message in await kept(client, query, topics)]


# --- Shapes --------------------------------------------------------------------------------------------------------


async def test_lines_begin_with_open_and_go_on_with_messages(client: Client) -> None:
    async with client.sse("/ntfy/welcome/json") as stream:
        told = Lines(stream)
        opened = json.loads(await told.next())
        id_ = await send(client, "Disk full", Title="Alarm", Priority="5", Tags="warning", Click="https://example.org")
        message = json.loads(await told.next())

    assert stream.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert opened.pop("id")
    assert opened == OPEN
    assert message == {
        "id": id_,
        "time": 1_893_585_600,
        "expires": 1_893_585_600 + 30 * 86_400,
        "event": "message",
        "topic": "welcome",
        "title": "Alarm",
        "message": "Disk full",
        "priority": 5,
        "tags": ["warning"],
        "click": "https://example.org",
    }


async def test_events_have_a_name_but_for_messages(client: Client) -> None:
    async with client.sse("/ntfy/welcome/sse") as stream:
        opened = await anext(stream)
        await send(client, "a\nb")
        message = await anext(stream)

    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (opened.event, opened.json()["event"]) == ("open", "open")
    assert (message.event, message.json()["message"]) == ("message", "a\nb")


async def test_raw_lines_are_texts_alone(client: Client) -> None:
    async with client.sse("/ntfy/welcome/raw") as stream:
        told = Lines(stream)
        assert await told.next() == ""
        await send(client, "two\nlines\r\nand a third")
        assert await told.next() == "two lines and a third"


async def test_a_websocket_has_one_object_a_message(client: Client) -> None:
    async with client.websocket("/ntfy/welcome/ws") as socket:
        assert (await socket.json())["event"] == "open"
        await send(client, "x")
        assert (await socket.json())["message"] == "x"


async def test_signs_of_life_have_ntfys_name(autojump_clock: trio.testing.MockClock, client: Client) -> None:
    async with client.websocket("/ntfy/welcome/ws") as socket, client.sse("/ntfy/welcome/json") as stream:
        told = Lines(stream)
        await told.next()
        await socket.json()
        for heard in (await socket.json(), json.loads(await told.next())):
            assert heard.pop("id")
            assert heard == {**OPEN, "event": "keepalive"}


async def test_edits_and_deletions_have_no_words_there(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "alarms")
    id_ = await send(ann, "first", "alarms")
    async with ann.sse("/ntfy/alarms/json") as stream:
        told = Lines(stream)
        await told.next()
        assert (await ann.request("PATCH", f"/api/alarms/messages/{id_}", json={"message": "edited"})).status == 200
        assert (await ann.request("DELETE", f"/api/alarms/messages/{id_}")).status == 200
        await send(ann, "second", "alarms")

        assert json.loads(await told.next())["message"] == "second"


# --- Since, polling, filters ---------------------------------------------------------------------------------------


async def test_polling_tells_what_is_kept_since_when_it_is_asked(client: Client) -> None:
    assert await texts(client, "") == []
    ids = [await send(client, text) for text in "abc"]

    assert await texts(client, "") == ["a", "b", "c"]
    assert await texts(client, "since=all") == ["a", "b", "c"]
    assert await texts(client, "since=10m") == ["a", "b", "c"]
    assert await texts(client, "since=1893585000") == ["a", "b", "c"]
    assert await texts(client, "since=1893589200") == []
    assert await texts(client, "since=latest") == ["c"]
    assert await texts(client, "since=none") == []
    assert await texts(client, f"since={ids[0]}") == ["b", "c"]
    assert await texts(client, f"since={ids[2]}") == []
    # One that nobody knows: all that may have come after it.
    assert await texts(client, "since=01890a5d-ac96-774b-bcce-b302099a8057") == ["a", "b", "c"]


async def test_more_than_a_page_is_told_in_order_and_once(client: Client) -> None:
    sent = [str(number) for number in range(250)]
    anonymous = [client(address=f"192.0.2.{number % 200}") for number in range(250)]
    for text, sender in zip(sent, anonymous, strict=True):
        await send(sender, text)

    assert await texts(client, "since=all") == sent


async def test_a_stream_tells_what_was_missed_first(client: Client) -> None:
    first = await send(client, "a")
    await send(client, "b")
    async with client.websocket(f"/ntfy/welcome/ws?since={first}") as socket:
        assert (await socket.json())["event"] == "open"
        assert (await socket.json())["message"] == "b"
        await send(client, "c")
        assert (await socket.json())["message"] == "c"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("message=plain", ["plain"]),
        ("m=nothing", []),
        ("title=T", ["titled"]),
        ("priority=high", ["high"]),
        ("priority=4", ["high"]),
        ("p=5,2", ["urgent", "low"]),
        ("priority=max,low", ["urgent", "low"]),
        ("tags=a", ["tagged", "both"]),
        ("tags=a,b", ["both"]),
        ("ta=c", []),
        ("tags=a&priority=default&message=both", ["both"]),
    ],
)
async def test_filters_are_on_ntfys_scale_and_hold_for_what_is_kept_and_what_comes(
    client: Client, query: str, told: list[str]
) -> None:
    async def send_all() -> None:
        await send(client, "plain")
        await send(client, "titled", Title="T")
        await send(client, "urgent", **{"X-Priority": "1"})
        await send(client, "high", **{"X-Priority": "2"})
        await send(client, "low", **{"X-Priority": "4"})
        await send(client, "tagged", Tags="a")
        await send(client, "both", Tags="b,a")

    await send_all()
    assert await texts(client, query) == told

    async with client.websocket(f"/ntfy/welcome/ws?since=all&{query}") as socket:
        assert (await socket.json())["event"] == "open"
        assert [(await socket.json())["message"] for _ in told] == told
        await send_all()
        assert [(await socket.json())["message"] for _ in told] == told


async def test_what_waits_is_told_to_those_who_manage_the_topic(house: House, client: Client) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "alarms", access_level="public")
    await send(ann, "now", "alarms")
    await send(ann, "later", "alarms", **{"X-Delay": "1h", "X-Priority": "1"})

    assert await texts(ann, "scheduled=1", "alarms") == ["now", "later"]
    assert await texts(ann, "sched=1&priority=max", "alarms") == ["later"]
    assert await texts(ann, "", "alarms") == ["now"]
    assert await texts(client, "scheduled=1", "alarms") == ["now"]


# --- Several topics ------------------------------------------------------------------------------------------------


async def test_several_topics_are_one_stream_in_order(house: House, client: Client) -> None:
    await house.run_command("topics.create", CreateTopics(names=["other", "third"]))
    await send(client, "1", "other")
    await send(client, "2", "welcome")
    await send(client, "no", "third")

    assert await texts(client, "since=all", "welcome,other") == ["1", "2"]
    async with client.websocket("/ntfy/other,welcome,other/ws?since=all") as socket:
        assert (await socket.json())["topic"] == "other,welcome"
        await send(client, "3", "other")
        await send(client, "no", "third")
        await send(client, "4", "welcome")
        told = [await socket.json() for _ in range(4)]

    assert [(message["message"], message["topic"]) for message in told] == [
        ("1", "other"),
        ("2", "welcome"),
        ("3", "other"),
        ("4", "welcome"),
    ]


async def test_a_topic_that_one_may_not_read_is_refused_with_all_others(house: House, client: Client) -> None:
    ann, bob = asking_as(house, await person(house, "ann")), asking_as(house, await person(house, "bob"))
    await make_topic(ann, "alarms")
    await send(ann, "secret", "alarms")

    for path in (
        "/ntfy/welcome,alarms/json",
        "/ntfy/alarms/sse",
        "/ntfy/alarms/raw",
        "/ntfy/alarms/json?poll=1&since=all",
    ):
        for asking, status, code in ((client, 401, 40101), (bob, 403, 40301)):
            answer = await asking.get(path)
            assert (answer.status, answer.json()["code"], answer.json()["http"]) == (status, code, status)
            assert "secret" not in answer.text
    assert (await bob.get("/ntfy/alarms/auth")).status == 403
    assert (await ann.get("/ntfy/alarms,welcome/auth")).json() == {"success": True}
    with pytest.raises(NotAStream) as refused:
        async with bob.websocket("/ntfy/alarms/ws"):
            pass
    assert refused.value.answer.status == 403


async def test_a_stream_ends_when_its_topic_is_not_its_readers_any_more(house: House, client: Client) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", access_level="public")
    async with client.websocket("/ntfy/alarms,welcome/ws") as socket:
        await socket.json()
        await ann.request("PATCH", f"/api/topics/{made['id']}", json={"access_level": "private"})
        with pytest.raises(StopAsyncIteration):
            await anext(socket)

    assert socket.closing is not None
    assert socket.closing.code == 4403


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ntfy/welcome/json?since=yesterday", 422, 40008),
        ("/ntfy/welcome/json?since=" + "9" * 5000, 422, 40008),
        ("/ntfy/welcome/json?priority=6", 422, 40007),
        ("/ntfy/welcome/json?priority=4,urgently", 422, 40007),
        ("/ntfy/welcome/ws?poll=1", 422, 40000),
        ("/ntfy/nowhere/json", 404, 40401),
        ("/ntfy/welcome,nowhere/json", 404, 40401),
        ("/ntfy/,/json", 404, 40401),
        ("/ntfy/,,,welcome,/auth", 200, None),
        ("/ntfy/" + ",".join(f"t{number}" for number in range(101)) + "/json", 422, 40009),
        ("/ntfy/Welcome/json", 404, 40401),
        ("/ntfy/..%2Fwelcome/json", 404, 40401),
        ("/ntfy/%00/json", 404, 40401),
    ],
)
async def test_what_means_nothing_is_refused_in_ntfys_words(
    client: Client, path: str, status: int, code: int | None
) -> None:
    if "/ws" in path:
        with pytest.raises(NotAStream) as refused:
            async with client.websocket(path):
                pass
        answer = refused.value.answer
    else:
        answer = await client.get(path)

    assert (answer.status, answer.json().get("code")) == (status, code)


async def test_an_address_has_so_many_streams_whatever_the_words(client: Client) -> None:
    async with AsyncExitStack() as stack:
        for number in range(20):
            path = "/welcome/sse" if number % 2 else "/ntfy/welcome/json"
            await stack.enter_async_context(client.sse(path))
        with pytest.raises(NotAStream) as refused:
            async with client.sse("/ntfy/welcome/json"):
                pass

    assert (refused.value.answer.status, refused.value.answer.json()["code"]) == (429, 42901)
