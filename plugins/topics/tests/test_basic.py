"""Basic authentication: with a key, with a token, with a password where that is allowed, and with what is wrong."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from manor import NewCredential, issue
from manor.house import House
from manor.testing import Client
from manor_topics.basic import _FAILURES
from tests.topic_people import asking_as, make_topic, person

PASSWORDS = pytest.mark.manor(
    config={
        "identity": {"require_verification": False},
        "plugins": {"topics": {"compat": {"basic_password": True}}},
    }
)
PASSWORD = "correct horse battery"


@pytest.fixture
def house_plugins() -> list[str]:
    return ["auth", "topics"]


def basic(name: str, secret: str) -> str:
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"


def headers(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": basic(name, secret)}


async def ann_with_key(house: House, *scopes: str) -> tuple[Client, str]:
    """Somebody with a private topic, and a key of theirs."""
    ann = await person(house, "Ann")
    client = asking_as(house, ann)
    await make_topic(client)
    new = NewCredential(kind="api_key", user_id=ann, scopes=scopes or ("*",), label="CI")
    made = await house.storage.write(lambda transaction: issue(transaction, new, secret="noti_" + "k" * 43))
    assert made is not None
    return client, "noti_" + "k" * 43


async def token(ann: Client, *permissions: str) -> str:
    answer = await ann.post("/api/topics/alarms/access-tokens", json={"name": "CI", "permissions": permissions})
    secret: str = answer.json()["token"]
    return secret


@pytest.mark.parametrize("name", ["Ann", "ann", "ann@example.org", "ANN@example.org", ""])
async def test_a_name_goes_with_a_key_of_that_person(house: House, client: Client, name: str) -> None:
    _, key = await ann_with_key(house)

    for path in ("/alarms", "/ntfy/alarms"):
        assert (await client.post(path, body=b"x", headers=headers(name, key))).status == 200
    assert (await client.get("/alarms/json", headers=headers(name, key))).json()["count"] == 2
    assert (await client.get("/ntfy/alarms/auth", headers=headers(name, key))).status == 200
    async with client.websocket("/alarms/ws", headers=headers(name, key)):
        pass


async def test_a_token_stands_alone(house: House, client: Client) -> None:
    ann, _ = await ann_with_key(house)
    secret = await token(ann, "write")

    assert (await client.post("/alarms", body=b"x", headers=headers("", secret))).status == 200
    assert (await client.post("/alarms", body=b"x", headers=headers("Ann", secret))).status == 401
    assert (await client.get("/ntfy/alarms/auth", headers=headers("", secret))).status == 403


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_a_whole_header_may_stand_in_the_query(house: House, client: Client, scheme: str) -> None:
    _, key = await ann_with_key(house)
    header = basic("Ann", key) if scheme == "basic" else f"Bearer {key}"
    encoded = urlsafe_b64encode(header.encode()).decode().rstrip("=")

    for path in ("/alarms", "/ntfy/alarms"):
        assert (await client.post(f"{path}?auth={encoded}", body=b"x")).status == 200
    assert (await client.get(f"/alarms/json?auth={encoded}")).json()["count"] == 2
    for wrong in ("nonsense", "%ff", encoded[:-4], "QmVhcmVyIA", "Og"):
        assert (await client.get(f"/ntfy/alarms/auth?auth={wrong}")).status == 401, wrong


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + b64encode(b"\xff:\xff").decode(),
        "Basic " + b64encode(b"nobody").decode(),
        basic("", ""),
        basic("Ann", ""),
        basic("Ann", "noti_wrong"),
        basic("", "tk_wrong"),
        basic("Bob", "noti_" + "k" * 43),
        basic("Ann", PASSWORD),
        basic("x" * 4000, "y" * 4000),
    ],
)
async def test_what_is_wrong_opens_nothing_even_where_nothing_is_needed(
    house: House, client: Client, header: str
) -> None:
    await ann_with_key(house)

    for path in ("/welcome", "/ntfy/welcome", "/"):
        answer = await client.post(path, json={"topic": "welcome"}, headers={"Authorization": header})
        assert answer.status == 401, (path, answer.text)


async def test_it_opens_nothing_but_publishing_and_subscribing(house: House, client: Client) -> None:
    _, key = await ann_with_key(house)

    for path in ("/api/topics", "/api/topics/my", "/api/topics/alarms", "/api/messages/search?q=x"):
        assert (await client.get(path, headers=headers("Ann", key))).status == 401, path


async def test_pages_of_others_may_not_use_what_a_browser_remembers(house: House, client: Client) -> None:
    _, key = await ann_with_key(house)
    foreign = {**headers("Ann", key), "Origin": "https://evil.example"}

    assert (await client.post("/alarms", body=b"x", headers=foreign)).status == 403


async def test_a_keys_scopes_count(house: House, client: Client) -> None:
    _, key = await ann_with_key(house, "subscribe")

    assert (await client.get("/ntfy/alarms/auth", headers=headers("Ann", key))).status == 200
    assert (await client.post("/alarms", body=b"x", headers=headers("Ann", key))).status == 403


async def test_who_guesses_is_made_to_wait(house: House, client: Client) -> None:
    _, key = await ann_with_key(house)
    statuses = [
        (await client.get("/ntfy/welcome/auth", headers=headers("Ann", f"noti_{number}"))).status
        for number in range(_FAILURES.per_minute + 5)
    ]

    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert (await client.get("/ntfy/alarms/auth", headers=headers("Ann", key))).status == 429
    elsewhere = client(address="192.0.2.9")
    assert (await elsewhere.get("/ntfy/alarms/auth", headers=headers("Ann", key))).status == 200


async def with_password(house: House, client: Client) -> None:
    sent = {"username": "ann", "email": "ann@example.org", "password": PASSWORD}
    answer = await client.post("/auth/register", json={**sent, "terms_accepted": True})
    assert answer.status == 201, answer.text


@PASSWORDS
async def test_a_password_opens_topics_where_it_is_allowed(house: House, client: Client) -> None:
    await with_password(house, client)

    assert (await client.post("/welcome", body=b"x", headers=headers("ann", PASSWORD))).status == 200
    assert (await client.post("/ntfy/welcome", body=b"x", headers=headers("ann@example.org", PASSWORD))).status == 200
    account = (await client.get("/ntfy/v1/account", headers=headers("ann", PASSWORD))).json()
    assert (account["username"], account["role"]) == ("ann", "user")
    assert account["limits"]["messages"] - account["stats"]["messages"] == account["stats"]["messages_remaining"]


@PASSWORDS
async def test_wrong_passwords_lock_as_at_the_sign_in(house: House, client: Client) -> None:
    await with_password(house, client)
    for number in range(10):
        answer = await client.get("/ntfy/welcome/auth", headers=headers("ann", f"wrong password {number}"))
        assert answer.status == 401

    locked = await client.get("/ntfy/welcome/auth", headers=headers("ann", PASSWORD))
    assert (locked.status, locked.json()["code"]) == (429, 42901)
    assert int(locked.headers["Retry-After"]) > 60


async def test_a_password_is_no_key_where_it_is_not_allowed(house: House, client: Client) -> None:
    await with_password(house, client)

    assert (await client.post("/welcome", body=b"x", headers=headers("ann", PASSWORD))).status == 401
