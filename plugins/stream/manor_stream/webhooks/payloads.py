"""What is posted when something happens: pure. Older and newer readers of the API find their own members in it."""

from __future__ import annotations

from typing import Any

from manor import Event
from manor_stream.events import (
    ChatMessageSent,
    ChatNameChanged,
    ChatUserJoined,
    ChatUserParted,
    ChatVisibilityChanged,
    StreamStarted,
    StreamStopped,
    StreamTitleChanged,
)

CHAT = "CHAT"

EVENTS = (
    CHAT,
    "NAME_CHANGE",
    "USER_JOINED",
    "USER_PARTED",
    "VISIBILITY-UPDATE",
    "STREAM_STARTED",
    "STREAM_STOPPED",
    "STREAM_TITLE_UPDATED",
)
"""What a webhook may want to hear of."""


def payload_of(event: Event, number: str) -> tuple[str, dict[str, Any]] | None:
    """What is posted of an event.

    Args:
        event: What happened.
        number: Names it where the event has no id of its own.

    Returns:
        Its type, and its data; None for what no webhook hears of.
    """
    match event:
        case ChatMessageSent():
            # What the server itself says is nobody's message: a bot that answers messages would answer itself.
            return (CHAT, _message(event)) if event.kind == CHAT else None
        case ChatNameChanged():
            data = {
                "user": event.user,
                "clientId": event.client_id,
                "oldName": event.old_name,
                "newName": event.new_name,
            }
            return "NAME_CHANGE", data | {"id": event.id, "timestamp": event.timestamp}
        case ChatUserJoined():
            # Bots greet who comes with `POST /api/integrations/chat/system/client/{clientId}`.
            return "USER_JOINED", _coming(event) | {"clientId": event.client_id}
        case ChatUserParted():
            return "USER_PARTED", _coming(event)
        case ChatVisibilityChanged():
            return "VISIBILITY-UPDATE", {"ids": event.ids, "visible": event.visible, "timestamp": event.timestamp}
        case StreamStarted():
            status = {"online": True, "lastConnectTime": event.timestamp, "lastDisconnectTime": None}
            return "STREAM_STARTED", _stream(event, id=event.broadcast_id, status=status)
        case StreamStopped():
            status = {"online": False, "lastConnectTime": None, "lastDisconnectTime": event.timestamp}
            status["sessionMaxViewerCount"] = event.peak_viewers
            return "STREAM_STOPPED", _stream(event, id=event.broadcast_id, status=status)
        case StreamTitleChanged():
            return "STREAM_TITLE_UPDATED", _stream(event, id=number)
        case _:
            return None


def _message(event: ChatMessageSent) -> dict[str, Any]:
    return {
        "id": event.id,
        "author": event.author,
        "user": event.user,
        "clientId": event.client_id,
        "body": event.body,
        "rawBody": event.raw_body,
        "visible": event.visible,
        "timestamp": event.timestamp,
    }


def _coming(event: ChatUserJoined | ChatUserParted) -> dict[str, Any]:
    return {
        "id": event.id,
        "user": event.user,
        "username": event.user.display_name,
        "timestamp": event.timestamp,
    }


def _stream(event: StreamStarted | StreamStopped | StreamTitleChanged, **more: Any) -> dict[str, Any]:
    data = {
        "name": event.server_name,
        "summary": event.summary,
        "streamTitle": event.stream_title,
        "timestamp": event.timestamp,
    }
    if "status" in more:
        more["status"]["streamTitle"] = event.stream_title
    return data | more
