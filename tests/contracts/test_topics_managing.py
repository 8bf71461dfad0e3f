"""Topics, their messages and their access tokens on a real port, through both doors: as their owner changes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import trio

from manor import NewCredential, NewUser, Transaction, add_user, issue, new_secret
from tests.contracts.conftest import Door
from tests.contracts.event_streams import opened
from tests.contracts.topic_clients import TOPIC_MEMBERS, UNKNOWN, close_code, frame, websocket

TOKEN_MEMBERS = {"id", "name", "topic", "permissions", "token_prefix", "created_at", "expires_at", "last_used_at"}


async def with_key(door: Door, username: str, *scopes: str) -> str:
    """A key of somebody who is new here."""
    secret = new_secret("noti_")

    def work(transaction: Transaction) -> None:
        new = NewUser(username=username, email=f"{username}@example.org", tier="FREE", is_verified=True)
        user = add_user(transaction, new)
        issue(transaction, NewCredential(kind="api_key", user_id=user.id, scopes=scopes or ("*",)), secret)

    await door.house.storage.write(work)
    return secret


@pytest.fixture
async def ann(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as Notifer's command line does: with a key in a header of its own."""
    headers = {"X-API-Key": await with_key(door, "ann")}
    async with httpx.AsyncClient(base_url=door.url, headers=headers, timeout=20, verify=False) as client:
        yield client


async def made(client: httpx.AsyncClient, name: str = "alarms", **members: Any) -> dict[str, Any]:
    answer = await client.post("/api/topics", json={"name": name, **members})
    assert answer.status_code == 201, answer.text
    topic: dict[str, Any] = answer.json()
    return topic


async def sent(client: httpx.AsyncClient, text: str, topic: str = "alarms") -> dict[str, Any]:
    answer = await client.post(f"/{topic}", content=text)
    assert answer.status_code == 200, answer.text
    message: dict[str, Any] = answer.json()
    return message


async def test_a_topic_is_made_changed_and_deleted(ann: httpx.AsyncClient) -> None:
    topic = await made(ann, "alarms", description="Alarms")
    assert set(topic) == {*TOPIC_MEMBERS, "subscription_warning"}
    assert (topic["message_count"], topic["last_message_at"], topic["access_level"]) == (0, None, "private")

    changed = await ann.patch(f"/api/topics/{topic['id']}", json={"name": "sirens", "icon_name": "fire"})
    assert (changed.status_code, set(changed.json())) == (200, {*TOPIC_MEMBERS, "connection_count", "can_manage"})
    assert (changed.json()["name"], changed.json()["description"]) == ("sirens", "Alarms")
    assert changed.json() == (await ann.get("/api/topics/sirens")).json()

    gone = await ann.delete(f"/api/topics/{topic['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await ann.get("/api/topics/sirens")).status_code == 404


async def test_what_the_command_line_sends_for_a_new_topic(ann: httpx.AsyncClient) -> None:
    private = {"name": "mine", "access_level": "private", "is_discoverable": True}
    public = {"name": "ours", "access_level": "public", "is_discoverable": True}

    assert (await ann.post("/api/topics", json=private)).json()["is_discoverable"] is False
    refused = await ann.post("/api/topics", json=public)
    assert refused.status_code == 422
    assert "description" in refused.json()["detail"]
    assert (await ann.post("/api/topics", json={**public, "description": "Ours"})).status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/topics"),
        ("PATCH", "/api/topics/{id}"),
        ("PATCH", "/api/alarms/messages/{message}"),
        ("POST", "/api/topics/alarms/access-tokens"),
    ],
)
@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"\xff\xfe", 400), (b"[]", 422), (b'"x"', 422), (b"", 422)]
)
async def test_bodies_that_are_none_are_refused(
    ann: httpx.AsyncClient, method: str, path: str, content: bytes, status: int
) -> None:
    topic = await made(ann)
    path = path.replace("{id}", topic["id"]).replace("{message}", (await sent(ann, "x"))["id"])

    answer = await ann.request(method, path, content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", f"/api/topics/{UNKNOWN}"),
        ("DELETE", f"/api/topics/{UNKNOWN}"),
        ("DELETE", "/api/topics/alarms"),
        ("PATCH", f"/api/alarms/messages/{UNKNOWN}"),
        ("DELETE", f"/api/alarms/messages/{UNKNOWN}"),
        ("DELETE", "/api/alarms/messages/%00"),
        ("DELETE", f"/api/nothing/messages/{UNKNOWN}"),
        ("GET", "/api/topics/nothing/access-tokens"),
        ("POST", "/api/topics/nothing/access-tokens"),
        ("DELETE", f"/api/topics/alarms/access-tokens/{UNKNOWN}"),
        ("DELETE", "/api/topics/alarms/access-tokens/x"),
    ],
)
async def test_what_is_not_there_is_not_found(ann: httpx.AsyncClient, method: str, path: str) -> None:
    await made(ann)
    body = {"name": "sirens", "message": "x", "permissions": ["read"]}

    answer = await ann.request(method, path, json=body)

    assert (answer.status_code, isinstance(answer.json()["detail"], str)) == (404, True)


