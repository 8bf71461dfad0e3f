"""The doorbell in a house of its own. `house`, `client`, `heard` and `clock` come with Manor."""

from datetime import timedelta
from typing import Any

import pytest
from manor import Event, Principal
from manor.testing import Client, SetClock
from trio.testing import MockClock, wait_all_tasks_blocked

from manor_doorbell.events import DoorRang

pytestmark = pytest.mark.manor(config={"plugins": {"doorbell": {"doors": ["front", "attic"], "keep_days": 7}}})

READER = Principal("api_key", scopes=frozenset({"doors:read"}))


async def rings_of(client: Client, door: str) -> Any:
    return (await client(principals=[READER]).get(f"/doors/{door}/rings")).json()


async def test_a_ring_is_answered_and_listed(client: Client) -> None:
    ring = await client.post("/doors/attic/ring")

    assert ring.status == 200
    assert ring.json()["door"] == "attic"
    assert await rings_of(client, "attic") == [ring.json()]
    assert await rings_of(client, "front") == []


async def test_a_ring_is_told_to_other_plugins(client: Client, heard: list[Event]) -> None:
    await client.post("/doors/attic/ring")

    assert [(event.name, event.door) for event in heard if isinstance(event, DoorRang)] == [
        ("doorbell.door_rang", "attic")
    ]


async def test_a_door_that_nobody_configured_has_no_bell(client: Client, heard: list[Event]) -> None:
    answer = await client.post("/doors/cellar/ring")

    assert (answer.status, answer.json()) == (404, {"detail": "There is no door 'cellar'"})
    assert heard == []


@pytest.mark.parametrize(
    ("principals", "status"),
    [([], 401), ([Principal("api_key")], 403), ([READER], 200)],
    ids=["nobody", "without the scope", "with the scope"],
)
async def test_listing_needs_the_scope(client: Client, principals: list[Principal], status: int) -> None:
    answer = await client(principals=principals).get("/doors/front/rings")

    assert answer.status == status


async def test_a_page_has_at_most_a_hundred_rings(client: Client) -> None:
    answer = await client(principals=[READER]).get("/doors/front/rings?limit=101")

    assert answer.status == 422


async def test_rings_are_counted_by_door(client: Client) -> None:
    await client.post("/doors/attic/ring")
    await wait_all_tasks_blocked()

    assert 'manor_doorbell_rings_total{door="attic"} 1.0' in (await client.get("/metrics")).text


async def test_old_rings_are_forgotten(client: Client, clock: SetClock, autojump_clock: MockClock) -> None:
    await client.post("/doors/front/ring")
    clock.set(clock.now() + timedelta(days=6))
    kept = (await client.post("/doors/front/ring")).json()
    clock.set(clock.now() + timedelta(days=2))

    autojump_clock.jump(3600)
    await wait_all_tasks_blocked()

    assert await rings_of(client, "front") == [kept]
