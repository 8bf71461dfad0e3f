"""What open streams are told besides messages, when they end, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
import trio
import trio.testing

from manor import Closing, Live, Transaction, add_member, create_team, delete_team, remove_member, set_team_active
from manor.house import House
from manor.identity import set_admin
from manor.routing import Head, Headers
from manor.testing import Client, NotAStream
from manor.testing.streams import Socket, SseStream, opened_sse
from tests.topic_people import asking_as, make_topic, person, send, session_of

ACCESS_LOST = Closing(4403, "access lost")
DELETED = Closing(4404, "topic deleted")


@pytest.fixture
async def ada_id(house: House) -> UUID:
    return await person(house, "ada")


@pytest.fixture
def ada(house: House, ada_id: UUID) -> Client:
    return asking_as(house, ada_id)


async def closing(stream: SseStream | Socket) -> Closing | None:
    """Why it ends; nothing more is told before that."""
    assert [event async for event in stream] == []
    return stream.closing


async def topic_id(client: Client, name: str = "alarms") -> str:
    return str((await client.get(f"/api/topics/{name}")).json()["id"])


# --- Edits and deletions ---------------------------------------------------------------------------------------------


async def test_edits_and_deletions_are_told(house: House, ada: Client) -> None:
    await make_topic(ada)
    async with ada.sse("/alarms/sse") as events, ada.websocket("/alarms/ws") as socket:
        await anext(events)
        await anext(socket)
        sent = await send(ada, "before")
        path = f"/api/alarms/messages/{sent['id']}"
        edited = (await ada.patch(path, json={"message": "after"})).json()
        deleted = (await ada.delete(path)).json()
        told = [await anext(events) for _ in range(3)]
        flat = [await socket.json() for _ in range(3)]

    assert [event.event for event in told] == ["message", "message_updated", "message_deleted"]
    assert [event.id for event in told] == [sent["id"], "", ""]
    updated = told[1].json()
    assert {name: updated[name] for name in sent} == sent | {"message": "after", "is_edited": True}
    assert updated["edited_at"] == edited["edited_at"]
    assert told[2].json() == {
        "id": sent["id"],
        "topic": "alarms",
        "message": "",
        "timestamp": deleted["deleted_at"],
        "is_deleted": True,
        "priority": 3,
        "tags": [],
    }
    assert flat == [{"type": event.event, **event.json()} for event in told]


@pytest.mark.parametrize("path", ["/alarms/sse?events=message", "/sse?topics=alarms,doors&events=message"])
async def test_who_wants_messages_alone_hears_of_no_edits(ada: Client, path: str) -> None:
    await make_topic(ada)
    await make_topic(ada, "doors")
    async with ada.sse(path) as events:
        await anext(events)
        sent = await send(ada, "before")
        await ada.patch(f"/api/alarms/messages/{sent['id']}", json={"message": "after"})
        await ada.delete(f"/api/alarms/messages/{sent['id']}")
        await send(ada, "next")

        assert [(await anext(events)).json()["message"] for _ in range(2)] == ["before", "next"]


async def test_what_was_edited_and_deleted_meanwhile_is_replayed_as_it_is_now(ada: Client) -> None:
    await make_topic(ada)
    sent = [await send(ada, text) for text in ("had", "edited", "deleted", "last")]
    await ada.patch(f"/api/alarms/messages/{sent[1]['id']}", json={"message": "better"})
    await ada.delete(f"/api/alarms/messages/{sent[2]['id']}")

    async with ada.sse("/alarms/sse", headers={"Last-Event-ID": sent[0]["id"]}) as events:
        await anext(events)
        told = [await anext(events) for _ in range(2)]

    assert [(event.event, event.json()["message"]) for event in told] == [("message", "better"), ("message", "last")]
    assert [event.json()["is_edited"] for event in told] == [True, False]


@pytest.mark.parametrize("query", ["events=all", "events=message_updated", "events="])
async def test_no_other_events_can_be_asked_for(client: Client, query: str) -> None:
    with pytest.raises(NotAStream) as refused:
        async with client.sse(f"/welcome/sse?{query}"):
            pass
    assert refused.value.answer.status == 422


# --- Lost rights -----------------------------------------------------------------------------------------------------


async def test_a_deleted_topic_ends_its_streams_and_no_others(house: House, ada: Client) -> None:
    for name in ("alarms", "doors"):
        await make_topic(ada, name)
    async with (
        ada.sse("/alarms/sse") as one,
        ada.websocket("/alarms/ws?events=message") as plain,
        ada.sse("/sse?topics=doors,alarms") as many,
        ada.sse("/doors/sse") as other,
    ):
        for stream in (one, plain, many, other):
            await anext(stream)
        await ada.delete(f"/api/topics/{await topic_id(ada)}")

        assert [await closing(one), await closing(plain), await closing(many)] == [DELETED] * 3
        await send(ada, "still here", "doors")
        assert (await anext(other)).json()["message"] == "still here"


async def test_a_topic_that_becomes_private_keeps_those_who_may_read_it(
    house: House, ada: Client, client: Client
) -> None:
    await make_topic(ada, access_level="public")
    id_ = await topic_id(ada)
    bob = asking_as(house, await person(house, "bob"))
    token = (await ada.post("/api/topics/alarms/access-tokens", json={"name": "tv", "permissions": ["read"]})).json()
    async with (
        ada.websocket("/alarms/ws") as owner,
        client.sse(f"/alarms/sse?token={token['token']}") as by_token,
        bob.sse("/alarms/sse") as user,
        client.websocket("/alarms/ws") as stranger,
        client.sse("/sse?topics=welcome,alarms") as many,
    ):
        for stream in (owner, by_token, user, stranger, many):
            await anext(stream)
        await ada.patch(f"/api/topics/{id_}", json={"access_level": "private"})

        assert [await closing(each) for each in (user, stranger, many)] == [ACCESS_LOST] * 3
        await send(ada, "among us")
        assert (await owner.json())["message"] == "among us"
        assert (await anext(by_token)).json()["message"] == "among us"


async def test_a_topic_that_changes_otherwise_keeps_all(ada: Client, client: Client) -> None:
    await make_topic(ada, access_level="public")
    id_ = await topic_id(ada)
    async with client.sse("/alarms/sse") as events:
        await anext(events)
        await ada.patch(f"/api/topics/{id_}", json={"name": "sirens", "description": "louder"})
        await send(ada, "x", "sirens")
        told = (await anext(events)).json()
        assert (told["topic"], told["message"]) == ("sirens", "x")
        assert (await ada.get("/api/topics/sirens")).json()["connection_count"] == 1


Change = Callable[[Transaction, UUID, UUID], object]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda work, team, member: remove_member(work, team, member), id="removed from the team"),
        pytest.param(lambda work, team, member: set_team_active(work, team, False), id="team deactivated"),
        pytest.param(lambda work, team, member: delete_team(work, team), id="team deleted"),
    ],
)
async def test_who_loses_a_team_loses_its_streams(house: House, ada_id: UUID, ada: Client, change: Change) -> None:
    bob_id = await person(house, "bob")
    bob = asking_as(house, bob_id)

    def make_team(transaction: Transaction) -> UUID:
        team = create_team(transaction, owner_id=ada_id, name="crew", display_name="Crew")
        add_member(transaction, team.id, bob_id)
        return team.id

    team_id = await house.storage.write(make_team)
    await make_topic(ada, team_id=str(team_id))
    async with bob.websocket("/alarms/ws") as socket, bob.sse("/welcome/sse") as other:
        await anext(socket)
        await anext(other)
        await house.storage.write(lambda transaction: change(transaction, team_id, bob_id))

        assert await closing(socket) == ACCESS_LOST
        await send(bob, "hello", "welcome")
        assert (await anext(other)).json()["message"] == "hello"


async def test_who_administers_no_more_hears_no_more_of_what_is_others(house: House, ada: Client) -> None:
    await make_topic(ada)
    root_id = await person(house, "root", is_admin=True)
    root = Client(house.dispatcher, principals=(session_of(root_id, is_admin=True),))
    async with root.sse("/alarms/sse") as events:
        await anext(events)
        await house.storage.write(lambda transaction: set_admin(transaction, root_id, False))
        assert await closing(events) == ACCESS_LOST


async def test_a_revoked_token_ends_its_stream(house: House, ada: Client, client: Client) -> None:
    await make_topic(ada)
    made = (await ada.post("/api/topics/alarms/access-tokens", json={"name": "tv", "permissions": ["read"]})).json()
    async with client.websocket(f"/alarms/ws?token={made['token']}") as socket:
        await anext(socket)
        assert (await ada.delete(f"/api/topics/alarms/access-tokens/{made['id']}")).status == 204
        ended = await closing(socket)
        assert ended is not None
        assert ended.code == 4401


async def test_a_stream_that_attaches_after_its_right_is_gone_ends_at_once(
    house: House, ada: Client, client: Client
) -> None:
    await make_topic(ada, access_level="public")
    await make_topic(ada, "doors", access_level="public")
    alarms, doors = await topic_id(ada), await topic_id(ada, "doors")
    # What a door has between a handler's answer and its attaching: time for a change.
    opened = [await _admitted(house, path) for path in ("/alarms/sse", "/doors/sse")]
    await ada.patch(f"/api/topics/{alarms}", json={"access_level": "private"})
    await ada.delete(f"/api/topics/{doors}")

    for live, reason in zip(opened, (ACCESS_LOST, DELETED), strict=True):
        async with opened_sse(live, {}, ()) as stream:
            async for event in stream:
                assert event.event == "ready"
            assert stream.closing == reason


async def test_a_stream_ends_after_a_day(autojump_clock: trio.testing.MockClock, client: Client) -> None:
    async with client.sse("/welcome/sse") as events:
        await anext(events)
        began = trio.current_time()
        pings = [event.event async for event in events]
        assert events.closing is not None
        assert events.closing.code == 1001
    assert set(pings) == {"ping"}
    assert trio.current_time() - began == pytest.approx(24 * 3600, abs=60)


# --- How many --------------------------------------------------------------------------------------------------------


@pytest.mark.manor(config={"tiers": {"FREE": {"streams": 3}, "TEAM": {"streams": 4}}})
@pytest.mark.parametrize(("tier", "most"), [("FREE", 3), ("TEAM", 4)])
async def test_a_person_has_as_many_streams_as_their_plan_says(house: House, tier: str, most: int) -> None:
    ada = asking_as(house, await person(house, "ada", tier=tier))
    bob = asking_as(house, await person(house, "bob", tier=tier))
    paths = ["/welcome/sse", "/sse?topics=welcome", "/welcome/sse?events=message", "/welcome/sse"]
    async with trio.open_nursery() as nursery:
        for path in paths[:most]:
            await nursery.start(partial(_listen, ada, path))
        for path in ("/welcome/sse", "/sse?topics=welcome"):
            with pytest.raises(NotAStream) as refused:
                async with ada.sse(path):
                    pass
            answer = refused.value.answer
            assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
            assert answer.json()["detail"] == f"Too many open streams: {most} at once are allowed"
        async with bob.sse("/welcome/sse") as events:
            await anext(events)
        nursery.cancel_scope.cancel()

    async with ada.sse("/welcome/sse") as events:
        assert (await anext(events)).event == "ready"


@pytest.mark.manor(config={"tiers": {"FREE": {"streams": 1}}})
async def test_each_token_counts_by_the_plan_of_who_pays_for_its_topic(house: House, client: Client) -> None:
    ada = asking_as(house, await person(house, "ada"))
    await make_topic(ada)
    tokens = [
        (await ada.post("/api/topics/alarms/access-tokens", json={"name": "tv", "permissions": ["read"]})).json()
        for _ in range(2)
    ]
    first, second = (f"/alarms/sse?token={token['token']}" for token in tokens)
    async with client.sse(first) as events, client.sse(second) as others, ada.sse("/alarms/sse") as own:
        for stream in (events, others, own):
            await anext(stream)
        with pytest.raises(NotAStream) as refused:
            async with client.sse(first):
                pass
        assert refused.value.answer.status == 429


@pytest.mark.manor(config={"tiers": {"FREE": {"streams": 0}}})
async def test_a_plan_may_have_no_end_of_streams(house: House) -> None:
    ada = asking_as(house, await person(house, "ada"))
    async with trio.open_nursery() as nursery:
        for _ in range(150):
            await nursery.start(partial(_listen, ada, "/welcome/sse"))
        nursery.cancel_scope.cancel()


async def _admitted(house: House, path: str) -> Live:
    """What a door has in its hand before it attaches."""
    call = house.dispatcher.begin(Head("GET", path.encode(), b"", Headers([(b"host", b"localhost")]), "127.0.0.1"))
    assert await call.admit() is None
    live = await call.answer(b"")
    assert isinstance(live, Live)
    return live


async def _listen(client: Client, path: str, *, task_status: trio.TaskStatus[None]) -> None:
    async with client.sse(path) as events:
        await anext(events)
        task_status.started()
        await trio.sleep_forever()
