"""Streams of many topics in the house: what is heard, from where, and what is refused."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from manor.house import House
from manor.testing import Client, NotAStream
from manor.testing.streams import SseStream
from tests.topic_people import asking_as, make_topic, person, send

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def ada(house: House) -> Client:
    """Somebody with two private topics."""
    client = asking_as(house, await person(house, "ada"))
    for name in ("alarms", "doors"):
        await make_topic(client, name)
    return client


async def heard(stream: SseStream, count: int) -> list[str]:
    """The next messages; nothing else comes between them."""
    told = [await anext(stream) for _ in range(count)]
    assert [event.event for event in told] == ["message"] * count
    return [event.json()["message"] for event in told]


async def refused(client: Client, path: str, **headers: str) -> tuple[int, str]:
    with pytest.raises(NotAStream) as caught:
        async with client.sse(path, headers=headers):
            pass
    answer = caught.value.answer
    return answer.status, answer.json()["detail"]


async def test_many_topics_come_in_one_stream_and_say_which_they_are(ada: Client, client: Client) -> None:
    async with ada.sse("/sse?topics=alarms,doors") as events:
        ready = await anext(events)
        await send(ada, "a", "alarms")
        await send(ada, "b", "doors")
        told = [(await anext(events)).json() for _ in range(2)]

    assert (ready.event, ready.retry) == ("ready", 3000)
    said = ready.json()
    assert set(said) == {"topics", "topic", "message", "connection_id", "timestamp"}
    assert (said["topics"], said["topic"]) == (["alarms", "doors"], "alarms,doors")
    assert [(each["topic"], each["message"]) for each in told] == [("alarms", "a"), ("doors", "b")]


async def test_a_topic_that_may_not_be_read_is_named_and_the_others_are_heard(ada: Client, client: Client) -> None:
    async with client.sse("/sse?topics=welcome,alarms,nosuch,welcome") as events:
        said = (await anext(events)).json()
        assert said["topics"] == ["welcome"]
        assert [each["topic"] for each in said["rejected"]] == ["alarms", "nosuch"]
        await send(ada, "secret", "alarms")
        await send(client, "open", "welcome")

        assert await heard(events, 1) == ["open"]


async def test_a_topics_token_hears_its_own_topic_alone(house: House, ada: Client, client: Client) -> None:
    made = await ada.post("/api/topics/alarms/access-tokens", json={"name": "tv", "permissions": ["read"]})
    token = made.json()["token"]

    async with client.sse(f"/sse?topics=alarms,doors,welcome&token={token}") as events:
        said = (await anext(events)).json()

    assert said["topics"] == ["alarms"]
    assert [each["topic"] for each in said["rejected"]] == ["doors", "welcome"]
    assert (await refused(client, f"/sse?topics=doors&token={token}"))[0] == 403


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("?session=", 401),
        ("?topics=", 422),
        ("?topics=%20,,", 422),
        ("?topics=welcome&session=sse_x", 401),
        ("?topics=" + ",".join(f"t{number}" for number in range(101)), 422),
        ("?session=sse_unknown", 401),
        ("?session=x", 401),
        ("?session=%00%ff", 401),
        ("?topics=nosuch", 404),
        ("?topics=NO SUCH,a/b", 404),
        ("?topics=alarms", 401),
        ("?topics=nosuch,alarms", 401),
        ("?topics=welcome&since_id=welcome", 422),
        ("?topics=welcome&since_id=welcome:1", 422),
        (f"?topics=welcome&since_id=other:{UNKNOWN}", 422),
        (f"?topics=welcome&since_id={UNKNOWN}", 422),
        (f"?topics=welcome&since_id=welcome:{UNKNOWN},", 422),
        ("?topics=welcome&events=all", 422),
        ("?topics=welcome&token=tk_unknown", 401),
        ("?topics=welcome&token=", 401),
    ],
)
async def test_what_cannot_be_heard_is_refused_before_the_stream_opens(
    house: House, ada: Client, client: Client, query: str, status: int
) -> None:
    answered, detail = await refused(client, "/sse" + query.replace(" ", "%20"))

    assert (answered, bool(detail)) == (status, True)
    assert house.live.outlets == 0


async def test_a_last_event_id_has_to_be_an_id(client: Client) -> None:
    assert (await refused(client, "/sse?topics=welcome", **{"Last-Event-ID": "5"}))[0] == 422


async def test_each_topic_begins_behind_its_own_message(ada: Client) -> None:
    ids = [(await send(ada, str(number), topic))["id"] for number, topic in enumerate(["alarms", "doors"] * 3)]
    since = f"alarms:{ids[0]},doors:{ids[3]}"

    async with ada.sse(f"/sse?topics=alarms,doors&since_id={since}") as events:
        await anext(events)
        assert await heard(events, 3) == ["2", "4", "5"]


async def test_topics_without_a_last_message_begin_now(ada: Client) -> None:
    first = (await send(ada, "0", "alarms"))["id"]
    await send(ada, "old", "doors")
    await send(ada, "1", "alarms")

    async with ada.sse(f"/sse?topics=alarms,doors&since_id=alarms:{first}") as events:
        await anext(events)
        await send(ada, "new", "doors")
        assert await heard(events, 2) == ["1", "new"]


async def test_one_last_event_id_resumes_all_topics(ada: Client) -> None:
    ids = [(await send(ada, str(number), topic))["id"] for number, topic in enumerate(["alarms", "doors"] * 3)]

    async with ada.sse("/sse?topics=doors,alarms", headers={"Last-Event-ID": ids[1]}) as events:
        await anext(events)
        assert await heard(events, 4) == ["2", "3", "4", "5"]


async def test_a_last_event_id_repeats_nothing_that_since_id_says_was_had(ada: Client) -> None:
    ids = [(await send(ada, str(number), topic))["id"] for number, topic in enumerate(["alarms", "doors"] * 3)]
    path = f"/sse?topics=alarms,doors&since_id=alarms:{ids[0]},doors:{ids[5]}"

    async with ada.sse(path, headers={"Last-Event-ID": ids[2]}) as events:
        await anext(events)
        assert await heard(events, 1) == ["4"]


async def test_an_unknown_last_message_is_a_gap_of_its_topic(ada: Client) -> None:
    await send(ada, "a", "alarms")
    await send(ada, "b", "doors")

    async with ada.sse(f"/sse?topics=alarms,doors&since_id=doors:{UNKNOWN}") as events:
        await anext(events)
        gap = await anext(events)
        assert await heard(events, 1) == ["b"]

    assert (gap.event, gap.json()["topic"]) == ("gap", "doors")


@pytest.mark.manor(config={"plugins": {"topics": {"replay_max": 3}}})
async def test_an_unknown_last_event_id_is_a_gap_of_all(ada: Client) -> None:
    for number, topic in enumerate(["alarms", "doors"] * 3):
        await send(ada, str(number), topic)

    async with ada.sse("/sse?topics=alarms,doors", headers={"Last-Event-ID": UNKNOWN}) as events:
        await anext(events)
        gap = await anext(events)
        assert await heard(events, 3) == ["3", "4", "5"]

    assert (gap.event, gap.json()["topic"]) == ("gap", "alarms,doors")
    assert isinstance(gap.json()["timestamp"], str)


async def test_a_message_of_a_topic_that_is_not_heard_is_unknown(ada: Client, client: Client) -> None:
    foreign = (await send(ada, "x", "alarms"))["id"]

    async with client.sse("/sse?topics=welcome", headers={"Last-Event-ID": foreign}) as events:
        assert [(await anext(events)).event for _ in range(2)] == ["ready", "gap"]


async def test_a_stream_of_many_topics_is_pinged_as_one(autojump_clock: trio.testing.MockClock, ada: Client) -> None:
    async with ada.sse("/sse?topics=alarms,doors") as events:
        await anext(events)
        began = trio.current_time()
        told = [await anext(events) for _ in range(2)]

    assert [(event.event, event.data) for event in told] == [("ping", "")] * 2
    assert trio.current_time() - began == pytest.approx(50, abs=2)


async def test_a_stream_of_many_counts_on_each_of_its_topics(ada: Client) -> None:
    async with ada.sse("/sse?topics=alarms,doors") as events, ada.sse("/doors/sse?events=message") as plain:
        await anext(events)
        await anext(plain)
        counts = [(await ada.get(f"/api/topics/{name}")).json()["connection_count"] for name in ("alarms", "doors")]

    assert counts == [1, 2]
