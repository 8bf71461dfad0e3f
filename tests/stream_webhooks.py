"""What webhooks of the stream post, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from manor import Event
from manor.testing import Client, House
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
)
from manor_stream.webhooks.payloads import EVENTS

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
    """Somebody wrote."""
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
    """A broadcast is live."""
    return StreamStarted(ID, "Attic radio", "From the attic", "Friday night", "https://stream.example.org", NOON)


def stopped() -> StreamStopped:
    """A broadcast is over."""
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
        ChatNameChanged(ID, ADA, 7, "Eve", "Ada", NOON),
        "NAME_CHANGE",
        {"id": str(ID), "user": ADA_SHOWN, "clientId": 7, "oldName": "Eve", "newName": "Ada", "timestamp": TIME},
    ),
    (
        ChatUserJoined(ID, ADA, 7, NOON),
        "USER_JOINED",
        {"id": str(ID), "user": ADA_SHOWN, "clientId": 7, "username": "Ada", "timestamp": TIME},
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


async def make(admin: Client, url: str, *events: str) -> dict[str, Any]:
    """A webhook with its secret, as the API gives it; it hears of all there is unless told."""
    answered = await admin.post("/api/admin/webhooks/create", json={"url": url, "events": events or EVENTS})
    assert answered.status == 200, answered.text
    made: dict[str, Any] = answered.json()
    return made


async def listed(admin: Client) -> list[dict[str, Any]]:
    """All webhooks, as the API lists them."""
    answered = await admin.get("/api/admin/webhooks")
    assert answered.status == 200
    found: list[dict[str, Any]] = answered.json()
    return found


async def tell(house: House, *events: Event) -> None:
    """Have something happen."""

    def work(transaction: Any) -> None:
        for event in events:
            transaction.emit(event)

    await house.storage.write(work)