async def test_a_message_is_edited_and_deleted(ann: httpx.AsyncClient) -> None:
    await made(ann)
    message = await sent(ann, "zażółć")
    path = f"/api/alarms/messages/{message['id']}"

    edited = await ann.patch(path, json={"message": "gęślą", "title": "jaźń"})
    assert (edited.status_code, set(edited.json())) == (200, {"id", "message", "title", "edited_at"})
    (read,) = (await ann.get("/alarms/json")).json()["messages"]
    assert (read["message"], read["title"], read["is_edited"]) == ("gęślą", "jaźń", True)

    deleted = await ann.delete(path)
    assert (deleted.status_code, set(deleted.json())) == (200, {"id", "deleted_at", "message"})
    assert deleted.json()["message"] == "Message deleted successfully"
    assert (await ann.get("/alarms/json")).json()["count"] == 0
    assert (await ann.patch(path, json={"message": "x"})).status_code == 404
    assert (await ann.delete(path)).status_code == 404


async def test_a_deleted_message_is_not_replayed(door: Door, ann: httpx.AsyncClient) -> None:
    await made(ann, "news", access_level="public")
    one, two = await sent(ann, "one", "news"), await sent(ann, "two", "news")
    await sent(ann, "three", "news")
    assert (await ann.delete(f"/api/news/messages/{two['id']}")).status_code == 200

    async with opened(door.port, f"/news/sse?since_id={one['id']}") as events:
        assert [message["message"] for message in await events.messages(1)] == ["three"]


async def test_a_renamed_topic_keeps_its_listeners(door: Door, ann: httpx.AsyncClient) -> None:
    topic = await made(ann, "news", access_level="public")
    async with websocket(door, "/news/ws") as socket:
        assert (await frame(socket))["type"] == "ready"
        assert (await ann.patch(f"/api/topics/{topic['id']}", json={"name": "olds"})).status_code == 200
        await sent(ann, "x", "olds")

        heard = await frame(socket)

    assert (heard["topic"], heard["message"]) == ("olds", "x")
    assert (await ann.post("/news", content=b"x")).status_code == 404


