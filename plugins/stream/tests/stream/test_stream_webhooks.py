"""Webhooks: what may be asked for, and what comes to a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio.testing
from trio.testing import MockClock

from manor import Event
from manor.testing import Client, House, SetClock
from manor_stream.events import (
    ChatMessageSent,
    ChatNameChanged,
    ChatUser,
    ChatUserJoined,
    ChatUserParted,
    ChatVisibilityChanged,
    StreamStarted,
    StreamStopped,
    StreamTitleChanged,
    ViewerCountChanged,
)
from manor_stream.webhooks.delivering import DELIVER, MOST_WAITING, PAUSES, Deliver
from manor_stream.webhooks.payloads import EVENTS, payload_of
from tests.stream_admin import shared_of
from tests.webhook_receiver import Received, Receiver, answer, open_receiver

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
ADA = ChatUser(id="ada", display_name="Ada", display_color=3, created_at=NOON, previous_names=("Eve", "Ada"))
ADA_SHOWN = {
    "id": "ada",
    "displayName": "Ada",
    "displayColor": 3,
    "createdAt": "2030-01-02T12:00:00Z",
    "previousNames": ["Eve", "Ada"],
    "scopes": [],
    "isBot": False,
    "authenticated": False,
}
SERVER = {"name": "Attic radio", "summary": "From the attic", "streamTitle": "Friday night"}


def message(text: str = "hello", kind: str = "CHAT") -> ChatMessageSent:
    return ChatMessageSent(
        id=ID,
        kind=kind,
        user=ADA,
        author="Ada",
        client_id=7,
        body=f"<p>{text}</p>",
        raw_body=text,
        visible=True,
        timestamp=NOON,
    )


def started() -> StreamStarted:
    return StreamStarted(ID, "Attic radio", "From the attic", "Friday night", "https://stream.example.org", NOON)


def stopped() -> StreamStopped:
    return StreamStopped(ID, "Attic radio", "From the attic", "Friday night", "", "the publisher left", 12, NOON)


TIME = "2030-01-02T12:00:00Z"

PAYLOADS: list[tuple[Event, str, Mapping[str, Any]]] = [
    (
        message(),
        "CHAT",
        {
            "id": str(ID),
            "author": "Ada",
            "user": ADA_SHOWN,
            "clientId": 7,
            "body": "<p>hello</p>",
            "rawBody": "hello",
            "visible": True,
            "timestamp": TIME,
        },
    ),
    (
        ChatNameChanged(ID, ADA, "Eve", "Ada", NOON),
        "NAME_CHANGE",
        {"id": str(ID), "user": ADA_SHOWN, "oldName": "Eve", "newName": "Ada", "timestamp": TIME},
    ),
    (
        ChatUserJoined(ID, ADA, NOON),
        "USER_JOINED",
        {"id": str(ID), "user": ADA_SHOWN, "username": "Ada", "timestamp": TIME},
    ),
    (
        ChatUserParted(ID, ADA, NOON),
        "USER_PARTED",
        {"id": str(ID), "user": ADA_SHOWN, "username": "Ada", "timestamp": TIME},
    ),
    (
        ChatVisibilityChanged((ID,), False, NOON),
        "VISIBILITY-UPDATE",
        {"ids": [str(ID)], "visible": False, "timestamp": TIME},
    ),
    (
        started(),
        "STREAM_STARTED",
        {
            "id": str(ID),
            **SERVER,
            "timestamp": TIME,
            "status": {
                "online": True,
                "lastConnectTime": TIME,
                "lastDisconnectTime": None,
                "streamTitle": "Friday night",
            },
        },
    ),
    (
        stopped(),
        "STREAM_STOPPED",
        {
            "id": str(ID),
            **SERVER,
            "timestamp": TIME,
            "status": {
                "online": False,
                "lastConnectTime": None,
                "lastDisconnectTime": TIME,
                "sessionMaxViewerCount": 12,
                "streamTitle": "Friday night",
            },
        },
    ),
    (
        StreamTitleChanged("Friday night", "Attic radio", "From the attic", NOON),
        "STREAM_TITLE_UPDATED",
        {"id": "5", **SERVER, "timestamp": TIME},
    ),
]


@pytest.mark.parametrize(("event", "kind", "data"), PAYLOADS, ids=[row[1] for row in PAYLOADS])
def test_what_is_posted_has_the_members_of_old_and_new_readers(
    event: Event, kind: str, data: Mapping[str, Any]
) -> None:
    assert msgspec.json.decode(msgspec.json.encode(payload_of(event, "5"))) == [kind, data]


def test_every_event_has_a_payload() -> None:
    assert {row[1] for row in PAYLOADS} == set(EVENTS)


@pytest.mark.parametrize("event", [message(kind="SYSTEM"), message(kind="CHAT_ACTION"), ViewerCountChanged(ID, 3)])
def test_what_the_server_says_itself_is_not_posted(event: Event) -> None:
    assert payload_of(event, "5") is None


# --- Making, listing, deleting -------------------------------------------------------------------------------------


@pytest.fixture
def house_config() -> Mapping[str, Any]:
    return {"server": {"outgoing": {"allow": ["127.0.0.0/8"]}}, "plugins": {"stream": {"rtmp_bind": ""}}}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


async def make(admin: Client, url: str, *events: str) -> dict[str, Any]:
    answered = await admin.post("/api/admin/webhooks/create", json={"url": url, "events": events or EVENTS})
    assert answered.status == 200, answered.text
    made: dict[str, Any] = answered.json()
    return made


async def listed(admin: Client) -> list[dict[str, Any]]:
    answered = await admin.get("/api/admin/webhooks")
    assert answered.status == 200
    found: list[dict[str, Any]] = answered.json()
    return found


async def tell(house: House, *events: Event) -> None:
    def work(transaction: Any) -> None:
        for event in events:
            transaction.emit(event)

    await house.storage.write(work)


async def test_a_webhook_is_made_with_a_secret_and_listed_without(admin: Client) -> None:
    made = await make(admin, "https://example.org/hook?a=b", "CHAT", "STREAM_STARTED", "CHAT")

    assert made.pop("token").startswith("whsec_")
    assert made.pop("name") == made["url"]
    assert made == {
        "id": "1",
        "url": "https://example.org/hook?a=b",
        "events": ["CHAT", "STREAM_STARTED"],
        "timestamp": TIME,
        "lastUsed": None,
    }
    assert await listed(admin) == [made]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"url": "https://example.org", "events": ["CHAT", "CHATTER"]}, "events: expected some of CHAT, NAME_CHANGE"),
        ({"url": "https://example.org", "events": []}, "events: expected some of"),
        ({"url": "https://example.org", "events": "CHAT"}, "events: expected array, got str"),
        ({"url": "https://example.org", "events": [5]}, "events[0]: expected str, got int"),
        ({"url": "https://example.org"}, "events: is missing"),
        ({"events": ["CHAT"]}, "url: is missing"),
        ({"url": 5, "events": ["CHAT"]}, "url: expected str, got int"),
        ({"url": "", "events": ["CHAT"]}, "url: expected an address"),
        ({"url": "example.org", "events": ["CHAT"]}, "url: expected an address"),
        ({"url": "file:///etc/passwd", "events": ["CHAT"]}, "url: expected an address"),
        ({"url": "https://a:b@example.org", "events": ["CHAT"]}, "url: expected an address without a name"),
        ({"url": "https://example.org/\r\nX: y", "events": ["CHAT"]}, "url: expected an address"),
        ({"url": "http://10.0.0.1/hook", "events": ["CHAT"]}, "url: expected an address that this server may reach"),
        ({"url": "http://[::1]/hook", "events": ["CHAT"]}, "url: expected an address that this server may reach"),
        ({"url": "http://169.254.169.254/", "events": ["CHAT"]}, "url: expected an address that this server may reach"),
        ([], "body: expected object, got array"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(admin: Client, body: Any, message: str) -> None:
    answered = await admin.post("/api/admin/webhooks/create", json=body)

    assert (answered.status, answered.json()["success"]) == (400, False)
    assert answered.json()["message"].startswith(message)
    assert await listed(admin) == []


@pytest.mark.parametrize("id_", [1, "1"], ids=["number", "text"])
async def test_a_webhook_is_deleted_by_its_id_as_text_or_as_a_number(admin: Client, id_: Any) -> None:
    for _ in range(2):
        await make(admin, "https://example.org/hook")

    answered = await admin.post("/api/admin/webhooks/delete", json={"id": id_})

    assert (answered.status, answered.json()) == (200, {"success": True, "message": "deleted webhook"})
    assert [webhook["id"] for webhook in await listed(admin)] == ["2"]
    assert (await admin.post("/api/admin/webhooks/delete", json={"id": id_})).status == 400


@pytest.mark.parametrize("id_", ["", "x", "-1", -1, 0, "0x1", 1.5, True, None, [1], "1" * 30, 10**30])
async def test_a_webhook_that_is_not_there_is_not_deleted(admin: Client, id_: Any) -> None:
    await make(admin, "https://example.org/hook")

    answered = await admin.post("/api/admin/webhooks/delete", json={"id": id_})

    assert (answered.status, answered.json()["success"]) == (400, False)
    assert len(await listed(admin)) == 1


# --- What comes ----------------------------------------------------------------------------------------------------


async def test_all_that_happens_is_posted_and_signed(admin: Client, house: House, receiver: Receiver) -> None:
    made = await make(admin, receiver.url)
    await tell(house, *(row[0] for row in PAYLOADS))

    came = {each.data["type"]: each for each in [await receiver.next() for _ in PAYLOADS]}

    for _, kind, data in PAYLOADS:
        told = came[kind].data
        number = {"id": told["eventData"]["id"]} if kind == "STREAM_TITLE_UPDATED" else {}
        assert told == {"type": kind, "eventData": {**data, **number}}
        assert came[kind].is_signed_with(made["token"])
        assert came[kind].headers["webhook-timestamp"] == str(int(NOON.timestamp()))
        assert came[kind].headers["content-type"] == "application/json"
    assert len({each.headers["webhook-id"] for each in came.values()}) == len(PAYLOADS)


async def test_messages_are_posted_in_their_order(admin: Client, house: House, receiver: Receiver) -> None:
    await make(admin, receiver.url, "CHAT")
    for number in range(10):
        await tell(house, message(str(number)))

    came = [await receiver.next() for _ in range(10)]

    assert [each.data["eventData"]["rawBody"] for each in came] == [str(number) for number in range(10)]


async def test_only_what_is_wanted_is_posted(admin: Client, house: House, receiver: Receiver) -> None:
    await make(admin, receiver.url, "STREAM_STOPPED")
    await tell(house, message(), started(), stopped())

    assert (await receiver.next()).data["type"] == "STREAM_STOPPED"


async def test_each_webhook_signs_with_its_own_secret(admin: Client, house: House, receiver: Receiver) -> None:
    first, second = await make(admin, receiver.url, "CHAT"), await make(admin, receiver.url, "CHAT")
    await tell(house, message())

    came = [await receiver.next(), await receiver.next()]

    for webhook in (first, second):
        assert [each.is_signed_with(webhook["token"]) for each in came].count(True) == 1


async def test_a_delivery_is_stamped(admin: Client, house: House, receiver: Receiver, clock: SetClock) -> None:
    await make(admin, receiver.url, "CHAT")
    clock.set(datetime(2030, 1, 2, 13, tzinfo=UTC))
    await tell(house, message())
    await tell(house, message("second"))
    await receiver.next()
    await receiver.next()

    # They are made one after the other: when the second came, the first was noted.
    assert (await listed(admin))[0]["lastUsed"] == "2030-01-02T13:00:00Z"


async def test_a_new_title_is_posted(admin: Client, receiver: Receiver) -> None:
    await make(admin, receiver.url, "STREAM_TITLE_UPDATED")
    await admin.post("/api/admin/config/streamtitle", json={"value": "Saturday"})

    assert (await receiver.next()).data["eventData"]["streamTitle"] == "Saturday"


async def test_nothing_is_posted_to_a_deleted_webhook(admin: Client, house: House, receiver: Receiver) -> None:
    first, _ = await make(admin, receiver.url, "CHAT"), await make(admin, receiver.url, "STREAM_STOPPED")
    await tell(house, message())
    await receiver.next()
    await admin.post("/api/admin/webhooks/delete", json={"id": first["id"]})
    await tell(house, message(), stopped())

    assert (await receiver.next()).data["type"] == "STREAM_STOPPED"


# --- What fails ----------------------------------------------------------------------------------------------------


NextLater = Callable[[Receiver], Awaitable[Received]]


@pytest.fixture
def next_later(clock: SetClock, mock_clock: MockClock) -> NextLater:
    """Let time pass until something comes; gives that."""

    async def passing(receiver: Receiver) -> Received:
        came = receiver.came
        while receiver.came == came:
            await trio.testing.wait_all_tasks_blocked(0.02)
            clock.set(clock.now() + timedelta(seconds=5))
            mock_clock.jump(5)
        return await receiver.next()

    return passing


@pytest.mark.parametrize(
    "failing", [answer("500 Oh"), answer("302 Found", "Location: http://127.0.0.1:1/\r\n"), b"nonsense", b""]
)
async def test_a_failed_delivery_is_made_again_with_the_same_id(
    mock_clock: MockClock,
    admin: Client,
    house: House,
    receiver: Receiver,
    next_later: NextLater,
    failing: bytes,
) -> None:
    receiver.answers += [failing]
    await make(admin, receiver.url, "CHAT")
    await tell(house, message())
    first = await receiver.next()
    again = await next_later(receiver)

    assert again.body == first.body
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert again.headers["webhook-timestamp"] != first.headers["webhook-timestamp"]


async def test_after_some_attempts_a_delivery_is_given_up_and_the_next_is_made(
    mock_clock: MockClock, admin: Client, house: House, receiver: Receiver, next_later: NextLater
) -> None:
    receiver.answers += [answer("500 Oh")] * (len(PAUSES) + 1)
    await make(admin, receiver.url, "CHAT")
    await tell(house, message("first"), message("second"))
    came = [await receiver.next(), *[await next_later(receiver) for _ in PAUSES], await receiver.next()]

    assert [each.data["eventData"]["rawBody"] for each in came] == ["first"] * 4 + ["second"]
    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert "given up: it answered 500" in line.message
    outbox = house.services.outbox
    assert not await house.storage.read(lambda transaction: outbox.list(transaction, state="dead"))


async def test_who_is_gone_is_asked_once(admin: Client, house: House, receiver: Receiver) -> None:
    receiver.answers += [answer("410 Gone")]
    await make(admin, receiver.url, "CHAT")
    await tell(house, message("first"), message("second"))

    assert (await receiver.next()).data["eventData"]["rawBody"] == "first"
    assert (await receiver.next()).data["eventData"]["rawBody"] == "second"
    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert "given up: it answered 410" in line.message


async def test_what_comes_on_top_of_a_full_queue_is_not_posted_and_said(
    admin: Client, house: House, receiver: Receiver
) -> None:
    made = await make(admin, "http://127.0.0.1:9/hook", "CHAT")
    await make(admin, receiver.url, "CHAT")

    def fill(transaction: Any) -> None:
        for number in range(MOST_WAITING):
            transaction.defer(DELIVER, Deliver(int(made["id"]), str(number), "{}"), key=made["id"])
        transaction.emit(message())

    await house.storage.write(fill)
    await receiver.next()

    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert line.message == "CHAT was not posted to 127.0.0.1:9: 100 deliveries wait already"
