"""Webhooks: what managers may do with them, and what comes to a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from manor import Transaction
from manor.testing import Client, House, SetClock
from tests.topic_people import asking_as, make_topic, person, refusal, send
from tests.webhook_receiver import Receiver, open_receiver

pytestmark = pytest.mark.manor(config={"server": {"outgoing": {"allow": ["127.0.0.0/8"]}}})

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = "/api/topics/alarms/webhooks"


@pytest.fixture
async def ann(house: House) -> Client:
    """Somebody who has the public topic `alarms`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, access_level="public")
    return client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


async def make_webhook(client: Client, url: str = "https://example.org/hook", **members: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={"url": url, **members})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def logged(client: Client, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    """A webhook's deliveries, the newest first."""
    answer = await client.get(f"{PATH}/{webhook['id']}/deliveries")
    assert answer.status == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()
    return listed


# --- What comes ----------------------------------------------------------------------------------------------------


async def test_a_published_message_is_posted_and_signed(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url)
    sent = await send(ann, "disk is full")
    came = await receiver.next()

    assert came.data == {"type": "message.published", "timestamp": sent["timestamp"], "data": sent}
    assert came.is_signed_with(webhook["secret"])
    assert not came.is_signed_with("whsec_" + "A" * 44)
    assert came.headers["content-type"] == "application/json"
    assert int(came.headers["webhook-timestamp"]) == int(NOON.timestamp())


async def test_messages_come_in_their_order(ann: Client, receiver: Receiver) -> None:
    await make_webhook(ann, receiver.url)
    for number in range(20):
        await send(ann, str(number))

    assert [(await receiver.next()).text for _ in range(20)] == [str(number) for number in range(20)]


async def test_what_was_published_before_is_not_posted(ann: Client, receiver: Receiver) -> None:
    await send(ann, "before")
    await make_webhook(ann, receiver.url)
    await send(ann, "after")

    assert (await receiver.next()).text == "after"


async def test_only_what_is_asked_for_is_posted(ann: Client, receiver: Receiver) -> None:
    await make_webhook(ann, receiver.url, priority_max=2, tags=["disk", "cpu"])
    for priority, tags in [(3, ["disk"]), (2, ["net"]), (1, []), (2, ["cpu", "x"]), (1, ["disk"])]:
        await ann.post("/alarms", json={"message": f"{priority} {tags}", "priority": priority, "tags": tags})

    assert (await receiver.next()).text == "2 ['cpu', 'x']"
    assert (await receiver.next()).text == "1 ['disk']"


async def test_another_topics_messages_are_not_posted(ann: Client, receiver: Receiver) -> None:
    await make_topic(ann, "other")
    await make_webhook(ann, receiver.url)
    await send(ann, "elsewhere", "other")
    await send(ann, "here")

    assert (await receiver.next()).text == "here"


async def test_edits_and_deletions_are_posted_to_those_who_ask(ann: Client, receiver: Receiver) -> None:
    await make_webhook(ann, receiver.url, events=["edited", "deleted"], tags=["disk"])
    sent = (await ann.post("/alarms", json={"message": "disk", "tags": ["disk"]})).json()
    other = await send(ann, "no tags")
    path = f"/api/alarms/messages/{sent['id']}"
    await ann.patch(f"/api/alarms/messages/{other['id']}", json={"message": "still none"})
    await ann.patch(path, json={"message": "disk is full"})
    edited = await receiver.next()
    await ann.delete(path)
    deleted = await receiver.next()

    assert (edited.data["type"], edited.text, edited.data["data"]["is_edited"]) == (
        "message.edited",
        "disk is full",
        True,
    )
    assert edited.data["timestamp"] == edited.data["data"]["edited_at"]
    assert deleted.data["type"] == "message.deleted"
    assert deleted.data["data"]["id"] == sent["id"]
    assert "message" not in deleted.data["data"]


async def test_it_is_listed_how_a_delivery_went(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url)
    sent = await send(ann, "disk")
    came = await receiver.next()
    while (await logged(ann, webhook))[0]["state"] == "waiting":
        pass

    (delivery,) = await logged(ann, webhook)
    assert delivery == {
        "id": came.headers["webhook-id"],
        "event": "published",
        "message_id": sent["id"],
        "state": "delivered",
        "attempts": 1,
        "status": 204,
        "error": None,
        "response": "",
        "created_at": "2030-01-02T12:00:00Z",
        "finished_at": "2030-01-02T12:00:00Z",
    }
    (listed,) = (await ann.get(PATH)).json()
    assert (listed["last_success_at"], listed["failing_since"]) == ("2030-01-02T12:00:00Z", None)


# --- Secrets -------------------------------------------------------------------------------------------------------


async def test_a_secret_is_shown_once(ann: Client) -> None:
    webhook = await make_webhook(ann)
    secret = webhook.pop("secret")

    assert secret.startswith("whsec_")
    listed = await ann.get(PATH)
    assert listed.json() == [webhook]
    assert secret not in listed.text
    assert secret not in (await ann.patch(f"{PATH}/{webhook['id']}", json={"name": "x"})).text


async def test_for_a_day_both_secrets_sign(ann: Client, receiver: Receiver, clock: SetClock) -> None:
    first = await make_webhook(ann, receiver.url)
    second = (await ann.post(f"{PATH}/{first['id']}/rotate")).json()
    assert second["old_secret_until"] == "2030-01-03T12:00:00Z"
    await send(ann, "both")
    both = await receiver.next()
    clock.set(NOON + timedelta(days=1))
    await send(ann, "one")
    one = await receiver.next()

    assert (both.is_signed_with(first["secret"]), both.is_signed_with(second["secret"])) == (True, True)
    assert (one.is_signed_with(first["secret"]), one.is_signed_with(second["secret"])) == (False, True)


# --- Tests ---------------------------------------------------------------------------------------------------------


async def test_a_test_says_how_it_went(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url, is_active=False)
    tested = await ann.post(f"{PATH}/{webhook['id']}/test")
    came = await receiver.next()

    assert tested.json() == {"delivered": True, "status": 204, "error": None, "response": ""}
    assert came.data["type"] == "webhook.test"
    assert came.is_signed_with(webhook["secret"])
    assert await logged(ann, webhook) == []


@pytest.mark.manor(config={})
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "a.localhost", "169.254.169.254"]
)
async def test_private_addresses_are_refused(ann: Client, host: str) -> None:
    webhook = await make_webhook(ann)
    url = f"http://{host}:9000/hook"
    made = await ann.post(PATH, json={"url": url})
    changed = await ann.patch(f"{PATH}/{webhook['id']}", json={"url": url})

    for answer in (made, changed):
        status, detail = refusal(answer)
        assert status == 422
        assert "is not public" in detail
    assert [each["url"] for each in (await ann.get(PATH)).json()] == ["https://example.org/hook"]


