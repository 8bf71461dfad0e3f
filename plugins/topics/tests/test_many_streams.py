"""Streams of many topics, and their sessions, in the house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing
from sqlalchemy import func, select

from manor import end_session, open_session
from manor.house import House
from manor.testing import Client, NotAStream, SetClock
from manor.testing.streams import SseStream
from manor_topics.streams.session_tables import sessions
from tests.topic_people import asking_as, make_topic, person, send

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
async def ada(house: House) -> Client:
    """Somebody with two private topics."""
    client = asking_as(house, await person(house, "ada"))
    for name in ("alarms", "doors"):
        await make_topic(client, name)
    return client


async def session(client: Client, *topics: str, since_id: Any = None) -> str:
    answer = await client.post("/api/sse/sessions", json={"topics": topics, "since_id": since_id})
    assert answer.status == 200, answer.text
    made: str = answer.json()["session_id"]
    return made


async def heard(stream: SseStream, count: int) -> list[str]:
    """The next messages; nothing else comes between them."""
    told = [await anext(stream) for _ in range(count)]
    assert [event.event for event in told] == ["message"] * count
    return [event.json()["message"] for event in told]


@asynccontextmanager
async def resumed(client: Client, session_id: str, last: str = "", more: str = "") -> AsyncIterator[SseStream]:
    """A session's stream, past its greeting."""
    headers = {"Last-Event-ID": last} if last else {}
    async with client.sse(f"/sse?session={session_id}{more}", headers=headers) as events:
        assert (await anext(events)).event == "ready"
        yield events


async def count_sessions(house: House) -> int:
    return await house.storage.read(
        lambda transaction: transaction.connection.execute(select(func.count()).select_from(sessions)).scalar_one()
    )


async def refused(client: Client, path: str, **headers: str) -> tuple[int, str]:
    with pytest.raises(NotAStream) as caught:
        async with client.sse(path, headers=headers):
            pass
    answer = caught.value.answer
    return answer.status, answer.json()["detail"]


# --- Many topics -----------------------------------------------------------------------------------------------------


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


# --- Sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_of_100_topics_leaves_the_forbidden_one_out(house: House, ada: Client) -> None:
    names = [f"room-{number}" for number in range(99)]
    for name in names:
        await make_topic(ada, name)
    other = asking_as(house, await person(house, "bob"))
    await make_topic(other, "forbidden")

    answer = await ada.post("/api/sse/sessions", json={"topics": [*names[:50], "forbidden", *names[50:]]})

    assert answer.status == 200
    made = answer.json()
    assert (made["topics"], made["expires_in"]) == (names, 300)
    assert [each["topic"] for each in made["rejected"]] == ["forbidden"]
    async with resumed(Client(house.dispatcher), made["session_id"]) as events:
        await send(other, "not yours", "forbidden")
        await send(ada, "x", "room-7")
        await send(ada, "y", "room-98")
        assert await heard(events, 2) == ["x", "y"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"topics": []}, 422),
        ({"topics": "alarms"}, 422),
        ({"topics": None}, 422),
        ({"topics": [1]}, 422),
        ({"topics": ["alarms"] * 101}, 422),
        ({"topics": ["alarms"], "since_id": {"alarms": "5"}}, 422),
        ({"topics": ["alarms"], "since_id": {"doors": UNKNOWN}}, 422),
        ({"topics": ["alarms"], "since_id": UNKNOWN}, 422),
        ({"topics": ["nosuch", ""]}, 404),
        ({"topics": ["nosuch", "bobs"]}, 403),
        ({"topics": ["a" * 5000]}, 404),
    ],
)
async def test_a_session_that_cannot_be_made_is_refused(
    house: House, ada: Client, body: dict[str, Any], status: int
) -> None:
    await make_topic(asking_as(house, await person(house, "bob")), "bobs")

    answer = await ada.post("/api/sse/sessions", json=body)

    assert answer.status == status
    assert isinstance(answer.json()["detail"], str)
    assert await count_sessions(house) == 0


async def test_strangers_and_topics_tokens_have_no_sessions(ada: Client, client: Client) -> None:
    made = await ada.post("/api/topics/alarms/access-tokens", json={"name": "tv", "permissions": ["read"]})
    body, token = {"topics": ["welcome"]}, {"X-Topic-Token": made.json()["token"]}

    assert (await client.post("/api/sse/sessions", json=body)).status == 401
    assert (await client.post("/api/sse/sessions", json=body, headers=token)).status == 403


async def test_a_sessions_secret_opens_nothing_else(house: House, ada: Client, client: Client) -> None:
    secret = await session(ada, "alarms")

    assert secret.startswith("sse_")
    assert len(secret) >= 47
    for path in ("/alarms/json", "/api/topics/my"):
        assert (await client.get(path, headers={"Authorization": f"Bearer {secret}"})).status == 401
    assert (await refused(client, f"/alarms/sse?token={secret}"))[0] == 401
    assert (await refused(client, f"/sse?topics=alarms&token={secret}"))[0] == 401


async def test_a_sessions_secret_is_not_stored(house: House, ada: Client) -> None:
    secret = await session(ada, "alarms")

    rows = await house.storage.read(lambda transaction: transaction.connection.execute(select(sessions)).all())
    assert secret not in str(rows)
    assert secret[4:] not in str(rows)


async def test_a_session_misses_nothing_between_being_made_and_opened(ada: Client, client: Client) -> None:
    await send(ada, "before", "alarms")
    secret = await session(ada, "alarms", "doors")
    await send(ada, "a", "alarms")
    await send(ada, "b", "doors")

    async with resumed(client, secret) as events:
        assert await heard(events, 2) == ["a", "b"]


