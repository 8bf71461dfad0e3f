"""Sessions of streams: what they remember, how long they wait, and what ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from sqlalchemy import func, select

from manor import NewCredential, Principal, Transaction, end_session, issue, new_secret, open_session, revoke
from manor.house import House
from manor.testing import Client, NotAStream, SetClock, open_test_house
from manor.testing.streams import SseStream
from manor_topics.streams import session_store
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
        assert [(await anext(events)).event for _ in range(2)] == ["message", "ping"]

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


async def test_a_session_ends_with_the_key_it_was_made_with(house: House, client: Client) -> None:
    user_id = await person(house, "ada")
    new = NewCredential(kind="api_key", user_id=user_id, scopes=("subscribe",))
    key = await house.storage.write(lambda transaction: issue(transaction, new, new_secret("noti_")))
    principal = Principal("api_key", user_id=user_id, credential_id=key.id, scopes=frozenset({"subscribe"}))
    secret = await session(Client(house.dispatcher, principals=(principal,)), "welcome")

    async with resumed(client, secret) as events:
        await house.storage.write(lambda transaction: revoke(transaction, key.id))
        assert [event async for event in events] == []
        assert events.closing is not None
        assert events.closing.code == 4401
    assert (await refused(client, f"/sse?session={secret}"))[0] == 401


async def test_a_key_without_the_scope_has_no_sessions_and_no_streams(house: House) -> None:
    principal = Principal("api_key", user_id=await person(house, "ada"), scopes=frozenset({"publish"}))
    by_key = Client(house.dispatcher, principals=(principal,))

    assert (await by_key.post("/api/sse/sessions", json={"topics": ["welcome"]})).status == 403
    assert (await refused(by_key, "/sse?topics=welcome"))[0] == 403


async def test_erasing_a_person_removes_their_sessions(house: House, ada: Client) -> None:
    bob = asking_as(house, bob_id := await person(house, "bob"))
    for client in (ada, bob, bob):
        await session(client, "welcome")

    def erase(transaction: Transaction) -> int:
        return session_store.remove(transaction.connection, sessions.c.user_id == bob_id, 500)

    assert await house.storage.write(erase) == 2
    assert await count_sessions(house) == 1


async def test_a_session_survives_a_restart(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path / "house", plugins=["topics"], clock=clock) as house:
        ada = asking_as(house, user_id := await person(house, "ada"))
        await make_topic(ada)
        secret = await session(ada, "alarms")
        async with resumed(Client(house.dispatcher), secret) as events:
            first, second = await send(ada, "first"), await send(ada, "second")
            assert await heard(events, 2) == ["first", "second"]
            await house.close_streams()
    async with open_test_house(tmp_path / "house", plugins=["topics"], clock=clock) as house:
        await send(asking_as(house, user_id), "third")
        async with resumed(Client(house.dispatcher), secret, first["id"]) as events:
            assert await heard(events, 2) == ["second", "third"]
        async with resumed(Client(house.dispatcher), secret, second["id"]) as events:
            assert await heard(events, 1) == ["third"]