async def test_private_addresses_that_are_allowed_are_taken(ann: Client) -> None:
    await make_webhook(ann, "http://localhost:9000/hook")
    await make_webhook(ann, "http://127.0.0.1:9000/hook")
    assert refusal(await ann.post(PATH, json={"url": "http://10.0.0.1:9000/hook"}))[0] == 422


@pytest.mark.manor(config={})
async def test_names_that_lead_to_private_addresses_are_not_reached(ann: Client, receiver: Receiver) -> None:
    # The system's resolver reads it as 127.0.0.1.
    webhook = await make_webhook(ann, receiver.url.replace("127.0.0.1", "127.1"))
    tested = (await ann.post(f"{PATH}/{webhook['id']}/test")).json()

    assert (tested["delivered"], tested["status"], receiver.came) == (False, None, 0)
    assert "is not public" in tested["error"]


async def test_tests_are_counted(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url)
    statuses = [(await ann.post(f"{PATH}/{webhook['id']}/test")).status for _ in range(11)]

    assert statuses == [200] * 10 + [429]


# --- Changing and deleting -----------------------------------------------------------------------------------------


async def test_what_is_left_out_stays(ann: Client) -> None:
    webhook = await make_webhook(ann, name="CI", priority_max=2, tags=["a"], events=["published", "edited"])
    del webhook["secret"]
    path = f"{PATH}/{webhook['id']}"

    assert (await ann.patch(path, json={})).json() == webhook
    assert (await ann.patch(path, json={"priority_max": None})).json() == webhook | {"priority_max": None}
    changed = {"name": "CD", "url": "http://example.com/x", "events": ["deleted"], "tags": [], "is_active": False}
    assert (await ann.patch(path, json=changed)).json() == webhook | {"priority_max": None} | changed


async def test_one_that_is_switched_off_gets_nothing_and_then_what_comes(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url)
    path = f"{PATH}/{webhook['id']}"
    await ann.patch(path, json={"is_active": False})
    await send(ann, "missed")
    await ann.patch(path, json={"is_active": True})
    await send(ann, "heard")

    assert (await receiver.next()).text == "heard"


async def test_a_deleted_one_gets_nothing(ann: Client, receiver: Receiver) -> None:
    webhook = await make_webhook(ann, receiver.url)
    kept = await make_webhook(ann, receiver.url)
    assert (await ann.delete(f"{PATH}/{webhook['id']}")).status == 204
    await send(ann, "disk")

    assert (await receiver.next()).is_signed_with(kept["secret"])
    assert receiver.came == 1
    assert (await ann.delete(f"{PATH}/{webhook['id']}")).status == 404


async def test_webhooks_go_with_their_topic(house: House, ann: Client) -> None:
    await make_webhook(ann)
    topic = (await ann.get("/api/topics/alarms")).json()
    await ann.delete(f"/api/topics/{topic['id']}")
    await make_topic(ann)

    assert (await ann.get(PATH)).json() == []


async def test_people_get_and_take_along_their_webhooks(house: House, ann: Client) -> None:
    bob = await person(house, "bob", is_admin=True)
    theirs = await make_webhook(asking_as(house, bob, is_admin=True))
    kept = await make_webhook(ann)
    (plugin,) = (plugin for plugin in house.plugins if plugin.name == "topics")
    personal = plugin.brought.personal_data
    assert personal is not None
    exported = [item async for section, item in personal.export(bob) if section == "webhooks"]
    assert [str(item.id) for item in exported] == [theirs["id"]]
    assert not hasattr(exported[0], "secret")

    def erase(transaction: Transaction) -> int:
        gone: int = personal.erase(transaction, bob, 100)
        return gone

    while await house.storage.write(erase):
        pass
    assert [webhook["id"] for webhook in (await ann.get(PATH)).json()] == [kept["id"]]


