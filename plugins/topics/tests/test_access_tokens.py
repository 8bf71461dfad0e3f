"""Topic access tokens: made once, shown once, gone when they are deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import CredentialRevoked, Event, NewCredential, issue
from manor.testing import Client, House, SetClock
from tests.topic_people import asking_as, make_topic, person, refusal, send, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = "/api/topics/alarms/access-tokens"
MEMBERS = {"id", "name", "topic", "permissions", "token_prefix", "created_at", "expires_at", "last_used_at"}
SMALL = pytest.mark.manor(config={"tiers": {"FREE": {"tokens_per_topic": 2}, "NONE": {"topic_tokens": False}}})


@pytest.fixture
async def ann(house: House) -> Client:
    """Somebody who has the topic `alarms`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "alarms")
    return client


async def token(client: Client, *permissions: str, path: str = PATH, **more: Any) -> dict[str, Any]:
    wanted = {"name": "CI", "permissions": permissions or ["read", "write"], **more}
    answer = await client.post(path, json=wanted)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def holding(client: Client, made: dict[str, Any]) -> Client:
    return client(headers={"X-Topic-Token": made["token"]})


async def test_a_token_is_shown_with_its_secret_once(ann: Client) -> None:
    answer = await ann.post(PATH, json={"name": " Jenkins ", "permissions": ["write"]})

    made = answer.json()
    assert (answer.status, answer.headers["Cache-Control"], set(made)) == (201, "no-store", {*MEMBERS, "token"})
    assert (made["name"], made["topic"], made["permissions"]) == ("Jenkins", "alarms", ["write"])
    assert (made["expires_at"], made["last_used_at"]) == (None, None)
    assert (made["token"][:3], len(made["token"])) == ("tk_", 46)
    assert made["token_prefix"] == made["token"][:8]
    listed = (await ann.get(PATH)).json()
    assert listed == [{name: made[name] for name in MEMBERS}]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["read"], ["read"]),
        (["write", "read"], ["read", "write"]),
        (["publish"], ["write"]),
        (["subscribe"], ["read"]),
        (["read_write"], ["read", "write"]),
        (["subscribe", "read", "read"], ["read"]),
    ],
)
async def test_older_words_for_permissions_are_understood(ann: Client, sent: list[str], kept: list[str]) -> None:
    assert (await token(ann, *sent))["permissions"] == kept


async def test_a_token_does_what_it_may_and_no_more(ann: Client, client: Client) -> None:
    reads, writes = await token(ann, "read"), await token(ann, "write")
    await send(ann, "x")
    reader, writer = holding(client, reads), holding(client, writes)

    assert await texts(reader) == ["x"]
    assert (await reader.post("/alarms", body=b"x")).status == 403
    assert (await writer.post("/alarms", body=b"y")).status == 200
    assert (await writer.get("/alarms/json")).status == 403
    assert (await writer.get(PATH)).status == 403


async def test_a_use_is_dated(house: House, ann: Client, client: Client, clock: SetClock, autojump_clock: Any) -> None:
    made = await token(ann, "read")
    clock.set(NOON + timedelta(hours=1))
    assert (await holding(client, made).get("/alarms/json")).status == 200
    await trio.sleep(120)

    (listed,) = (await ann.get(PATH)).json()
    assert listed["last_used_at"] == "2030-01-02T13:00:00Z"


async def test_an_expired_token_opens_nothing_and_is_still_listed(ann: Client, client: Client, clock: SetClock) -> None:
    made = await token(ann, "read", expires_at="2030-01-02T14:00:00+01:00")
    assert made["expires_at"] == "2030-01-02T13:00:00Z"
    assert (await holding(client, made).get("/alarms/json")).status == 200

    clock.set(NOON + timedelta(hours=1))

    assert (await holding(client, made).get("/alarms/json")).status == 401
    assert [each["id"] for each in (await ann.get(PATH)).json()] == [made["id"]]


async def test_a_time_without_an_offset_is_in_utc(ann: Client) -> None:
    assert (await token(ann, expires_at="2030-01-03T00:00:00"))["expires_at"] == "2030-01-03T00:00:00Z"


async def test_a_deleted_token_opens_nothing(ann: Client, client: Client, heard: list[Event]) -> None:
    made, other = await token(ann, "read"), await token(ann, "read")

    answer = await ann.delete(f"{PATH}/{made['id']}")

    assert (answer.status, answer.body) == (204, b"")
    assert UUID(made["id"]) in [event.credential_id for event in heard if isinstance(event, CredentialRevoked)]
    assert (await holding(client, made).get("/alarms/json")).status == 401
    assert [each["id"] for each in (await ann.get(PATH)).json()] == [other["id"]]
    assert (await ann.delete(f"{PATH}/{made['id']}")).status == 404


async def test_a_deleted_topics_tokens_open_nothing(ann: Client, client: Client) -> None:
    made = await token(ann, "read")
    topic = (await ann.get("/api/topics/alarms")).json()
    await ann.delete(f"/api/topics/{topic['id']}")
    await make_topic(ann, "alarms")

    assert (await holding(client, made).get("/alarms/json")).status == 401
    assert (await ann.get(PATH)).json() == []


