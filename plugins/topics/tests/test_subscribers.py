"""What people are given of their subscriptions, and that nothing of them is left when they go."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import trio
from sqlalchemy import func, select

from manor.testing import House
from manor_topics.subscriptions_tables import subscriptions
from tests.topic_people import asking_as, make_topic, person

PATH = "/api/subscriptions"


async def exported(house: House, user_id: UUID) -> Any:
    """The subscriptions of a person's export."""
    pieces = house.services.identity.personal.export_json(user_id, head={}, always=("subscriptions",))
    return json.loads(b"".join([piece async for piece in pieces]))["subscriptions"]


async def rows(house: House, user_id: UUID) -> int:
    """How many subscriptions of somebody are stored."""
    query = select(func.count()).select_from(subscriptions).where(subscriptions.c.user_id == user_id)
    return await house.storage.read(lambda transaction: transaction.connection.execute(query).scalar_one())


async def test_an_export_has_ones_own_subscriptions(house: House) -> None:
    ann_id, bob_id = await person(house, "ann"), await person(house, "bob")
    ann, bob = asking_as(house, ann_id), asking_as(house, bob_id)
    topic = await make_topic(ann, "news", access_level="public", description="ann's own words")
    made = (await bob.post(PATH, json={"topic_name": "news", "web_notifications_enabled": False})).json()
    await ann.patch(f"/api/topics/{topic['id']}", json={"access_level": "private"})

    (subscription,) = await exported(house, bob_id)

    assert subscription == {
        "id": made["id"],
        "topic_id": topic["id"],
        "topic_name": "news",
        "created_at": made["created_at"],
        "last_viewed_at": None,
        "last_notified_at": None,
        "settings": {
            "web_notifications_enabled": False,
            "mobile_notifications_enabled": True,
            "mobile_notification_settings": made["mobile_notification_settings"],
            "is_pinned": False,
        },
    }
    assert [each["topic_name"] for each in await exported(house, ann_id)] == ["news"]


async def test_erasing_somebody_ends_their_subscriptions(house: House) -> None:
    ann_id, bob_id = await person(house, "ann"), await person(house, "bob")
    ann, bob = asking_as(house, ann_id), asking_as(house, bob_id)
    for number in range(30):
        await make_topic(ann, f"topic-{number}", access_level="public")
        await bob.post(PATH, json={"topic_name": f"topic-{number}"})
    personal = house.services.identity.personal

    await house.storage.write(lambda transaction: personal.erase(transaction, bob_id, actor="shell"))
    while await personal.is_erasing(bob_id):  # noqa: ASYNC110 - nothing rings when it is over
        await trio.sleep(0.1)

    assert (await rows(house, bob_id), await rows(house, ann_id)) == (0, 30)
    counts = {topic["subscriber_count"] for topic in (await ann.get("/api/topics/my?limit=100")).json()}
    assert counts == {1}


async def test_erasing_a_topics_owner_ends_everybodys_subscriptions_to_it(house: House) -> None:
    ann_id, bob_id = await person(house, "ann"), await person(house, "bob")
    await make_topic(asking_as(house, ann_id), "news", access_level="public")
    bob = asking_as(house, bob_id)
    await bob.post(PATH, json={"topic_name": "news"})
    personal = house.services.identity.personal

    await house.storage.write(lambda transaction: personal.erase(transaction, ann_id, actor="shell"))
    while await personal.is_erasing(ann_id):  # noqa: ASYNC110 - nothing rings when it is over
        await trio.sleep(0.1)

    assert await rows(house, bob_id) == 0
    assert (await bob.get(PATH)).json() == {"subscriptions": [], "total": 0}
