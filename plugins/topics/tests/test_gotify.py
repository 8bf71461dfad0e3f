"""What Gotify's senders send: where the token stands, forms and JSON, and what is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from manor.house import House
from manor.testing import Answer, Client
from tests.topic_people import asking_as, make_topic, person

GOTIFY = {"plugins": {"topics": {"compat": {"gotify": True}}}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
pytestmark = pytest.mark.manor(config=GOTIFY)


@pytest.fixture
async def ann(house: House) -> Client:
    """Somebody with a topic."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client)
    return client


async def token(ann: Client, permission: str = "write") -> str:
    answer = await ann.post("/api/topics/alarms/access-tokens", json={"name": "CI", "permissions": [permission]})
    secret: str = answer.json()["token"]
    return secret


async def newest(ann: Client) -> dict[str, Any]:
    message: dict[str, Any] = (await ann.get("/alarms/json?limit=1")).json()["messages"][0]
    return message


@pytest.mark.parametrize("place", ["query", "header", "bearer"])
async def test_a_tokens_topic_gets_the_message(client: Client, ann: Client, place: str) -> None:
    secret = await token(ann)
    path = f"/message?token={secret}" if place == "query" else "/message"
    headers = {"header": {"X-Gotify-Key": secret}, "bearer": {"Authorization": f"Bearer {secret}"}}.get(place, {})
    extras = {"client::display": {"contentType": "text/markdown"}, "of::an app": {"x": [1]}}
    answer = await client.post(
        path, json={"message": "Hello", "title": "T", "priority": 9, "extras": extras}, headers=headers
    )

    assert answer.status == 200, answer.text
    said = answer.json()
    assert type(said["id"]) is int
    assert type(said["appid"]) is int
    assert (said["message"], said["title"], said["priority"], said["extras"]) == ("Hello", "T", 9, extras)
    assert said["date"] == "2030-01-02T12:00:00Z"
    stored = await newest(ann)
    assert (stored["message"], stored["title"], stored["priority"], stored["markdown"]) == ("Hello", "T", 2, True)


@pytest.mark.parametrize(
    ("sent", "stored"), [*enumerate((5, 4, 4, 4, 3, 3, 3, 3, 2, 2, 1)), ("7", 3), (None, 5), ("", 5)]
)
async def test_priorities_are_turned_round(client: Client, ann: Client, sent: Any, stored: int) -> None:
    await client.post(f"/message?token={await token(ann)}", json={"message": "x", "priority": sent})

    assert (await newest(ann))["priority"] == stored


async def test_forms_and_parameters_say_the_same(client: Client, ann: Client) -> None:
    path = f"/message?token={await token(ann)}"
    form = urlencode({"message": "zażółć & more", "priority": "10"}).encode()

    assert (await client.post(path, body=form, headers=FORM)).json()["message"] == "zażółć & more"
    assert (await newest(ann))["priority"] == 1
    assert (await client.post(f"{path}&message=Hi&title=T")).json()["title"] == "T"


async def test_a_click_and_a_picture_are_kept(client: Client, ann: Client) -> None:
    extras = {"client::notification": {"click": {"url": "https://example.org"}, "bigImageUrl": "https://example.org/i"}}
    await client.post(f"/message?token={await token(ann)}", json={"message": "x", "extras": extras})

    stored = await newest(ann)
    assert (stored["click"], stored["icon"]) == ("https://example.org", "https://example.org/i")


def refused(answer: Answer) -> tuple[int, str]:
    said = answer.json()
    assert said["errorCode"] == answer.status
    assert said["errorDescription"] == said["detail"]
    return answer.status, said["error"]


async def test_only_a_token_that_writes_opens_it(client: Client, ann: Client) -> None:
    reading, gone = await token(ann, "read"), await token(ann)
    tokens = (await ann.get("/api/topics/alarms/access-tokens")).json()
    for each in tokens:
        if each["permissions"] == ["write"]:
            await ann.request("DELETE", f"/api/topics/alarms/access-tokens/{each['id']}")

    for path, status in (
        ("/message", 401),
        ("/message?token=", 401),
        ("/message?token=tk_nonsense", 401),
        (f"/message?token={gone}", 401),
        (f"/message?token={reading}", 403),
    ):
        assert refused(await client.post(path, json={"message": "x"}))[0] == status, path
    assert (await ann.get("/alarms/json")).json()["count"] == 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 422),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"\xff", {}, 400),
        (b"{}", {}, 422),
        (b'{"message": ""}', {}, 422),
        (b'{"message": 5}', {}, 422),
        (b'{"message": "\\ud800"}', {}, 422),
        (b'{"message": "x", "priority": 11}', {}, 422),
        (b'{"message": "x", "priority": -1}', {}, 422),
        (b'{"message": "x", "priority": "high"}', {}, 422),
        (b'{"message": "x", "priority": 1.5}', {}, 422),
        (b'{"message": "x", "title": 5}', {}, 422),
        (b'{"message": "x", "extras": []}', {}, 422),
        (b'{"message": "x", "extras": {"client::display": 5}}', {}, 422),
        (b'{"message": "x", "extras": {"client::notification": {"click": {"url": "javascript:x"}}}}', {}, 422),
        (b'{"message": "' + b"x" * 70_000 + b'"}', {}, 413),
        (b"message=%FF", FORM, 400),
        (b"message=", FORM, 422),
        (b"title=x", FORM, 422),
        (b"&".join([b"a=b"] * 200), FORM, 400),
        (b"message=x", {**FORM, "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_cannot_be_taken_is_refused(
    client: Client, ann: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post(f"/message?token={await token(ann)}", body=body, headers=headers)

    assert refused(answer)[0] == status
    assert (await ann.get("/alarms/json")).json()["count"] == 0


async def test_the_server_says_what_it_is_like(client: Client) -> None:
    assert (await client.get("/health")).json() == {"health": "green", "database": "green"}
    assert (await client.get("/version")).json().keys() == {"version", "commit", "buildDate"}


@pytest.mark.manor(config={})
async def test_it_is_off_by_default(client: Client) -> None:
    for method, path in (("POST", "/message"), ("GET", "/version"), ("GET", "/health")):
        assert (await client.request(method, path, body=b"x")).status in (404, 405), path