# --- Bad input, other people ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": None},
        {"url": 7},
        {"url": ""},
        {"url": "example.org"},
        {"url": "ftp://example.org/"},
        {"url": "http://"},
        {"url": "http://example.org:0/"},
        {"url": "http://example.org:99999/"},
        {"url": "http://[::1/"},
        {"url": "https://ann:secret@example.org/"},
        {"url": "https://@example.org/"},
        {"url": "https://example.org/#x"},
        {"url": "https://example.org/\\x"},
        {"url": "https://example.org/a b"},
        {"url": "https://exämple.org/"},
        {"url": "https://example.org/\n"},
        {"url": "https://example.org/" + "x" * 2048},
        {"url": "https://example.org", "events": []},
        {"url": "https://example.org", "events": ["read"]},
        {"url": "https://example.org", "events": "published"},
        {"url": "https://example.org", "priority_max": 0},
        {"url": "https://example.org", "priority_max": 6},
        {"url": "https://example.org", "priority_max": True},
        {"url": "https://example.org", "tags": ["x" * 51]},
        {"url": "https://example.org", "tags": [str(number) for number in range(21)]},
        {"url": "https://example.org", "tags": "a,b"},
        {"url": "https://example.org", "name": "x" * 101},
        {"url": "https://example.org", "name": "a\x07b"},
        {"url": "https://example.org", "is_active": "yes"},
    ],
)
async def test_what_cannot_be_taken_is_refused(ann: Client, body: dict[str, Any]) -> None:
    made = await ann.post(PATH, json=body)
    assert refusal(made)[0] == 422
    if body:
        webhook = await make_webhook(ann)
        changed = {name: value for name, value in body.items() if name != "url"} or body
        assert refusal(await ann.patch(f"{PATH}/{webhook['id']}", json=changed))[0] == 422


async def test_broken_json_is_refused(ann: Client) -> None:
    headers = {"Content-Type": "application/json"}
    assert (await ann.post(PATH, body=b"{", headers=headers)).status == 400


OPERATIONS = [
    ("GET", "", None),
    ("POST", "", {"url": "https://example.org"}),
    ("PATCH", "/{id}", {"name": "x"}),
    ("DELETE", "/{id}", None),
    ("POST", "/{id}/rotate", None),
    ("POST", "/{id}/test", None),
    ("GET", "/{id}/deliveries", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), OPERATIONS)
async def test_they_are_for_those_who_manage_the_topic(
    house: House, ann: Client, method: str, rest: str, body: dict[str, Any] | None
) -> None:
    webhook = await make_webhook(ann)
    path = PATH + rest.replace("{id}", webhook["id"])
    more: dict[str, Any] = {} if body is None else {"json": body}
    eve = await person(house, "eve")

    assert (await Client(house.dispatcher).request(method, path, **more)).status == 401
    assert refusal(await asking_as(house, eve).request(method, path, **more))[0] == 403
    lacking = asking_as(house, eve, scopes=frozenset({"publish"}))
    assert refusal(await lacking.request(method, path, **more))[0] == 403


@pytest.mark.parametrize(("method", "rest", "body"), OPERATIONS[2:])
@pytest.mark.parametrize("id_", [UNKNOWN, "x", "00000000-0000-0000-0000-00000000000G", "another topic's"])
async def test_unknown_ones_are_404(ann: Client, method: str, rest: str, body: dict[str, Any] | None, id_: str) -> None:
    if id_ == "another topic's":
        await make_topic(ann, "other")
        id_ = (await ann.post("/api/topics/other/webhooks", json={"url": "https://example.org"})).json()["id"]
    more: dict[str, Any] = {} if body is None else {"json": body}

    assert refusal(await ann.request(method, PATH + rest.replace("{id}", id_), **more))[0] == 404


@pytest.mark.parametrize(("method", "rest", "body"), OPERATIONS)
async def test_an_unknown_topic_is_404(ann: Client, method: str, rest: str, body: dict[str, Any] | None) -> None:
    more: dict[str, Any] = {} if body is None else {"json": body}
    path = "/api/topics/missing/webhooks" + rest.replace("{id}", UNKNOWN)

    assert refusal(await ann.request(method, path, **more))[0] == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "offset=-1"])
async def test_pages_have_bounds(ann: Client, query: str) -> None:
    webhook = await make_webhook(ann)

    assert (await ann.get(f"{PATH}/{webhook['id']}/deliveries?{query}")).status == 422


async def test_a_plan_has_room_for_so_many(ann: Client) -> None:
    for _ in range(10):
        await make_webhook(ann)

    assert refusal(await ann.post(PATH, json={"url": "https://example.org"})) == (
        403,
        "The plan has room for 10 webhooks of a topic; delete one first (webhooks_per_topic)",
    )
