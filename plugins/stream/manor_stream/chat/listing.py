"""Connections, as administrators and bots are shown them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from manor_stream.chat.clients import Client
from manor_stream.events import ChatUser
from manor_stream.watching.geoip import Geo, GeoIp


class ChatClient(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A connection to the chat.

    Args:
        connected_at: Since when.
        message_count: What it sent.
        user_agent: With which program.
        ip_address: Where from.
        username: Who; None where nobody has said.
        client_id: Its number as text, as readers of old have it.
        id: The same as a number.
        geo: Where the address is, if that is known.
        user: Who, whole.
    """

    connected_at: datetime
    message_count: int
    user_agent: str
    ip_address: str
    username: str | None
    client_id: str = msgspec.field(name="clientID")
    id: int
    geo: Geo | None
    user: ChatUser | None


async def listed(clients: Iterable[Client], geoip: GeoIp) -> list[ChatClient]:
    """Connections as they are now, with the places of their addresses."""
    there = list(clients)
    places = await geoip.look_up({client.address for client in there})
    return [_listed(client, places.get(client.address)) for client in there]


def _listed(client: Client, geo: Geo | None) -> ChatClient:
    return ChatClient(
        connected_at=client.connected_at,
        message_count=client.message_count,
        user_agent=client.user_agent,
        ip_address=client.address,
        username=client.user.display_name if client.user else None,
        client_id=str(client.id),
        id=client.id,
        geo=geo,
        user=client.user,
    )
