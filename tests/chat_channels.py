"""Channels in chat for tests: made through the API, with what was told and said of them."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select

from manor import Event, from_chat_id
from manor.testing import Answer
from manor_chat.events import Told
from manor_chat.store.channels import Channel, find_channel
from manor_chat.store.posts import POST
from manor_chat.tables.posts import posts
from tests.chat_people import API, Chatter, Crew

CHANNEL_KEYS = {
    "id", "create_at", "update_at", "delete_at", "team_id", "type", "display_name", "name", "header", "purpose",
    "last_post_at", "total_msg_count", "extra_update_at", "creator_id", "scheme_id", "props", "group_constrained",
    "shared", "total_msg_count_root", "policy_id", "last_root_post_at",
}  # fmt: skip
MEMBER_KEYS = {
    "channel_id", "user_id", "roles", "last_viewed_at", "msg_count", "mention_count", "mention_count_root",
    "urgent_mention_count", "msg_count_root", "notify_props", "last_update_at", "scheme_guest", "scheme_user",
    "scheme_admin", "explicit_roles",
}  # fmt: skip
_TEXTS = ("channel", "channelMember", "updatedCategories", "teammate_ids", "post", "preferences")


async def made(crew: Crew, who: Chatter, name: str, **more: Any) -> dict[str, Any]:
    """A channel of the crew's that somebody made, as they were shown it."""
    body = {"team_id": crew.team, "name": name, "display_name": name.title(), "type": "O", **more}
    answer = await who.client.post(f"{API}/channels", json=body)
    assert answer.status == 201, answer.text
    channel: dict[str, Any] = answer.json()
    return channel


async def direct(who: Chatter, *others: Chatter) -> dict[str, Any]:
    """The channel of somebody with another, or with others."""
    kind = "direct" if len(others) == 1 else "group"
    answer = await who.client.post(f"{API}/channels/{kind}", json=[who.chat_id, *(each.chat_id for each in others)])
    assert answer.status == 201, answer.text
    channel: dict[str, Any] = answer.json()
    return channel


def told(heard: list[Event], name: str) -> list[tuple[Told, Any]]:
    """The events of that name with their data, objects in texts taken apart."""
    found = [event for event in heard if isinstance(event, Told) and event.event == name]
    return [(event, _apart(msgspec.json.decode(event.data))) for event in found]


def _apart(data: dict[str, Any]) -> dict[str, Any]:
    return {name: msgspec.json.decode(value) if name in _TEXTS else value for name, value in data.items()}


def refused(answer: Answer) -> tuple[int, str]:
    """Status and id of a refusal."""
    body = answer.json()
    assert body["status_code"] == answer.status
    return answer.status, body["id"]


async def kept(crew: Crew, channel: dict[str, Any]) -> Channel:
    """A channel as it is kept."""
    channel_id = from_chat_id(channel["id"])
    assert channel_id is not None
    found = await crew.house.storage.read(lambda transaction: find_channel(transaction, channel_id))
    assert found is not None
    return found


async def posts_of(crew: Crew, channel: dict[str, Any]) -> list[dict[str, Any]]:
    """The posts of a channel, newest first."""
    channel_id = from_chat_id(channel["id"])
    query = select(*POST).where(posts.c.channel_id == channel_id).order_by(posts.c.sequence.desc())

    def work(transaction: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in transaction.connection.execute(query).mappings()]

    return await crew.house.storage.read(work)
