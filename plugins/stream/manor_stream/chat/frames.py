"""The JSON of every frame, both ways. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from manor_stream.chat.rules import COLORS
from manor_stream.events import ChatMessageSent, ChatNameChanged, ChatUser, ChatUserJoined, ChatUserParted

CHAT = "CHAT"
SYSTEM = "SYSTEM"
ACTION = "CHAT_ACTION"

NEEDS_REGISTRATION = "ERROR_NEEDS_REGISTRATION"
TOO_MANY_CONNECTIONS = "ERROR_MAX_CONNECTIONS_EXCEEDED"
USER_DISABLED = "ERROR_USER_DISABLED"
CHAT_DISABLED = "CHAT_DISABLED"

# --- What clients send -------------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True, tag="CHAT", tag_field="type"):
    """A message. `author` counts on the socket without registration alone."""

    body: str
    author: str = ""


class Renamed(msgspec.Struct, frozen=True, tag="NAME_CHANGE", tag_field="type", rename="camel"):
    """Another name."""

    new_name: str
    old_name: str = ""


class Joined(msgspec.Struct, frozen=True, tag="USER_JOINED", tag_field="type"):
    """On the socket without registration: who is there."""

    username: str = ""


class Recolored(msgspec.Struct, frozen=True, tag="COLOR_CHANGE", tag_field="type", rename="camel"):
    """Another color."""

    new_color: Annotated[int, Meta(ge=0, lt=COLORS)]


Heard = Said | Renamed | Joined | Recolored

MOST_OBJECTS = 16
"""Lines of one frame that are looked at; nobody may say as much as that at once."""

_heard: msgspec.json.Decoder[Heard] = msgspec.json.Decoder(Heard)


def read_frame(text: str) -> list[Heard]:
    """What a client's frame says: one JSON object, or several, a line each. What nobody understands is left out."""
    whole = _read(text)
    if whole is not None:
        return [whole]
    # Not `splitlines`, which also parts lines at signs that may stand within JSON's texts.
    lines = text.split("\n", MOST_OBJECTS)[:MOST_OBJECTS]
    return [heard for line in lines if (heard := _read(line)) is not None] if len(lines) > 1 else []


def _read(text: str) -> Heard | None:
    try:
        return _heard.decode(text.encode())
    # Lone surrogates are no UTF-8, and a thousand brackets one within the other are read by nobody.
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


# --- What they are told ------------------------------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A message, as frames and lists have it; the union of what readers of both sockets look for.

    Args:
        type: `CHAT`, `SYSTEM`, `CHAT_ACTION`; `VISIBILITY-UPDATE` where it was hidden, or is shown again.
        id: Its own.
        timestamp: When it was written.
        author: The name beside it.
        body: HTML that is safe to show.
        visible: Whether viewers see it.
        user: Who wrote it.
        client_id: The connection it came by; 0 for none.
        ids: Its id once more, in a `VISIBILITY-UPDATE`.
    """

    type: str
    id: UUID
    timestamp: datetime
    author: str
    body: str
    visible: bool
    user: ChatUser | None
    client_id: int = 0
    ids: tuple[UUID, ...] | UnsetType = UNSET


class NameChange(msgspec.Struct, frozen=True, rename="camel", tag="NAME_CHANGE", tag_field="type", kw_only=True):
    """Somebody is called otherwise. `image` is a relic: readers of old look for it."""

    id: UUID
    timestamp: datetime
    old_name: str
    new_name: str
    user: ChatUser
    image: str = ""


class UserJoined(msgspec.Struct, frozen=True, tag="USER_JOINED", tag_field="type", kw_only=True):
    """Somebody came."""

    id: UUID
    timestamp: datetime
    username: str
    user: ChatUser


class UserParted(msgspec.Struct, frozen=True, tag="USER_PARTED", tag_field="type", kw_only=True):
    """Somebody left."""

    id: UUID
    timestamp: datetime
    username: str
    user: ChatUser


class ColorChange(msgspec.Struct, frozen=True, rename="camel", tag="COLOR_CHANGE", tag_field="type", kw_only=True):
    """Somebody has another color."""

    id: UUID
    timestamp: datetime
    new_color: int
    user: ChatUser


class ConnectedUserInfo(msgspec.Struct, frozen=True, tag="CONNECTED_USER_INFO", tag_field="type", kw_only=True):
    """Who one is: the first frame of the socket with registration, and sent again when one's rights change."""

    id: UUID
    timestamp: datetime
    user: ChatUser


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why a socket is closed; `type` is for programs, `message` for people."""

    type: str
    id: UUID
    timestamp: datetime
    message: str


Told = Message | NameChange | UserJoined | UserParted | ColorChange | ConnectedUserInfo | Trouble

PING = b'{"type":"PING"}'

_SENTENCES = {
    NEEDS_REGISTRATION: "Register at /api/chat/register and bring its accessToken",
    TOO_MANY_CONNECTIONS: "Too many connections are open from here",
    USER_DISABLED: "You may not take part in this chat",
    CHAT_DISABLED: "The chat is disabled",
}

encode = msgspec.json.Encoder().encode


def server_user(name: str, created_at: datetime) -> ChatUser:
    """The `user` of what the server itself says: readers show its name."""
    return ChatUser(id="", display_name=name, display_color=0, created_at=created_at)


def trouble(kind: str, id_: UUID, now: datetime) -> Trouble:
    """The frame that says why a socket is closed."""
    return Trouble(type=kind, id=id_, timestamp=now, message=_SENTENCES[kind])


def message_of(event: ChatMessageSent) -> Message:
    """The frame of a message that was sent."""
    user = event.user or server_user(event.author, event.timestamp)
    return Message(
        type=event.kind,
        id=event.id,
        timestamp=event.timestamp,
        author=event.author,
        body=event.body,
        visible=event.visible,
        user=user,
        client_id=event.client_id,
    )


def visibility_of(message: Message) -> Message:
    """The frame that says whether a message is seen from now on."""
    return msgspec.structs.replace(message, type="VISIBILITY-UPDATE", ids=(message.id,))


def name_change_of(event: ChatNameChanged) -> NameChange:
    """The frame of somebody's other name."""
    return NameChange(
        id=event.id, timestamp=event.timestamp, old_name=event.old_name, new_name=event.new_name, user=event.user
    )


def joined_of(event: ChatUserJoined) -> UserJoined:
    """The frame of somebody who came."""
    return UserJoined(id=event.id, timestamp=event.timestamp, username=event.user.display_name, user=event.user)


def parted_of(event: ChatUserParted) -> UserParted:
    """The frame of somebody who left."""
    return UserParted(id=event.id, timestamp=event.timestamp, username=event.user.display_name, user=event.user)
