"""What closes a WebSocket: the end of a sign-in, and a client that does not read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trio
from trio.testing import MockClock

from manor import (
    Principal,
    Transaction,
    end_session,
    find_by_secret,
    open_session,
    revoke,
    set_active,
    touch_session,
)
from manor.testing import Client, House, SetClock
from manor_chat.telling import tell
from tests.chat_live import URL, Ear, hub_of, listening, settled_crew, token_of
from tests.chat_people import API, Chatter, Crew, chatting_as


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


async def told(house: House, event: str = "custom_tests_told", **aim: Any) -> None:
    data = aim.pop("data", {"n": 1})
    await house.storage.write(lambda transaction: tell(transaction, event, data, **aim))


# --- The end of a sign-in ------------------------------------------------------------------------------------------


async def signed_in(house: House, who: Chatter, *, life: timedelta = timedelta(days=1)) -> tuple[UUID, Client]:
    def work(transaction: Transaction) -> UUID:
        return open_session(
            transaction,
            user_id=who.id,
            kind="chat_session",
            ip="",
            user_agent="",
            life=life,
            absolute=timedelta(days=7),
        ).id

    session_id = await house.storage.write(work)
    principal = Principal("chat_session", user_id=who.id, session_id=session_id)
    return session_id, Client(house.dispatcher)(principals=[principal])


async def closing_of(ear: Ear) -> int:
    async for _ in ear.socket:
        pass
    assert ear.socket.closing is not None
    return ear.socket.closing.code


async def test_a_sign_in_that_ends_closes_its_sockets_and_no_others(house: House, crew: Crew) -> None:
    session_id, client = await signed_in(house, crew.ann)
    async with listening(client) as ending, listening(crew.ann.client) as staying:
        await house.storage.write(lambda transaction: end_session(transaction, session_id))
        assert await closing_of(ending) == 4401
        assert (await staying.ask("ping"))["status"] == "OK"
    async with client.websocket(URL) as again:
        assert [frame async for frame in again] == []


async def test_a_revoked_token_and_a_deactivated_account_close_their_sockets(
    house: House, crew: Crew, client: Client
) -> None:
    def revoke_it(transaction: Transaction) -> None:
        found = find_by_secret(transaction, token)
        assert found is not None
        revoke(transaction, found.id)

    token = await token_of(house, crew.ann.id)
    bearer = client(headers={"Authorization": f"Bearer {token}"})
    async with listening(bearer) as ann, listening(crew.bob.client) as bob:
        await house.storage.write(revoke_it)
        await house.storage.write(lambda transaction: set_active(transaction, crew.bob.id, is_active=False))
        assert await closing_of(ann) == 4401
        assert await closing_of(bob) == 4401
    async with chatting_as(house, crew.bob.id).websocket(URL) as closed:
        assert [frame async for frame in closed] == []


async def test_a_token_that_is_disabled_closes_its_socket(house: House, crew: Crew, client: Client) -> None:
    made = await crew.ada.client.post(f"{API}/users/me/tokens", json={"description": "a bot"})
    bearer = client(headers={"Authorization": f"Bearer {made.json()['token']}"})
    async with listening(bearer) as ear:
        asked = {"token_id": made.json()["id"]}
        assert (await crew.ada.client.post(f"{API}/users/tokens/disable", json=asked)).status == 200
        assert await closing_of(ear) == 4401


async def test_a_sign_in_that_runs_out_closes_its_socket_unless_it_was_used(
    house: House, crew: Crew, clock: SetClock, autojump_clock: MockClock
) -> None:
    now = clock.now()
    session_id, client = await signed_in(house, crew.ann, life=timedelta(hours=1))
    async with listening(client) as ann:
        clock.set(now + timedelta(minutes=30))
        await house.storage.write(lambda transaction: touch_session(transaction, session_id))
        clock.set(now + timedelta(minutes=80))
        await trio.sleep(60)
        assert (await ann.ask("ping"))["status"] == "OK"
        clock.set(now + timedelta(hours=4))
        await trio.sleep(60)
        assert await closing_of(ann) == 4401


# --- Those who do not read -----------------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_is_dropped_at_256_and_others_hear_on(
    house: House, crew: Crew, autojump_clock: MockClock
) -> None:
    async with listening(crew.ann.client) as slow, listening(crew.bob.client) as quick:
        await quick.event("status_change")
        await trio.sleep(2)
        for n in range(258):
            await told(house, data={"n": n}, channel_id=crew.off_topic.id)
            assert (await quick.event("custom_tests_told"))["data"]["n"] == n
        await trio.testing.wait_all_tasks_blocked()
        assert slow.socket.closing is not None
        assert slow.socket.closing.code == 1013
        assert slow.connection_id not in hub_of(house).roster.lines
        assert quick.connection_id in hub_of(house).roster.lines
