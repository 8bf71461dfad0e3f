"""What every team has, and what one post changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import trio.testing

from manor import Event, Transaction, add_member, create_team, from_chat_id, remove_member
from manor.testing import House
from manor_chat.events import ChannelMemberChanged, PostCreated, Told
from manor_chat.store.channels import Channel, ChannelMember, find_channel, find_channel_by_name, find_member
from manor_chat.store.posts import find_post
from tests.chat_people import Crew, chatter, said


async def member_of(house: House, channel: Channel, user_id: UUID) -> ChannelMember | None:
    return await house.storage.read(lambda transaction: find_member(transaction, channel.id, user_id))


async def channel_of(house: House, channel: Channel) -> Channel:
    found = await house.storage.read(lambda transaction: find_channel(transaction, channel.id))
    assert found is not None
    return found


async def test_a_team_made_by_another_api_has_its_channels_here_with_everybody_in_them(house: House) -> None:
    ann, bob = await chatter(house, "ann"), await chatter(house, "bob")

    def make(transaction: Transaction) -> UUID:
        team = create_team(transaction, ann.id, name="crew", display_name="Crew")
        add_member(transaction, team.id, bob.id)
        return team.id

    team_id = await house.storage.write(make)
    await trio.testing.wait_all_tasks_blocked()

    square = await house.storage.read(lambda transaction: find_channel_by_name(transaction, team_id, "town-square"))
    assert square is not None
    assert await member_of(house, square, ann.id) is not None
    assert await member_of(house, square, bob.id) is not None

    await house.storage.write(lambda transaction: remove_member(transaction, team_id, bob.id))
    await trio.testing.wait_all_tasks_blocked()
    assert await member_of(house, square, bob.id) is None


async def test_a_post_counts_for_its_channel_and_is_read_by_its_author(house: House, crew: Crew) -> None:
    before = await channel_of(house, crew.off_topic)
    post_id = await said(house, crew.ann, crew.off_topic, "Hello #world1, see `@bob`")
    after = await channel_of(house, crew.off_topic)

    assert after.total_msg_count == before.total_msg_count + 1
    assert after.total_msg_count_root == before.total_msg_count_root + 1
    assert after.last_sequence == before.last_sequence + 1
    ann = await member_of(house, crew.off_topic, crew.ann.id)
    bob = await member_of(house, crew.off_topic, crew.bob.id)
    assert ann is not None
    assert bob is not None
    assert ann.msg_count == after.total_msg_count
    assert bob.msg_count == before.total_msg_count
    assert bob.mention_count == 0
    known = from_chat_id(post_id)
    assert known is not None
    post = await house.storage.read(lambda transaction: find_post(transaction, known))
    assert post is not None
    assert (post.hashtags, post.sequence) == ("#world1", after.last_sequence)


@pytest.mark.parametrize("message", ["@bob", "hi @Bob.", "@channel look", "@all"])
async def test_a_mention_counts_for_whom_it_means(house: House, crew: Crew, heard: list[Event], message: str) -> None:
    await said(house, crew.ann, crew.off_topic, message)

    bob = await member_of(house, crew.off_topic, crew.bob.id)
    ann = await member_of(house, crew.off_topic, crew.ann.id)
    assert bob is not None
    assert ann is not None
    assert (bob.mention_count, bob.mention_count_root, ann.mention_count) == (1, 1, 0)
    (told,) = [event for event in heard if isinstance(event, Told) and event.event == "posted" and event.mentions]
    assert told.mentions == (crew.bob.id,)


async def test_comings_and_goings_leave_nothing_unread(house: House, heard: list[Event]) -> None:
    crew = await Crew.gather(house)
    square = await channel_of(house, crew.town_square)
    assert square.total_msg_count == 0
    assert square.last_sequence == 2
    joined = [event for event in heard if isinstance(event, ChannelMemberChanged)]
    assert {event.user_id for event in joined} == {crew.ann.id, crew.bob.id}
    assert [event.type for event in heard if isinstance(event, PostCreated)].count("system_join_channel") == 4


async def test_a_reply_is_followed_by_who_wrote_and_who_is_named(house: House, crew: Crew, heard: list[Event]) -> None:
    root = from_chat_id(await said(house, crew.ann, crew.off_topic, "A question"))
    await said(house, crew.bob, crew.off_topic, "An answer", root_id=root)

    told = [event for event in heard if isinstance(event, Told) and event.event == "posted"]
    assert set(told[-1].followers) == {crew.ann.id, crew.bob.id}
    assert root is not None
    post: Any = await house.storage.read(lambda transaction: find_post(transaction, root))
    assert post.reply_count == 1
    channel = await channel_of(house, crew.off_topic)
    assert (channel.total_msg_count, channel.total_msg_count_root) == (2, 1)
