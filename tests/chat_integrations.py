"""Integrations of chat for tests: a program on loopback that is called, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from sqlalchemy import select

from manor import from_chat_id
from manor.testing import Answer, Client, House
from manor_chat.store.posts import POST
from manor_chat.tables.posts import posts
from tests.chat_people import API, Chatter, Crew
from tests.webhook_receiver import Received, answer, open_receiver

LOOPBACK = {"server": {"outgoing": {"allow": ["127.0.0.1"]}}}
"""Programs on this machine may be called."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def says(value: Any) -> bytes:
    """An answer in JSON, as a program gives it."""
    return answer("200 OK", "Content-Type: application/json\r\n", msgspec.json.encode(value))


def says_text(text: str) -> bytes:
    """An answer in plain words."""
    return answer("200 OK", "Content-Type: text/plain\r\n", text.encode())


def fields_of(received: Received) -> dict[str, str]:
    """A form that came."""
    return dict(parse_qsl(received.body.decode(), keep_blank_values=True))


async def incoming(crew: Crew, channel_id: str, who: Chatter | None = None, **more: Any) -> dict[str, Any]:
    """A new incoming webhook."""
    body = {"channel_id": channel_id, "display_name": "Alarm", **more}
    answered = await (who or crew.ann).client.post(f"{API}/hooks/incoming", json=body)
    assert answered.status == 201, answered.text
    hook: dict[str, Any] = answered.json()
    return hook


async def outgoing(crew: Crew, url: str, **more: Any) -> dict[str, Any]:
    """A new outgoing webhook."""
    body = {"team_id": crew.team, "display_name": "Robot", "callback_urls": [url], **more}
    answered = await crew.ann.client.post(f"{API}/hooks/outgoing", json=body)
    assert answered.status == 201, answered.text
    hook: dict[str, Any] = answered.json()
    return hook


async def command(crew: Crew, url: str, trigger: str = "weather", **more: Any) -> dict[str, Any]:
    """A new slash command."""
    body = {"team_id": crew.team, "trigger": trigger, "method": "P", "url": url, **more}
    answered = await crew.ann.client.post(f"{API}/commands", json=body)
    assert answered.status == 201, answered.text
    made: dict[str, Any] = answered.json()
    return made


async def typed(who: Chatter, channel_id: str, text: str, **more: Any) -> Answer:
    """Somebody types a command."""
    return await who.client.post(f"{API}/commands/execute", json={"channel_id": channel_id, "command": text, **more})


async def posted_to(house: House, path: str, value: Any = None, **options: Any) -> Answer:
    """Somebody outside posts."""
    if value is not None:
        options["json"] = value
    return await Client(house.dispatcher).post(path, **options)


async def posts_in(house: House, channel_id: str) -> list[Mapping[str, Any]]:
    """What stands in a channel, the newest first, but for what the server says."""
    found = from_chat_id(channel_id)
    query = select(*POST).where(posts.c.channel_id == found, posts.c.original_id.is_(None))
    query = query.where(posts.c.type.not_like("system%")).order_by(posts.c.sequence.desc())
    return await house.storage.read(
        lambda transaction: [dict(row) for row in transaction.connection.execute(query).mappings()]
    )


async def reply_path(crew: Crew, channel_id: str) -> str:
    """Where a command that was just typed may say more."""
    async with open_receiver(answer("200 OK")) as receiver:
        await command(crew, receiver.url)
        assert (await typed(crew.ann, channel_id, "/weather")).status == 200
        return urlsplit(fields_of(await receiver.next())["response_url"]).path