async def test_a_session_begins_behind_the_last_messages_of_its_client(ada: Client, client: Client) -> None:
    ids = [(await send(ada, str(number), topic))["id"] for number, topic in enumerate(["alarms", "doors"] * 3)]
    secret = await session(ada, "alarms", "doors", since_id={"alarms": ids[2], "doors": ids[1]})

    async with resumed(client, secret) as events:
        assert await heard(events, 3) == ["3", "4", "5"]


async def test_a_session_says_a_gap_until_its_client_is_past_it(ada: Client, client: Client) -> None:
    await send(ada, "a", "alarms")
    secret = await session(ada, "alarms", "doors", since_id={"alarms": UNKNOWN})

    for _ in range(2):
        async with resumed(client, secret) as events:
            gap = await anext(events)
            assert (gap.event, gap.json()["topic"]) == ("gap", "alarms")
            told = await anext(events)
    async with resumed(client, secret, told.id) as events:
        await send(ada, "b", "alarms")
        assert await heard(events, 1) == ["b"]


async def test_a_session_without_a_last_id_repeats_what_may_not_have_arrived(
    autojump_clock: trio.testing.MockClock, house: House, ada: Client, client: Client
) -> None:
    secret = await session(ada, "alarms")
    async with resumed(client, secret) as events:
        await send(ada, "arrived long ago", "alarms")
        await heard(events, 1)
        for _ in range(4):
            assert (await anext(events)).event == "ping"
        await send(ada, "written to a dead connection", "alarms")
        await anext(events)

    await send(ada, "missed", "alarms")
    async with resumed(client, secret) as events:
        assert await heard(events, 2) == ["written to a dead connection", "missed"]


async def test_a_last_event_id_wins_over_what_a_session_remembers(ada: Client, client: Client) -> None:
    secret = await session(ada, "alarms")
    async with resumed(client, secret) as events:
        for text in ("a", "b"):
            await send(ada, text, "alarms")
        first, _ = [await anext(events) for _ in range(2)]

    async with resumed(client, secret, first.id) as events:
        assert await heard(events, 1) == ["b"]


async def test_a_session_waits_300_seconds_for_its_first_client_and_after_each(
    house: House, ada: Client, client: Client, clock: SetClock
) -> None:
    secret, unused = await session(ada, "alarms"), await session(ada, "alarms")
    clock.set(NOON + timedelta(seconds=299))
    async with resumed(client, secret):
        clock.set(NOON + timedelta(seconds=400))
    assert (await refused(client, f"/sse?session={unused}"))[0] == 401
    await house.storage.write(lambda transaction: None)  # whatever was written before is on disk by now

    clock.set(NOON + timedelta(seconds=699))
    async with resumed(client, secret):
        pass
    await house.storage.write(lambda transaction: None)
    clock.set(NOON + timedelta(seconds=999))

    status, detail = await refused(client, f"/sse?session={secret}")
    assert status == 401
    assert detail


async def test_sessions_that_are_over_are_removed_and_open_ones_stay(
    autojump_clock: trio.testing.MockClock, house: House, ada: Client, client: Client, clock: SetClock
) -> None:
    secret = await session(ada, "alarms")
    await session(ada, "alarms")
    async with resumed(client, secret) as events:
        for minutes in range(1, 8):
            clock.set(NOON + timedelta(minutes=minutes))
            for _ in range(2):
                assert (await anext(events)).event == "ping"
        assert await count_sessions(house) == 1
        await send(ada, "still here", "alarms")
        assert await heard(events, 1) == ["still here"]


async def test_a_session_checks_rights_at_each_connect(house: House, ada: Client, client: Client) -> None:
    bob = asking_as(house, await person(house, "bob"))
    for name in ("open", "wide"):
        await make_topic(ada, name, access_level="public")
    secret = await session(bob, "open", "wide")
    id_ = (await ada.get("/api/topics/open")).json()["id"]
    await ada.patch(f"/api/topics/{id_}", json={"access_level": "private"})

    async with client.sse(f"/sse?session={secret}") as events:
        said = (await anext(events)).json()
    assert said["topics"] == ["wide"]
    assert len(said["rejected"]) == 1

    wide = (await ada.get("/api/topics/wide")).json()["id"]
    await ada.delete(f"/api/topics/{wide}")
    assert (await refused(client, f"/sse?session={secret}"))[0] == 403
    await ada.delete(f"/api/topics/{id_}")
    assert (await refused(client, f"/sse?session={secret}"))[0] == 404


async def test_a_session_ends_with_the_sign_in_it_was_made_with(house: House, client: Client) -> None:
    user_id = await person(house, "ada")
    life = timedelta(days=7)
    signed_in = await house.storage.write(
        lambda transaction: open_session(
            transaction, user_id=user_id, kind="app", ip="", user_agent="", life=life, absolute=life
        )
    )
    ada = asking_as(house, user_id, session_id=signed_in.id)
    secret = await session(ada, "welcome")

    async with resumed(client, secret) as events:
        await house.storage.write(lambda transaction: end_session(transaction, signed_in.id))
        assert [event async for event in events] == []
        assert events.closing is not None
        assert events.closing.code == 4401
    assert (await refused(client, f"/sse?session={secret}"))[0] == 401


async def test_a_session_dies_with_its_person(house: House, client: Client) -> None:
    user_id = await person(house, "ada")
    secret = await session(asking_as(house, user_id), "welcome")

    async with resumed(client, secret) as events:
        erase = house.services.identity.personal.erase
        await house.storage.write(lambda transaction: erase(transaction, user_id, actor="shell"))
        assert [event async for event in events] == []
        assert events.closing is not None
        assert events.closing.code == 4401
    assert (await refused(client, f"/sse?session={secret}"))[0] == 401