async def test_a_token_opens_its_topic_until_it_is_deleted(door: Door, http: httpx.AsyncClient, ann: Any) -> None:
    await made(ann)
    answer = await ann.post(
        "/api/topics/alarms/access-tokens", json={"name": "Jenkins", "permissions": ["publish", "subscribe"]}
    )
    token = answer.json()
    assert (answer.status_code, set(token)) == (201, {*TOKEN_MEMBERS, "token"})
    assert token["permissions"] == ["read", "write"]
    # Jenkins sends it so, ntfy's clients and the command line's streams so.
    assert (await http.post("/alarms", content=b"x", headers={"X-Topic-Token": token["token"]})).status_code == 200
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert (await http.post("/alarms", content=b"y", headers=bearer)).status_code == 200
    assert (await http.get(f"/alarms/json?token={token['token']}")).json()["count"] == 2
    (listed,) = (await ann.get("/api/topics/alarms/access-tokens")).json()
    assert set(listed) == TOKEN_MEMBERS

    async with websocket(door, f"/alarms/ws?token={token['token']}") as socket:
        assert (await frame(socket))["type"] == "ready"
        gone = await ann.delete(f"/api/topics/alarms/access-tokens/{token['id']}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await close_code(socket))[0] == 4401
    assert (await http.post("/alarms", content=b"x", headers=bearer)).status_code == 401


async def test_another_persons_topic_stays_as_it_is(door: Door, ann: httpx.AsyncClient) -> None:
    topic = await made(ann, "news", access_level="public")
    message = await sent(ann, "x", "news")
    path = f"/api/topics/{topic['id']}"
    token = (await ann.post(f"{path}/access-tokens", json={"name": "CI", "permissions": ["read"]})).json()
    eve = {"X-API-Key": await with_key(door, "eve")}

    async with httpx.AsyncClient(base_url=door.url, headers=eve, timeout=20, verify=False) as client:
        for method, asked in (
            ("PATCH", path),
            ("DELETE", path),
            ("PATCH", f"/api/news/messages/{message['id']}"),
            ("DELETE", f"/api/news/messages/{message['id']}"),
            ("GET", f"{path}/access-tokens"),
            ("POST", f"{path}/access-tokens"),
            ("DELETE", f"{path}/access-tokens/{token['id']}"),
        ):
            body = {"name": "mine", "message": "mine", "permissions": ["read"]}
            assert (await client.request(method, asked, json=body)).status_code == 403, (method, asked)

    assert (await ann.get("/news/json")).json()["messages"] == [message]
    assert len((await ann.get(f"{path}/access-tokens")).json()) == 1


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("topics:write", "POST", "/api/topics"),
        ("topics:write", "PATCH", "/api/topics/{id}"),
        ("topics:write", "GET", "/api/topics/{id}/access-tokens"),
        ("messages:write", "PATCH", "/api/{id}/messages/{message}"),
    ],
)
async def test_a_key_needs_the_scope(door: Door, ann: httpx.AsyncClient, scope: str, method: str, path: str) -> None:
    topic = await made(ann)
    owner = UUID(topic["owner_id"])
    path = path.replace("{id}", topic["id"]).replace("{message}", (await sent(ann, "x"))["id"])
    body = {"name": "another", "message": "y"}

    async def ask(scopes: tuple[str, ...]) -> int:
        secret = new_secret("noti_")
        new = NewCredential(kind="api_key", user_id=owner, scopes=scopes)
        await door.house.storage.write(lambda transaction: issue(transaction, new, secret))
        return (await ann.request(method, path, json=body, headers={"X-API-Key": secret})).status_code

    others = tuple({"publish", "subscribe", "topics:read", "topics:write", "messages:write"} - {scope})
    assert await ask(others) == 403
    assert await ask((scope,)) in (200, 201)


async def test_of_twenty_who_want_a_name_at_once_one_gets_it(ann: httpx.AsyncClient) -> None:
    statuses: list[int] = []

    async def make() -> None:
        statuses.append((await ann.post("/api/topics", json={"name": "alarms"})).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(make)

    assert sorted(statuses) == [201] + [409] * 19


async def test_whoever_publishes_while_a_topic_is_deleted_is_told(ann: httpx.AsyncClient) -> None:
    topic = await made(ann)
    statuses: set[int] = set()

    async def publish_on() -> None:
        while 404 not in statuses:
            statuses.add((await ann.post("/alarms", content=b"x")).status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(publish_on)
        while 200 not in statuses:
            await trio.lowlevel.checkpoint()
        assert (await ann.delete(f"/api/topics/{topic['id']}")).status_code == 204

    assert statuses == {200, 404}
