"""Posting in tests: a crew whose clock goes on with each post, and what the sockets were told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from manor import Event, from_chat_id, to_chat_id
from manor.testing import Answer, House, SetClock
from manor_chat.events import Told
from manor_chat.store.channels import Channel, ChannelMember, find_channel, find_member
from tests.chat_people import API, Chatter, Crew


def id_of(text: str) -> UUID:
    """The id that a client wrote."""
    found = from_chat_id(text)
    assert found is not None, text
    return found


@dataclass(frozen=True)
class Desk:
    """What tests of posts do: the crew writes in `off_topic` unless another channel is named."""

    house: House
    crew: Crew
    clock: SetClock
    heard: list[Event]

    @property
    def channel(self) -> str:
        """The id of `off_topic`."""
        return to_chat_id(self.crew.off_topic.id)

    def wait(self, seconds: float = 1) -> int:
        """Let time pass; gives the time then, in milliseconds."""
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        return int(self.clock.now().timestamp() * 1000)

    async def send(self, who: Chatter, **body: Any) -> Answer:
        """Try to post, a second later."""
        self.wait()
        return await who.client.post(f"{API}/posts", json={"channel_id": self.channel} | body)

    async def post(self, who: Chatter, message: str = "Hello", **body: Any) -> dict[str, Any]:
        """A post that somebody wrote, as they were answered."""
        answer = await self.send(who, message=message, **body)
        assert answer.status == 201, answer.text
        post: dict[str, Any] = answer.json()
        return post

    async def reply(self, who: Chatter, root: dict[str, Any], message: str = "Yes", **body: Any) -> dict[str, Any]:
        """A reply to a post."""
        return await self.post(who, message, root_id=root["id"], channel_id=root["channel_id"], **body)

    async def get(self, who: Chatter, path: str, **query: str | int) -> Any:
        """What somebody reads."""
        answer = await who.client.get(API + path, query=query)
        assert answer.status == 200, answer.text
        return answer.json()

    async def do(self, who: Chatter, method: str, path: str, body: Any = None) -> Any:
        """What somebody does, and may."""
        options = {} if body is None else {"json": body}
        answer = await who.client.request(method, API + path, **options)
        assert answer.status in (200, 201), answer.text
        return answer.json()

    async def direct(self, *people: Chatter) -> str:
        """The id of the channel of these people."""
        kind = "direct" if len(people) == 2 else "group"
        channel = await self.do(people[0], "POST", f"/channels/{kind}", [each.chat_id for each in people])
        channel_id: str = channel["id"]
        return channel_id

    async def member(self, who: Chatter, channel_id: str = "") -> ChannelMember:
        """Somebody's part in a channel."""
        wanted = id_of(channel_id or self.channel)
        found = await self.house.storage.read(lambda transaction: find_member(transaction, wanted, who.id))
        assert found is not None
        return found

    async def counts(self, who: Chatter, channel_id: str = "") -> tuple[int, int, int, int]:
        """What somebody has not read of a channel: posts, roots, mentions, mentions in roots."""
        wanted = id_of(channel_id or self.channel)
        channel: Channel | None = await self.house.storage.read(lambda transaction: find_channel(transaction, wanted))
        assert channel is not None
        mine = await self.member(who, channel_id)
        return (
            channel.total_msg_count - mine.msg_count,
            channel.total_msg_count_root - mine.msg_count_root,
            mine.mention_count,
            mine.mention_count_root,
        )

    def told(self, event: str) -> list[Told]:
        """The events of one name."""
        return [each for each in self.heard if isinstance(each, Told) and each.event == event]

    def data(self, event: str) -> dict[str, Any]:
        """The data of the last event of that name."""
        found: dict[str, Any] = json.loads(self.told(event)[-1].data)
        return found
