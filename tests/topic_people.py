"""People who have topics, for tests: made without a password, and believed to be who they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from manor import NewUser, Principal, add_user
from manor.testing import Answer, Client, House


async def person(house: House, username: str, *, tier: str = "FREE", is_admin: bool = False) -> UUID:
    """Somebody with this plan."""
    new = NewUser(username=username, email=f"{username}@example.org", tier=tier, is_admin=is_admin, is_verified=True)
    return (await house.storage.write(lambda transaction: add_user(transaction, new))).id


def session_of(user_id: UUID, **more: Any) -> Principal:
    """What a person is who has signed in."""
    return Principal("access", user_id=user_id, **{"scopes": frozenset({"*"}), **more})


def asking_as(house: House, user_id: UUID, **more: Any) -> Client:
    """A client of somebody who has signed in."""
    return Client(house.dispatcher, principals=(session_of(user_id, **more),))


async def make_topic(client: Client, name: str = "alarms", **members: Any) -> dict[str, Any]:
    """A topic of whoever asks."""
    answer = await client.post("/api/topics", json={"name": name, **members})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def subscribed(client: Client, topic: str = "news", **members: Any) -> dict[str, Any]:
    """A subscription of whoever asks."""
    answer = await client.post("/api/subscriptions", json={"topic_name": topic, **members})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def subscriptions(client: Client) -> list[dict[str, Any]]:
    """All subscriptions of whoever asks."""
    answer = await client.get("/api/subscriptions")
    assert answer.status == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["subscriptions"]
    assert answer.json()["total"] == len(listed)
    return listed


async def send(client: Client, text: str, topic: str = "alarms") -> dict[str, Any]:
    """A message of whoever asks."""
    answer = await client.post(f"/{topic}", body=text.encode())
    assert answer.status == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def texts(client: Client, topic: str = "alarms") -> list[str]:
    """What a topic has, oldest first."""
    answer = await client.get(f"/{topic}/json?since=all&limit=100")
    assert answer.status == 200, answer.text
    return [message["message"] for message in answer.json()["messages"]]


def refusal(answer: Answer) -> tuple[int, str]:
    """A refusal's status and its one sentence."""
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    return answer.status, detail