async def test_a_renamed_topics_tokens_open_it_still(ann: Client, client: Client) -> None:
    made = await token(ann, "read")
    topic = (await ann.get("/api/topics/alarms")).json()
    await ann.patch(f"/api/topics/{topic['id']}", json={"name": "sirens"})

    assert (await holding(client, made).get("/sirens/json")).status == 200
    (listed,) = (await ann.get(f"/api/topics/{topic['id']}/access-tokens")).json()
    assert listed["topic"] == "sirens"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\u001b[0m"}, "name"),
        ({"name": 1}, "name"),
        ({"permissions": None}, "permissions"),
        ({"permissions": []}, "permissions"),
        ({"permissions": "read"}, "permissions"),
        ({"permissions": ["admin"]}, "permissions"),
        ({"permissions": ["READ"]}, "permissions"),
        ({"permissions": ["read"] * 21}, "permissions"),
        ({"expires_at": "2030-01-02T12:00:00Z"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"expires_at": -1}, "expires_at"),
    ],
)
async def test_what_no_token_can_be_is_refused(ann: Client, changes: dict[str, Any], field: str) -> None:
    wanted = {"name": "CI", "permissions": ["read"], **changes}

    status, detail = refusal(await ann.post(PATH, json=wanted))

    assert (status, field in detail) == (422, True)
    assert (await ann.get(PATH)).json() == []


@pytest.mark.parametrize("missing", ["name", "permissions"])
async def test_what_a_token_needs_is_said(ann: Client, missing: str) -> None:
    wanted = {"name": "CI", "permissions": ["read"]}
    del wanted[missing]

    assert (await ann.post(PATH, json=wanted)).status == 422


@pytest.mark.parametrize("token_id", [UNKNOWN, "x", "{upper}", "%00", "{other}", "{prefix}"])
async def test_an_unknown_token_is_not_found(ann: Client, token_id: str) -> None:
    made = await token(ann, "read")
    await make_topic(ann, "sirens")
    other = await token(ann, "read", path="/api/topics/sirens/access-tokens")
    words = {"{upper}": made["id"].upper(), "{other}": other["id"], "{prefix}": made["token_prefix"]}

    assert (await ann.delete(f"{PATH}/{words.get(token_id, token_id)}")).status == 404
    assert len((await ann.get(PATH)).json()) == 1


async def test_a_key_of_the_topics_owner_is_no_token_of_it(house: House, ann: Client) -> None:
    new = NewCredential(kind="api_key", user_id=(await person(house, "eve")))
    key = await house.storage.write(lambda transaction: issue(transaction, new, "noti_x"))

    assert (await ann.delete(f"{PATH}/{key.id}")).status == 404


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_those_who_do_not_manage_the_topic_have_no_tokens_of_it(
    house: House, ann: Client, client: Client, method: str
) -> None:
    made = await token(ann, "read")
    eve = await person(house, "eve")
    lacking = asking_as(house, eve, scopes=frozenset({"topics:read"}), is_admin=True)
    path = f"{PATH}/{made['id']}" if method == "DELETE" else PATH
    wanted = {"name": "CI", "permissions": ["read"]}

    for asker, status in ((client, 401), (asking_as(house, eve), 403), (lacking, 403)):
        assert (await asker.request(method, path, json=wanted)).status == status
    assert (await asking_as(house, eve, is_admin=True).request(method, path, json=wanted)).status in (200, 201, 204)
    assert (await ann.request(method, path.replace("alarms", "nothing"), json=wanted)).status == 404


@pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_hidden_topic_is_missing_to_those_who_may_not_read_it(house: House, ann: Client, method: str) -> None:
    path = f"{PATH}/{(await token(ann, 'read'))['id']}" if method == "DELETE" else PATH
    eve = asking_as(house, await person(house, "eve"))

    assert (await eve.request(method, path, json={"name": "CI", "permissions": ["read"]})).status == 404


# --- Plans ---------------------------------------------------------------------------------------------------------


@SMALL
async def test_a_plan_has_room_for_so_many_tokens_of_a_topic(ann: Client, clock: SetClock) -> None:
    await token(ann, "read", expires_at="2030-01-02T13:00:00Z")
    await token(ann, "read")

    status, detail = refusal(await ann.post(PATH, json={"name": "CI", "permissions": ["read"]}))

    assert (status, "tokens_per_topic" in detail) == (403, True)
    await make_topic(ann, "sirens")
    await token(ann, "read", path="/api/topics/sirens/access-tokens")
    clock.set(NOON + timedelta(hours=1))
    await token(ann, "read")


@SMALL
async def test_a_plan_may_do_without_tokens(house: House) -> None:
    nick = asking_as(house, await person(house, "nick", tier="NONE"))
    await make_topic(nick, "alarms")

    status, detail = refusal(await nick.post(PATH, json={"name": "CI", "permissions": ["read"]}))

    assert (status, "topic_tokens" in detail) == (403, True)
    assert (await nick.get(PATH)).json() == []


async def test_making_and_deleting_tokens_is_written_into_the_audit_log(house: House, ann: Client) -> None:
    made = await token(ann, "read")
    await ann.delete(f"{PATH}/{made['id']}")

    lines = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    assert [line.action for line in lines] == ["topics.token_made", "topics.token_deleted"]
    assert not any(made["token"] in str(line) for line in lines)
