"""Frames of the WebSocket as text in UTF-8: events that are encoded once for everybody, their numbers, and replies."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from manor_chat.events import Told
from manor_chat.ids import shown_id


class Broadcast(msgspec.Struct, frozen=True):
    """Whom an event is for, as the API shows it. `omit_users` is a map: clients in Go decode nothing else."""

    omit_users: dict[str, bool] | None
    user_id: str
    channel_id: str
    team_id: str
    connection_id: str
    omit_connection_id: str


class Encoded:
    """An event without its number: what everybody hears, and what somebody hears whom it mentions.

    Args:
        told: The event; its data are encoded already.
    """

    __slots__ = ("_end", "_start", "plain")

    def __init__(self, told: Told) -> None:
        broadcast = Broadcast(
            omit_users={shown_id(each): True for each in told.omit_users} or None,
            user_id=shown_id(told.user_id),
            channel_id=shown_id(told.channel_id),
            team_id=shown_id(told.team_id),
            connection_id="",
            omit_connection_id=told.omit_connection,
        )
        self._start = b'{"event":%s,"data":%s' % (msgspec.json.encode(told.event), told.data[:-1])
        self._end = b'},"broadcast":%s' % msgspec.json.encode(broadcast)
        self.plain = self._start + self._end

    def about(self, user_id: str, *, is_mentioned: bool, is_follower: bool) -> bytes:
        """The event as this person hears it: of all who are mentioned, clients are told of themselves alone."""
        more = f',"mentions":"[\\"{user_id}\\"]"' if is_mentioned else ""
        if is_follower:
            more += f',"followers":"[\\"{user_id}\\"]"'
        return self._start + (more[1:] if self._start.endswith(b"{") else more).encode() + self._end


def seal(body: bytes, seq: int) -> bytes:
    """An event with its number, which differs from connection to connection."""
    return b'%s,"seq":%d}' % (body, seq)


class Fault(msgspec.Struct, frozen=True):
    """Why a request was not done."""

    id: str
    message: str
    detailed_error: str
    status_code: int


class _Response(msgspec.Struct, frozen=True, omit_defaults=True):
    status: str
    seq_reply: int = 0
    data: Any | UnsetType = UNSET
    error: Fault | UnsetType = UNSET


def reply(seq: int, data: Any = None) -> str:
    """The answer to a request that was done. Replies have no number of their own and take none from the events."""
    return msgspec.json.encode(_Response("OK", seq, UNSET if data is None else data)).decode()


def failure(seq: int, fault: Fault) -> str:
    """The answer to a request that was not done."""
    return msgspec.json.encode(_Response("FAIL", seq, error=fault)).decode()


def hello(version: str, connection_id: str) -> bytes:
    """The first event of a connection, without its number."""
    told = Told(event="hello", data=msgspec.json.encode({"server_version": version, "connection_id": connection_id}))
    return Encoded(told).plain
