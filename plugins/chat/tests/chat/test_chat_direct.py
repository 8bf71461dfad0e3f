"""Channels of people: direct and group ones."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from manor import Event
from tests.chat_channels import CHANNEL_KEYS, direct, kept, posts_of, refused, told
from tests.chat_people import API, Crew, chatter, said

UNKNOWN = "y" * 26


async def test_a_direct_channel_is_made_once_whoever_opens_it(crew: Crew, heard: list[Event]) -> None:
    heard.clear()
    channel = await direct(crew.ann, crew.eve)

    assert set(channel) == CHANNEL_KEYS
    ids = sorted((crew.ann.chat_id, crew.eve.chat_id))
    assert (channel["name"], channel["type"], channel["team_id"]) == ("__".join(ids), "D", "")
    assert (channel["display_name"], channel["creator_id"]) == ("", crew.ann.chat_id)
    ((event, data),) = told(heard, "direct_added")
    assert event.channel_id == (await kept(crew, channel)).id
    assert data == {"creator_id": crew.ann.chat_id, "teammate_id": crew.eve.chat_id}
    assert await direct(crew.eve, crew.ann) == channel
    assert len(told(heard, "direct_added")) == 1
    assert await posts_of(crew, channel) == []
    assert told(heard, "user_added") == []


@pytest.mark.parametrize("me", [True, False])
async def test_somebody_may_talk_to_themselves(crew: Crew, me: bool) -> None:
    own = "me" if me else crew.ann.chat_id
    answer = await crew.ann.client.post(f"{API}/channels/direct", json=[own, own])
    assert answer.status == 201
    channel = answer.json()
    assert channel["name"] == f"{crew.ann.chat_id}__{crew.ann.chat_id}"
    assert (await crew.ann.client.get(f"{API}/channels/{channel['id']}/stats")).json()["member_count"] == 1


async def test_a_direct_channel_is_opened_by_one_of_the_two(crew: Crew) -> None:
    both = [crew.ann.chat_id, crew.bob.chat_id]
    assert refused(await crew.eve.client.post(f"{API}/channels/direct", json=both))[0] == 403
    channel = (await crew.ada.client.post(f"{API}/channels/direct", json=both)).json()
    assert {each["user_id"] for each in await members(crew, channel)} == set(both)
    gone = await crew.ann.client.post(f"{API}/channels/direct", json=[crew.ann.chat_id, UNKNOWN])
    assert refused(gone) == (404, "app.user.missing_account.const")


async def members(crew: Crew, channel: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await crew.ann.client.get(f"{API}/channels/{channel['id']}/members")).json()
    return found


@pytest.mark.parametrize("body", [[], ["short", "short"], [UNKNOWN], [UNKNOWN] * 3, {"user_id": UNKNOWN}, [1, 2]])
async def test_a_direct_channel_is_of_two_ids(crew: Crew, body: Any) -> None:
    refusal = await crew.ann.client.post(f"{API}/channels/direct", json=body)
    assert refused(refusal) == (400, "api.context.invalid_body_param.app_error")


async def test_a_group_is_named_after_who_is_in_it(crew: Crew, heard: list[Event]) -> None:
    heard.clear()
    answer = await crew.ann.client.post(f"{API}/channels/group", json=[crew.eve.chat_id, crew.bob.chat_id])
    channel = answer.json()

    assert (answer.status, set(channel)) == (201, CHANNEL_KEYS)
    ids = sorted((crew.ann.chat_id, crew.bob.chat_id, crew.eve.chat_id))
    assert channel["name"] == hashlib.sha1("".join(ids).encode()).hexdigest()
    assert (channel["type"], channel["team_id"], channel["display_name"]) == ("G", "", "ann, bob, eve")
    ((event, data),) = told(heard, "group_added")
    assert event.channel_id == (await kept(crew, channel)).id
    assert set(data["teammate_ids"]) == set(ids)
    assert await direct(crew.eve, crew.ann, crew.bob) == channel
    assert {each["user_id"] for each in await members(crew, channel)} == set(ids)


async def test_a_group_has_three_to_eight_people(crew: Crew) -> None:
    more = [await chatter(crew.house, f"extra{number}") for number in range(6)]
    size = (400, "api.channel.create_group.bad_size.app_error")
    two = await crew.ann.client.post(f"{API}/channels/group", json=[crew.ann.chat_id, crew.bob.chat_id])
    assert refused(two) == size
    ids = [each.chat_id for each in (crew.ann, crew.bob, *more)]
    assert (await crew.ann.client.post(f"{API}/channels/group", json=ids)).status == 201
    assert refused(await crew.eve.client.post(f"{API}/channels/group", json=ids)) == size
    unknown = await crew.ann.client.post(f"{API}/channels/group", json=[crew.bob.chat_id, UNKNOWN])
    assert refused(unknown)[0] == 404
    for body in ([], ["short"] * 3, "x"):
        assert refused(await crew.ann.client.post(f"{API}/channels/group", json=body))[0] == 400


@pytest.mark.parametrize("house_config", [{"plugins": {"chat": {"direct_messages_within_teams": True}}}])
async def test_a_server_may_keep_direct_messages_within_teams(crew: Crew) -> None:
    await direct(crew.ann, crew.bob)
    with_eve = [crew.ann.chat_id, crew.eve.chat_id]
    assert refused(await crew.ann.client.post(f"{API}/channels/direct", json=with_eve))[0] == 403
    group = [crew.ann.chat_id, crew.bob.chat_id, crew.eve.chat_id]
    assert refused(await crew.ann.client.post(f"{API}/channels/group", json=group))[0] == 403
    assert (await crew.ada.client.post(f"{API}/channels/direct", json=with_eve)).status == 201
    assert (await crew.ann.client.post(f"{API}/channels/direct", json=with_eve)).status == 201


async def test_those_in_it_alone_read_a_direct_channel_and_give_it_a_header(crew: Crew) -> None:
    channel = await direct(crew.ann, crew.bob)
    path = f"{API}/channels/{channel['id']}"
    assert refused(await crew.eve.client.get(path))[0] == 403
    stranger = await crew.eve.client.put(f"{path}/patch", json={"header": "x"})
    assert refused(stranger) == (403, "api.channel.patch_update_channel.forbidden.app_error")
    changed = await crew.bob.client.put(f"{path}/patch", json={"header": "Ahoy"})
    assert (changed.status, changed.json()["header"]) == (200, "Ahoy")
    assert [post["type"] for post in await posts_of(crew, channel)] == ["system_header_change"]
    refusal = await crew.bob.client.put(f"{path}/patch", json={"display_name": "Us"})
    assert refused(refusal)[0] == 400


@pytest.mark.parametrize("count", [2, 3])
async def test_nobody_comes_into_channels_of_people_or_leaves_them(crew: Crew, count: int) -> None:
    channel = await direct(*(crew.ann, crew.bob, crew.ada)[:count])
    path = f"{API}/channels/{channel['id']}"
    added = await crew.ann.client.post(f"{path}/members", json={"user_id": crew.eve.chat_id})
    assert refused(added) == (400, "api.channel.add_user_to_channel.type.app_error")
    left = await crew.ann.client.delete(f"{path}/members/me")
    assert refused(left) == (400, "api.channel.remove_channel_member.type.app_error")
    gone = await crew.ann.client.delete(path)
    assert refused(gone) == (400, "api.channel.delete_channel.type.invalid")
    assert refused(await crew.ann.client.put(f"{path}/privacy", json={"privacy": "O"}))[0] == 403
    assert refused(await crew.ada.client.put(f"{path}/privacy", json={"privacy": "O"}))[0] == 400
    assert refused(await crew.ann.client.post(f"{path}/restore"))[0] == 403


async def test_a_group_knows_the_teams_that_all_of_it_are_in(crew: Crew) -> None:
    shared = await direct(crew.bob, crew.ann, await in_crew(crew, "zoe"))
    mixed = await direct(crew.bob, crew.ann, crew.eve)
    found = (await crew.bob.client.get(f"{API}/channels/{shared['id']}/common_teams")).json()
    assert [(team["id"], team["email"]) for team in found] == [(crew.team, "")]
    assert (await crew.eve.client.get(f"{API}/channels/{mixed['id']}/common_teams")).json() == []
    assert refused(await crew.eve.client.get(f"{API}/channels/{shared['id']}/common_teams"))[0] == 403
    pair = await direct(crew.ann, crew.bob)
    assert refused(await crew.ann.client.get(f"{API}/channels/{pair['id']}/common_teams"))[0] == 400


async def in_crew(crew: Crew, name: str) -> Any:
    from manor import add_member

    new = await chatter(crew.house, name)
    await crew.house.storage.write(lambda transaction: add_member(transaction, crew.team_id, new.id))
    return new


async def test_a_direct_channel_is_found_by_its_name_in_any_team(crew: Crew) -> None:
    channel = await direct(crew.ann, crew.bob)
    await said(crew.house, crew.ann, await kept(crew, channel), "Ahoy")
    path = f"{API}/teams/{crew.team}/channels/name/{channel['name']}"
    assert (await crew.bob.client.get(path)).json()["id"] == channel["id"]
    assert refused(await crew.eve.client.get(path))[0] == 404
