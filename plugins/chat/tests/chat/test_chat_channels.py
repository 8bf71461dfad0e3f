"""Channels of a team: making, changing, converting, archiving and restoring them."""

from __future__ import annotations

from typing import Any

import pytest

from manor import Event, from_chat_id, set_team_active
from manor_chat.store.posts import change_post, find_post
from tests.chat_channels import CHANNEL_KEYS, made, posts_of, refused, told
from tests.chat_people import API, Crew, said

UNKNOWN = "y" * 26


# --- Making --------------------------------------------------------------------------------------------------------


async def test_whoever_makes_a_channel_is_in_it_and_leads_it(crew: Crew, heard: list[Event]) -> None:
    heard.clear()
    channel = await made(crew, crew.bob, "helm", header="**Ahoy**", purpose="Steering", type="P")

    assert set(channel) == CHANNEL_KEYS
    assert (channel["type"], channel["header"], channel["purpose"]) == ("P", "**Ahoy**", "Steering")
    assert (channel["team_id"], channel["creator_id"], channel["delete_at"]) == (crew.team, crew.bob.chat_id, 0)
    member = (await crew.bob.client.get(f"{API}/channels/{channel['id']}/members/me")).json()
    assert (member["roles"], member["scheme_admin"]) == ("channel_user channel_admin", True)
    ((event, data),) = told(heard, "channel_created")
    assert event.user_id == crew.bob.id
    assert data == {"channel_id": channel["id"], "team_id": crew.team}
    assert [post["type"] for post in await posts_of(crew, channel)] == ["system_join_channel"]


async def test_a_name_is_taken_once_in_a_team_whether_archived_or_not(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    body = {"team_id": crew.team, "name": "helm", "display_name": "Helm", "type": "O"}

    taken = (400, "store.sql_channel.save_channel.exists.app_error")
    assert refused(await crew.bob.client.post(f"{API}/channels", json=body)) == taken
    await crew.ann.client.delete(f"{API}/channels/{channel['id']}")
    assert refused(await crew.bob.client.post(f"{API}/channels", json=body)) == taken


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"team_id": "crew"}, "api.context.invalid_body_param.app_error"),
        ({"type": "D"}, "api.channel.create_channel.direct_channel.app_error"),
        ({"type": "X"}, "model.channel.is_valid.type.app_error"),
        ({"type": 7}, "api.context.invalid_body_param.app_error"),
        ({"name": ""}, "model.channel.is_valid.1_or_more.app_error"),
        ({"name": "Helm"}, "model.channel.is_valid.1_or_more.app_error"),
        ({"name": "_helm"}, "model.channel.is_valid.1_or_more.app_error"),
        ({"name": "x" * 65}, "model.channel.is_valid.1_or_more.app_error"),
        ({"name": f"{'a' * 26}__{'b' * 26}"}, "model.channel.is_valid.name.app_error"),
        ({"display_name": "  "}, "model.channel.is_valid.display_name.app_error"),
        ({"display_name": "x" * 65}, "model.channel.is_valid.display_name.app_error"),
        ({"header": "x" * 1025}, "model.channel.is_valid.header.app_error"),
        ({"purpose": "x" * 251}, "model.channel.is_valid.purpose.app_error"),
    ],
)
async def test_what_no_channel_can_be_is_refused(crew: Crew, wrong: dict[str, Any], code: str) -> None:
    body = {"team_id": crew.team, "name": "helm", "display_name": "Helm", "type": "O", **wrong}
    assert refused(await crew.ann.client.post(f"{API}/channels", json=body)) == (400, code)


async def test_channels_are_made_by_those_in_the_team(crew: Crew) -> None:
    body = {"team_id": crew.team, "name": "helm", "display_name": "Helm", "type": "O"}
    assert refused(await crew.eve.client.post(f"{API}/channels", json=body))[0] == 403
    unknown = await crew.ann.client.post(f"{API}/channels", json=body | {"team_id": UNKNOWN})
    assert refused(unknown) == (404, "app.team.get.find.app_error")
    assert (await crew.ada.client.post(f"{API}/channels", json=body)).status == 201


# --- Changing ------------------------------------------------------------------------------------------------------


