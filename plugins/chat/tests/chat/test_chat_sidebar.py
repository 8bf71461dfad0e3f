"""The sidebar: categories, and each joined channel in exactly one of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from manor import Event, from_chat_id
from manor.testing import Client
from manor_chat.store.sidebar import remove_some
from tests.chat_channels import direct, kept, made, refused, told
from tests.chat_people import API, Crew, said

CATEGORY_KEYS = {
    "id", "user_id", "team_id", "sort_order", "sorting", "type", "display_name", "muted", "collapsed", "channel_ids",
}  # fmt: skip


def path(crew: Crew, rest: str = "", user: str = "me") -> str:
    return f"{API}/users/{user}/teams/{crew.team}/channels/categories{rest}"


async def sidebar(crew: Crew, client: Client | None = None) -> dict[str, dict[str, Any]]:
    """Categories by type, custom ones by what they are called, in their order."""
    answer = await (client or crew.ann.client).get(path(crew))
    assert answer.status == 200, answer.text
    body = answer.json()
    assert body["order"] == [each["id"] for each in body["categories"]]
    return {each["type"] if each["type"] != "custom" else each["display_name"]: each for each in body["categories"]}


async def new_category(crew: Crew, name: str, *channels: str) -> dict[str, Any]:
    body = {
        "user_id": crew.ann.chat_id,
        "team_id": crew.team,
        "type": "custom",
        "display_name": name,
        "channel_ids": channels,
    }
    answer = await crew.ann.client.post(path(crew), json=body)
    assert answer.status == 200, answer.text
    category: dict[str, Any] = answer.json()
    return category


async def test_everybody_begins_with_three_categories_that_hold_all_their_channels(crew: Crew) -> None:
    helm = await made(crew, crew.ann, "helm")
    with_bob, with_eve = await direct(crew.ann, crew.bob), await direct(crew.ann, crew.eve)
    await made(crew, crew.bob, "galley")
    found = await sidebar(crew)

    assert list(found) == ["favorites", "channels", "direct_messages"]
    assert all(set(each) == CATEGORY_KEYS for each in found.values())
    own = f"{crew.ann.chat_id}_{crew.team}"
    assert [each["id"] for each in found.values()] == [f"favorites_{own}", f"channels_{own}", f"direct_messages_{own}"]
    assert [each["sorting"] for each in found.values()] == ["", "", "recent"]
    names = [each["display_name"] for each in found.values()]
    assert names == ["Favorites", "Channels", "Direct Messages"]
    assert found["favorites"]["channel_ids"] == []
    assert set(found["channels"]["channel_ids"]) == {
        helm["id"],
        *[(await of_team(crew, name))["id"] for name in ("off-topic", "town-square")],
    }
    assert set(found["direct_messages"]["channel_ids"]) == {with_bob["id"], with_eve["id"]}


async def of_team(crew: Crew, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/{name}")).json()
    return found


async def test_a_new_category_takes_its_channels_from_where_they_were(crew: Crew, heard: list[Event]) -> None:
    helm, galley = await made(crew, crew.ann, "helm"), await made(crew, crew.bob, "galley")
    with_bob = await direct(crew.ann, crew.bob)
    heard.clear()
    work = await new_category(crew, "Work", with_bob["id"], helm["id"], galley["id"], helm["id"])

    assert set(work) == CATEGORY_KEYS
    assert (work["type"], work["sort_order"], work["channel_ids"]) == ("custom", 10, [with_bob["id"], helm["id"]])
    found = await sidebar(crew)
    assert list(found) == ["favorites", "Work", "channels", "direct_messages"]
    assert found["Work"] == work
    assert helm["id"] not in found["channels"]["channel_ids"]
    assert found["direct_messages"]["channel_ids"] == []
    ((event, data),) = told(heard, "sidebar_category_created")
    assert (event.user_id, event.team_id, data) == (crew.ann.id, crew.team_id, {"category_id": work["id"]})
    assert list(await sidebar(crew, crew.bob.client)) == ["favorites", "channels", "direct_messages"]


async def test_a_channel_moves_by_leaving_one_list_and_standing_in_another(crew: Crew, heard: list[Event]) -> None:
    helm, galley = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley")
    work = await new_category(crew, "Work", helm["id"], galley["id"])
    favorites = (await sidebar(crew))["favorites"]
    heard.clear()
    moved = [work | {"channel_ids": [galley["id"]]}, favorites | {"channel_ids": [helm["id"]], "collapsed": True}]
    answer = await crew.ann.client.put(path(crew), json=moved)

    assert [each["channel_ids"] for each in answer.json()] == [[galley["id"]], [helm["id"]]]
    found = await sidebar(crew)
    assert (found["favorites"]["channel_ids"], found["favorites"]["collapsed"]) == ([helm["id"]], True)
    ((event, data),) = told(heard, "sidebar_category_updated")
    assert (event.user_id, event.team_id) == (crew.ann.id, crew.team_id)
    assert data["updatedCategories"] == answer.json()

    await crew.ann.client.put(path(crew, f"/{favorites['id']}"), json=favorites | {"channel_ids": []})
    found = await sidebar(crew)
    assert found["favorites"]["channel_ids"] == []
    assert helm["id"] in found["channels"]["channel_ids"]


async def test_built_in_categories_keep_their_names_and_take_channels_of_their_type(crew: Crew) -> None:
    with_bob = await direct(crew.ann, crew.bob)
    found = await sidebar(crew)
    helm = found["channels"]["channel_ids"][0]
    channels = found["channels"] | {"display_name": "Mine", "channel_ids": [with_bob["id"], helm], "sorting": "alpha"}
    changed = (await crew.ann.client.put(path(crew, f"/{channels['id']}"), json=channels)).json()

    assert (changed["display_name"], changed["sorting"], changed["channel_ids"][0]) == ("Channels", "alpha", helm)
    assert with_bob["id"] not in changed["channel_ids"]
    assert with_bob["id"] in (await sidebar(crew))["direct_messages"]["channel_ids"]
    messages = found["direct_messages"] | {"muted": True}
    assert not (await crew.ann.client.put(path(crew, f"/{messages['id']}"), json=messages)).json()["muted"]


@pytest.mark.parametrize(("sorting", "names"), [("alpha", ["anchor", "helm"]), ("manual", ["helm", "anchor"])])
async def test_channels_keep_places_only_in_a_manual_order(crew: Crew, sorting: str, names: list[str]) -> None:
    by_id = {(await made(crew, crew.ann, "helm"))["id"]: "helm"}
    channels = (await sidebar(crew))["channels"] | {"collapsed": True, "sorting": sorting}
    await crew.ann.client.put(path(crew, f"/{channels['id']}"), json=channels)
    by_id[(await made(crew, crew.ann, "anchor"))["id"]] = "anchor"

    found = (await sidebar(crew))["channels"]
    assert (found["collapsed"], found["sorting"]) == (True, sorting)
    assert [by_id[each] for each in found["channel_ids"] if each in by_id] == names


async def test_an_order_names_every_category_once(crew: Crew, heard: list[Event]) -> None:
    work = await new_category(crew, "Work")
    order = (await crew.ann.client.get(path(crew, "/order"))).json()
    assert order[1] == work["id"]
    turned = order[::-1]
    heard.clear()
    assert (await crew.ann.client.put(path(crew, "/order"), json=turned)).json() == turned

    assert (await crew.ann.client.get(path(crew, "/order"))).json() == turned
    assert [each["sort_order"] for each in (await sidebar(crew)).values()] == [0, 10, 20, 30]
    ((event, data),) = told(heard, "sidebar_category_order_updated")
    assert (event.user_id, event.team_id, data) == (crew.ann.id, crew.team_id, {"order": turned})
    for wrong in (turned[1:], [*turned, turned[0]], [*turned[1:], turned[1]], [*turned[1:], "y" * 26], []):
        assert refused(await crew.ann.client.put(path(crew, "/order"), json=wrong))[0] == 400


async def test_a_deleted_category_gives_its_channels_back(crew: Crew, heard: list[Event]) -> None:
    helm, with_bob = await made(crew, crew.ann, "helm"), await direct(crew.ann, crew.bob)
    work = await new_category(crew, "Work", helm["id"], with_bob["id"])
    one = path(crew, f"/{work['id']}")
    assert (await crew.ann.client.get(one)).json() == work
    heard.clear()
    assert (await crew.ann.client.delete(one)).json() == {"status": "OK"}

    found = await sidebar(crew)
    assert helm["id"] in found["channels"]["channel_ids"]
    assert found["direct_messages"]["channel_ids"] == [with_bob["id"]]
    ((event, data),) = told(heard, "sidebar_category_deleted")
    assert (event.user_id, data) == (crew.ann.id, {"category_id": work["id"]})
    assert refused(await crew.ann.client.get(one)) == (404, "app.channel.sidebar_categories.app_error")
    assert refused(await crew.ann.client.delete(one))[0] == 404
    assert refused(await crew.ann.client.delete(path(crew, f"/{found['favorites']['id']}")))[0] == 400


async def test_a_muted_category_mutes_what_is_put_into_it(crew: Crew, heard: list[Event]) -> None:
    helm, galley = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley")
    work = await new_category(crew, "Work", helm["id"])

    async def muted(channel: dict[str, Any]) -> str:
        member = (await crew.ann.client.get(f"{API}/channels/{channel['id']}/members/me")).json()
        setting: str = member["notify_props"]["mark_unread"]
        return setting

    heard.clear()
    await crew.ann.client.put(path(crew, f"/{work['id']}"), json=work | {"muted": True})
    assert (await muted(helm), await muted(galley)) == ("mention", "all")
    ((event, data),) = told(heard, "channel_member_updated")
    assert (event.user_id, data["channelMember"]["channel_id"]) == (crew.ann.id, helm["id"])

    swapped = work | {"muted": True, "channel_ids": [galley["id"]]}
    await crew.ann.client.put(path(crew, f"/{work['id']}"), json=swapped)
    assert (await muted(helm), await muted(galley)) == ("all", "mention")
    await crew.ann.client.delete(path(crew, f"/{work['id']}"))
    assert await muted(galley) == "all"


async def test_favorites_are_a_preference_as_well(crew: Crew, heard: list[Event]) -> None:
    helm = await made(crew, crew.ann, "helm")
    favorites = (await sidebar(crew))["favorites"]
    preference = {
        "user_id": crew.ann.chat_id,
        "category": "favorite_channel",
        "name": helm["id"],
        "value": "true",
    }
    one = path(crew, f"/{favorites['id']}")
    heard.clear()
    await crew.ann.client.put(one, json=favorites | {"channel_ids": [helm["id"]]})
    assert [data for _, data in told(heard, "preferences_changed")] == [{"preferences": [preference]}]
    await crew.ann.client.put(one, json=favorites | {"channel_ids": [helm["id"]]})
    assert len(told(heard, "preferences_changed")) == 1
    await crew.ann.client.put(one, json=favorites)
    assert [data for _, data in told(heard, "preferences_deleted")] == [{"preferences": [preference]}]


async def test_a_client_without_categories_says_by_preferences_what_is_a_favorite(
    crew: Crew, heard: list[Event]
) -> None:
    helm, with_bob = await made(crew, crew.ann, "helm"), await direct(crew.ann, crew.bob)
    other = (await crew.ann.client.post(f"{API}/teams", json={"name": "ox", "display_name": "Ox", "type": "O"})).json()
    wanted = [
        {"user_id": crew.ann.chat_id, "category": "favorite_channel", "name": each["id"], "value": "true"}
        for each in (helm, with_bob)
    ]
    heard.clear()
    assert (await crew.ann.client.put(f"{API}/users/me/preferences", json=wanted)).status == 200

    assert (await sidebar(crew))["favorites"]["channel_ids"] == [helm["id"], with_bob["id"]]
    updates = told(heard, "sidebar_category_updated")
    assert {event.team_id for event, _ in updates} == {crew.team_id, from_chat_id(other["id"])}
    of_crew = next(data for event, data in updates if event.team_id == crew.team_id)
    types = [each["type"] for each in of_crew["updatedCategories"]]
    assert types == ["favorites", "channels", "direct_messages"]
    assert (await crew.ann.client.post(f"{API}/users/me/preferences/delete", json=wanted[:1])).status == 200
    assert (await sidebar(crew))["favorites"]["channel_ids"] == [with_bob["id"]]
    refusing = [wanted[1] | {"value": "false"}]
    assert (await crew.ann.client.put(f"{API}/users/me/preferences", json=refusing)).status == 200
    assert (await sidebar(crew))["favorites"]["channel_ids"] == []


async def test_channels_that_are_left_or_archived_stand_nowhere_and_come_back_to_their_place(crew: Crew) -> None:
    helm = await made(crew, crew.ann, "helm")
    work = await new_category(crew, "Work", helm["id"])
    await crew.ann.client.delete(f"{API}/channels/{helm['id']}")
    assert helm["id"] not in str(await sidebar(crew))
    await crew.ann.client.put(path(crew, f"/{work['id']}"), json=work | {"collapsed": True, "channel_ids": []})
    await crew.ann.client.post(f"{API}/channels/{helm['id']}/restore")
    assert (await sidebar(crew))["Work"]["channel_ids"] == [helm["id"]]
    await crew.ann.client.delete(f"{API}/channels/{helm['id']}/members/me")
    assert helm["id"] not in str(await sidebar(crew))


async def test_conversations_come_by_the_newest(crew: Crew) -> None:
    first, second = await direct(crew.ann, crew.bob), await direct(crew.ann, crew.ada)
    for newest, before in ((second, first), (first, second)):
        await said(crew.house, crew.ann, await kept(crew, newest), "Ahoy")
        assert (await sidebar(crew))["direct_messages"]["channel_ids"] == [newest["id"], before["id"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": ""},
        {"display_name": " "},
        {"display_name": "x" * 65},
        {"display_name": None},
        {"type": "favorites"},
        {"sorting": "size"},
        {"channel_ids": ["short"]},
        {"channel_ids": "all"},
        {"muted": "yes"},
        {"user_id": "y" * 26},
        {"team_id": "y" * 26},
    ],
)
async def test_what_no_category_can_be_is_refused(crew: Crew, wrong: dict[str, Any]) -> None:
    refusal = await crew.ann.client.post(path(crew), json={"display_name": "Work", **wrong})
    assert refused(refusal) == (400, "api.context.invalid_body_param.app_error")
    assert list(await sidebar(crew)) == ["favorites", "channels", "direct_messages"]


async def test_a_sidebar_is_its_owners_and_administrators(crew: Crew) -> None:
    anns = path(crew, user=crew.ann.chat_id)
    assert refused(await crew.bob.client.get(anns)) == (403, "api.context.permissions.app_error")
    assert refused(await crew.bob.client.post(anns, json={"display_name": "x"}))[0] == 403
    assert refused(await crew.bob.client.put(f"{anns}/order", json=[]))[0] == 403
    assert (await crew.ada.client.get(anns)).json()["categories"][0]["user_id"] == crew.ann.chat_id
    assert refused(await crew.eve.client.get(path(crew)))[0] == 403
    assert refused(await crew.ada.client.get(path(crew, user="y" * 26)))[0] == 404
    assert refused(await crew.ann.client.get(path(crew, "/nonsense")))[0] == 400
    bobs = f"/favorites_{crew.bob.chat_id}_{crew.team}"
    assert refused(await crew.ann.client.get(path(crew, bobs)))[0] == 404
    assert refused(await crew.ann.client.put(path(crew), json=[]))[0] == 400
    assert refused(await crew.ann.client.put(path(crew), json=[{"id": "y" * 26}]))[0] == 404


async def test_a_sidebar_is_exported_and_erased_with_its_owner(crew: Crew) -> None:
    helm = await made(crew, crew.ann, "helm")
    await new_category(crew, "Work", helm["id"])
    shown = (await crew.ann.client.get(path(crew))).json()
    chat = next(plugin for plugin in crew.house.running if plugin.name == "chat").instance
    data = chat.manor_personal_data()

    assert "chat_sidebars" in data.sections
    exported = [item async for section, item in data.export(crew.ann.id) if section == "chat_sidebars"]
    assert msgspec.to_builtins(exported) == [shown]
    assert [item async for section, item in data.export(crew.bob.id) if section == "chat_sidebars"] == []

    erasing = partial(remove_some, user_id=crew.ann.id, limit=2)
    assert [await crew.house.storage.write(erasing) for _ in range(4)] == [2, 2, 1, 0]
    assert list(await sidebar(crew)) == ["favorites", "channels", "direct_messages"]
