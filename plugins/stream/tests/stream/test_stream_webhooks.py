"""Webhooks: what may be asked for, and what they would post."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from manor import Event
from manor.testing import Client, House
from manor_stream.events import ViewerCountChanged
from manor_stream.webhooks import keeping
from manor_stream.webhooks.payloads import EVENTS, payload_of
from tests.stream_webhooks import ID, PAYLOADS, TIME, listed, make, message


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


async def test_there_are_so_many_webhooks(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_WEBHOOKS", 1)
    await make(admin, "https://example.org/hook")

    body = {"url": "https://example.org/hook", "events": ["CHAT"]}
    answer = await admin.post("/api/admin/webhooks/create", json=body)
    assert (answer.status, answer.json()["message"]) == (400, "There are 1 webhooks; delete one first")


async def test_what_is_made_and_deleted_is_in_the_audit_log_without_its_secret(admin: Client, house: House) -> None:
    made = await make(admin, "https://example.org/hook/a-secret-of-the-receivers", "CHAT")
    await admin.post("/api/admin/webhooks/delete", json={"id": made["id"]})

    rows = await house.storage.read(lambda transaction: list(house.services.audit.list(transaction)))
    assert [(row.action, row.actor) for row in rows] == [
        ("stream.webhook_made", "admin"),
        ("stream.webhook_deleted", "admin"),
    ]
    detail = {"webhook": 1, "host": "example.org", "events": ["CHAT"]}
    assert [json.loads(row.detail or "") for row in rows] == [detail] * 2


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