async def test_what_changes_about_a_channel_is_said_in_it_and_told(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.ann, "helm", purpose="Steering")
    path = f"{API}/channels/{channel['id']}"
    heard.clear()
    changes = {"display_name": "The helm", "header": "Ahoy", "purpose": "", "name": "the-helm"}
    changed = (await crew.ann.client.put(f"{path}/patch", json=changes)).json()

    assert set(changed) == CHANNEL_KEYS
    assert {name: changed[name] for name in changes} == changes
    assert changed["total_msg_count"] == 3
    ((event, data),) = told(heard, "channel_updated")
    assert event.channel_id == from_chat_id(channel["id"])
    assert data["channel"] == changed
    said_ = {post["type"]: post["props"] for post in await posts_of(crew, channel)}
    del said_["system_join_channel"]
    assert said_ == {
        "system_displayname_change": {"username": "ann", "old_displayname": "Helm", "new_displayname": "The helm"},
        "system_header_change": {"username": "ann", "old_header": "", "new_header": "Ahoy"},
        "system_purpose_change": {"username": "ann", "old_purpose": "Steering", "new_purpose": ""},
    }


async def test_an_update_names_its_channel_and_leaves_what_it_does_not_name(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm", header="Ahoy")
    path = f"{API}/channels/{channel['id']}"

    updated = await crew.ann.client.put(path, json=channel | {"display_name": "The helm", "props": {}})
    assert (updated.status, updated.json()["display_name"], updated.json()["header"]) == (200, "The helm", "Ahoy")
    assert (await crew.ann.client.put(path, json={"id": channel["id"], "purpose": "x"})).json()["header"] == "Ahoy"
    assert refused(await crew.ann.client.put(path, json=channel | {"id": UNKNOWN}))[0] == 400
    assert refused(await crew.ann.client.put(path, json={"purpose": "x"}))[0] == 400
    quiet = (await crew.ann.client.put(f"{path}/patch", json={"header": "Ahoy"})).json()
    assert quiet["total_msg_count"] == 2


async def test_a_change_needs_membership_and_a_name_that_is_free(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    await made(crew, crew.ann, "galley")
    path = f"{API}/channels/{channel['id']}/patch"

    assert refused(await crew.bob.client.put(path, json={"header": "x"}))[0] == 403
    assert refused(await crew.eve.client.put(path, json={"header": "x"}))[0] == 403
    taken = (400, "store.sql_channel.save_channel.exists.app_error")
    assert refused(await crew.ann.client.put(path, json={"name": "galley"})) == taken
    assert refused(await crew.ann.client.put(path, json={"header": 7}))[0] == 400
    town_square = f"{API}/channels/{(await default(crew))['id']}"
    renamed = await crew.ann.client.put(f"{town_square}/patch", json={"name": "agora"})
    assert refused(renamed) == (400, "api.channel.update_channel.tried.app_error")
    assert (await crew.ann.client.put(f"{town_square}/patch", json={"header": "Hi"})).status == 200


async def default(crew: Crew) -> dict[str, Any]:
    found: dict[str, Any] = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/town-square")).json()
    return found


async def test_a_channel_becomes_private_and_public_by_who_leads_the_team(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.ann, "helm")
    path = f"{API}/channels/{channel['id']}/privacy"
    await crew.bob.client.post(f"{API}/channels/{channel['id']}/members", json={"user_id": crew.bob.chat_id})
    heard.clear()

    assert refused(await crew.bob.client.put(path, json={"privacy": "P"}))[0] == 403
    private = (await crew.ann.client.put(path, json={"privacy": "P"})).json()
    assert private["type"] == "P"
    ((event, data),) = told(heard, "channel_converted")
    assert (event.team_id, data) == (crew.team_id, {"channel_id": channel["id"]})
    assert told(heard, "channel_updated")[0][1]["channel"]["type"] == "P"
    assert (await posts_of(crew, channel))[0]["type"] == "system_convert_channel"
    assert (await crew.ann.client.put(path, json={"privacy": "O"})).json()["type"] == "O"
    assert refused(await crew.ann.client.put(path, json={"privacy": "D"}))[0] == 400
    town_square = (await default(crew))["id"]
    refusal = await crew.ann.client.put(f"{API}/channels/{town_square}/privacy", json={"privacy": "P"})
    assert refused(refusal) == (400, "api.channel.update_channel_privacy.default_channel_error")


# --- Archiving -----------------------------------------------------------------------------------------------------


async def test_an_archived_channel_is_read_only_until_it_is_restored(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.bob, "helm")
    path = f"{API}/channels/{channel['id']}"
    heard.clear()
    assert (await crew.bob.client.delete(path)).json() == {"status": "OK"}

    gone = (await crew.bob.client.get(path)).json()
    assert gone["delete_at"] > 0
    ((event, data),) = told(heard, "channel_deleted")
    assert (event.team_id, data) == (crew.team_id, {"channel_id": channel["id"], "delete_at": gone["delete_at"]})
    refusal = await crew.bob.client.put(f"{path}/patch", json={"header": "x"})
    assert refused(refusal) == (400, "api.channel.update_channel.deleted.app_error")
    assert refused(await crew.bob.client.delete(path))[0] == 400

    assert refused(await crew.bob.client.post(f"{path}/restore"))[0] == 403
    restored = (await crew.ann.client.post(f"{path}/restore")).json()
    assert (set(restored), restored["delete_at"]) == (CHANNEL_KEYS, 0)
    ((event, data),) = told(heard, "channel_restored")
    assert (event.team_id, data) == (crew.team_id, {"channel_id": channel["id"]})
    assert refused(await crew.ann.client.post(f"{path}/restore"))[0] == 400
    kinds = [post["type"] for post in await posts_of(crew, channel)]
    assert kinds == ["system_channel_restored", "system_channel_deleted", "system_join_channel"]


async def test_only_its_members_hear_that_a_private_channel_is_archived(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.bob, "helm", type="P")
    await crew.bob.client.delete(f"{API}/channels/{channel['id']}")
    ((event, _),) = told(heard, "channel_deleted")
    assert (event.team_id, event.channel_id) == (None, from_chat_id(channel["id"]))


async def test_the_default_channel_stays_and_nothing_is_deleted_for_good(crew: Crew) -> None:
    town_square, channel = await default(crew), await made(crew, crew.ann, "helm")
    refusal = await crew.ann.client.delete(f"{API}/channels/{town_square['id']}")
    assert refused(refusal) == (400, "api.channel.delete_channel.cannot.app_error")
    refusal = await crew.ann.client.delete(f"{API}/channels/{channel['id']}?permanent=true")
    assert refused(refusal) == (501, "api.user.delete_channel.not_enabled.app_error")
    assert refused(await crew.bob.client.delete(f"{API}/channels/{channel['id']}"))[0] == 403
    assert refused(await crew.ann.client.delete(f"{API}/channels/{UNKNOWN}"))[0] == 404
    assert refused(await crew.ann.client.delete(f"{API}/channels/short"))[0] == 400


# --- Reading -------------------------------------------------------------------------------------------------------


async def test_a_channel_has_a_tag_that_changes_with_it(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    path = f"{API}/channels/{channel['id']}"
    first = await crew.ann.client.get(path)
    known = {"If-None-Match": first.headers["ETag"]}
    assert (await crew.ann.client.get(path, headers=known)).status == 304
    await crew.ann.client.put(f"{path}/patch", json={"header": "x"})
    assert (await crew.ann.client.get(path, headers=known)).status == 200


async def test_public_channels_are_for_the_team_and_private_ones_for_their_members(crew: Crew) -> None:
    open_, closed = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley", type="P")
    by_name = f"{API}/teams/{crew.team}/channels/name"

    assert (await crew.bob.client.get(f"{API}/channels/{open_['id']}")).status == 200
    assert refused(await crew.eve.client.get(f"{API}/channels/{open_['id']}"))[0] == 403
    assert refused(await crew.bob.client.get(f"{API}/channels/{closed['id']}"))[0] == 403
    assert (await crew.ada.client.get(f"{API}/channels/{closed['id']}")).status == 200
    assert (await crew.bob.client.get(f"{by_name}/helm")).json()["id"] == open_["id"]
    assert refused(await crew.eve.client.get(f"{by_name}/helm"))[0] == 403
    missing = (404, "app.channel.get_by_name.missing.app_error")
    assert refused(await crew.bob.client.get(f"{by_name}/galley")) == missing
    assert refused(await crew.bob.client.get(f"{by_name}/nonesuch")) == missing
    assert refused(await crew.bob.client.get(f"{by_name}/Not%20a%20name"))[0] == 400


async def test_a_name_finds_an_archived_channel_only_when_that_is_asked_for(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    await crew.ann.client.delete(f"{API}/channels/{channel['id']}")
    path = f"{API}/teams/name/crew/channels/name/helm"
    assert refused(await crew.ann.client.get(path)) == (404, "app.channel.get_by_name.missing.app_error")
    assert (await crew.ann.client.get(f"{path}?include_deleted=true")).json()["id"] == channel["id"]
    nowhere = await crew.ann.client.get(f"{API}/teams/name/nonesuch/channels/name/helm")
    assert refused(nowhere) == (404, "app.team.get.find.app_error")


async def test_pinned_posts_are_a_list_of_posts(crew: Crew) -> None:
    first, second = [await said(crew.house, crew.ann, crew.off_topic, text) for text in ("one", "two")]
    path = f"{API}/channels/{(await off_topic(crew))['id']}"
    assert (await crew.bob.client.get(f"{path}/pinned")).json()["order"] == []
    await pin(crew, first, second)

    pinned = (await crew.bob.client.get(f"{path}/pinned")).json()
    assert pinned["order"] == [second, first]
    assert pinned["posts"][first]["message"] == "one"
    stats = (await crew.bob.client.get(f"{path}/stats")).json()
    assert stats == {
        "channel_id": (await off_topic(crew))["id"],
        "member_count": 2,
        "guest_count": 0,
        "pinnedpost_count": 2,
        "files_count": 0,
    }
    assert refused(await crew.eve.client.get(f"{path}/pinned"))[0] == 403
    assert refused(await crew.eve.client.get(f"{path}/stats"))[0] == 403


async def off_topic(crew: Crew) -> dict[str, Any]:
    found: dict[str, Any] = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/off-topic")).json()
    return found


async def pin(crew: Crew, *post_ids: str) -> None:
    def work(transaction: Any) -> None:
        for post_id in post_ids:
            known = from_chat_id(post_id)
            assert known is not None
            post = find_post(transaction, known)
            assert post is not None
            change_post(transaction, post, is_pinned=True)

    await crew.house.storage.write(work)


async def test_a_team_that_is_switched_off_opens_its_channels_to_nobody(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    await crew.house.storage.write(lambda transaction: set_team_active(transaction, crew.team_id, False))
    one = f"{API}/channels/{channel['id']}"
    for client in (crew.ann.client, crew.ada.client):
        for path in (one, f"{one}/stats", f"{one}/members", f"{one}/pinned", f"{one}/timezones"):
            assert refused(await client.get(path)) == (404, "app.channel.get.existing.app_error")
        for path in ("", "/deleted", "/name/helm", "/autocomplete?name=h"):
            refusal = await client.get(f"{API}/teams/{crew.team}/channels{path}")
            assert refused(refusal) == (404, "app.team.get.find.app_error")
    assert refused(await crew.ann.client.put(f"{one}/patch", json={"header": "x"}))[0] == 404
    assert (await crew.ann.client.get(f"{API}/users/me/channels")).json() == []


STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, "", "x", [], [[]], [None], ["x" * 26], [UNKNOWN] * 3, [{}], {}, {"id": None},
    {"user_id": {}}, {"channel_id": []}, {"channel_ids": {}}, {"team_id": UNKNOWN, "type": None}, {"term": "%_\x00'"},
    {"display_name": "\x00", "name": "\ud7ff", "type": "O"}, {"privacy": []}, {"roles": "\x00"}, {"desktop": {}},
)  # fmt: skip
OPERATIONS = (
    "POST /channels", "POST /channels/direct", "POST /channels/group", "POST /channels/stats/member_count",
    "POST /channels/members/me/view", "POST /channels/members/me/mark_read", "PUT /channels/{channel}",
    "PUT /channels/{channel}/patch", "PUT /channels/{channel}/privacy", "POST /channels/{channel}/members",
    "POST /channels/{channel}/members/ids", "PUT /channels/{channel}/members/me/roles",
    "PUT /channels/{channel}/members/me/schemeRoles", "PUT /channels/{channel}/members/me/notify_props",
    "POST /teams/{team}/channels/ids", "POST /teams/{team}/channels/search",
    "POST /users/me/teams/{team}/channels/categories", "PUT /users/me/teams/{team}/channels/categories",
    "PUT /users/me/teams/{team}/channels/categories/order",
)  # fmt: skip
READS = (
    "/channels/{id}", "/channels/{id}/members", "/channels/{channel}/members/{id}", "/teams/{id}/channels",
    "/teams/{team}/channels/name/{id}", "/teams/name/{id}/channels/name/{id}", "/users/{id}/channels",
    "/users/{id}/channels/{id}/unread", "/users/{id}/teams/{id}/channels/categories/{id}",
    "/teams/{team}/channels?page={id}&per_page={id}", "/users/me/channels?include_deleted=true&last_delete_at={id}",
    "/teams/{team}/channels/autocomplete?name={id}", "/teams/{team}/channels/search_autocomplete?name={id}",
)  # fmt: skip


async def test_no_body_breaks_anything(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    for line in OPERATIONS:
        method, path = line.format(channel=channel["id"], team=crew.team).split()
        for body in STRANGE:
            answer = await crew.ann.client.request(method, f"{API}{path}", json=body)
            assert answer.status < 500, (line, body, answer.text)


async def test_no_path_breaks_anything(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    strange = ("x", UNKNOWN, UNKNOWN.upper(), "9" * 26, "%00", "%25%27", "%C3%28", "..", "%F0%9F%90%98", "9" * 400)
    for path in READS:
        for id_ in strange:
            answer = await crew.ann.client.get(API + path.format(id=id_, channel=channel["id"], team=crew.team))
            assert answer.status < 500, (path, id_, answer.text)
