"""Lists of channels, and finding some by what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from manor import set_team_active
from manor.testing import Client
from tests.chat_channels import CHANNEL_KEYS, direct, kept, made, refused
from tests.chat_people import API, Crew

UNKNOWN = "y" * 26


async def names(client: Client, path: str, **options: Any) -> list[str]:
    """What the channels of a list are called by, in their order."""
    method = "POST" if "json" in options else "GET"
    answer = await client.request(method, f"{API}{path}", **options)
    assert answer.status == 200, answer.text
    assert all(set(channel) == CHANNEL_KEYS for channel in answer.json())
    return [channel["name"] for channel in answer.json()]


async def archived(crew: Crew, channel: dict[str, Any]) -> int:
    """Archive a channel; says when it was."""
    assert (await crew.ada.client.delete(f"{API}/channels/{channel['id']}")).status == 200
    return (await kept(crew, channel)).delete_at


async def test_a_teams_public_channels_come_by_what_they_are_called(crew: Crew) -> None:
    await made(crew, crew.ann, "zz", display_name="anchor")
    await made(crew, crew.ann, "galley", type="P")
    await archived(crew, await made(crew, crew.ann, "helm"))
    path = f"/teams/{crew.team}/channels"

    assert await names(crew.bob.client, path) == ["zz", "off-topic", "town-square"]
    assert await names(crew.bob.client, f"{path}?per_page=2&page=1") == ["town-square"]
    first = await crew.bob.client.get(f"{API}{path}")
    assert (await crew.bob.client.get(f"{API}{path}", headers={"If-None-Match": first.headers["ETag"]})).status == 304
    assert refused(await crew.eve.client.get(f"{API}{path}"))[0] == 403
    assert refused(await crew.ann.client.get(f"{API}/teams/{UNKNOWN}/channels"))[0] == 404
    assert refused(await crew.ann.client.get(f"{API}/teams/short/channels"))[0] == 400


async def test_archived_channels_are_seen_by_those_who_may_read_them(crew: Crew) -> None:
    await archived(crew, await made(crew, crew.ann, "helm"))
    await archived(crew, await made(crew, crew.ann, "galley", type="P"))
    path = f"/teams/{crew.team}/channels/deleted"
    assert await names(crew.ann.client, path) == ["galley", "helm"]
    assert await names(crew.bob.client, path) == ["helm"]
    assert await names(crew.eve.client, path) == []
    assert await names(crew.ada.client, path) == ["galley", "helm"]
    assert await names(crew.ann.client, f"{path}?per_page=1&page=1") == ["helm"]


async def test_public_channels_are_found_by_ids(crew: Crew) -> None:
    helm, galley = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley", type="P")
    pair = await direct(crew.ann, crew.bob)
    path = f"/teams/{crew.team}/channels/ids"
    ids = [helm["id"], galley["id"], pair["id"], UNKNOWN]
    assert await names(crew.ann.client, path, json=ids) == ["helm"]
    assert refused(await crew.eve.client.post(f"{API}{path}", json=ids))[0] == 403
    assert refused(await crew.ann.client.post(f"{API}{path}", json=["short"]))[0] == 400
    assert refused(await crew.ann.client.post(f"{API}{path}", json=[]))[0] == 400


async def test_a_search_finds_public_channels_by_name_and_purpose(crew: Crew) -> None:
    await made(crew, crew.ann, "anchor", display_name="Ärger_100%", purpose="Where the ship rests")
    await made(crew, crew.ann, "anchor-secret", type="P")
    path = f"/teams/{crew.team}/channels/search"
    for term in ("anch", "ÄRGER", "_100%", "Rests", " anchor "):
        assert await names(crew.bob.client, path, json={"term": term}) == ["anchor"], term
    assert await names(crew.bob.client, path, json={"term": "nothing"}) == []
    assert len(await names(crew.bob.client, path, json={"term": ""})) == 3
    bodies: tuple[Any, ...] = ({}, {"term": 7}, [])
    for wrong in bodies:
        assert refused(await crew.bob.client.post(f"{API}{path}", json=wrong))[0] == 400
    assert refused(await crew.eve.client.post(f"{API}{path}", json={"term": "a"}))[0] == 403


async def test_completing_a_name_knows_the_callers_private_channels_too(crew: Crew) -> None:
    await made(crew, crew.ann, "anchor", purpose="helm")
    await made(crew, crew.ann, "helm", type="P")
    await archived(crew, await made(crew, crew.ann, "helmet"))
    path = f"/teams/{crew.team}/channels/autocomplete?name="
    assert await names(crew.ann.client, f"{path}hel") == ["helm"]
    assert await names(crew.bob.client, f"{path}hel") == []
    assert await names(crew.bob.client, f"{path}a") == ["anchor", "town-square"]
    assert refused(await crew.eve.client.get(f"{API}{path}a"))[0] == 403


async def test_completing_for_a_search_knows_the_callers_channels_alone(crew: Crew) -> None:
    await made(crew, crew.bob, "anchor")
    await archived(crew, await made(crew, crew.ann, "annex"))
    pair, own = await direct(crew.ann, crew.bob), await direct(crew.ann, crew.ann)
    path = f"/teams/{crew.team}/channels/search_autocomplete?name="
    assert await names(crew.ann.client, f"{path}an") == ["annex", own["name"]]
    assert await names(crew.ann.client, f"{path}@BOB") == [pair["name"]]
    assert await names(crew.bob.client, f"{path}ann") == [pair["name"]]
    assert await names(crew.bob.client, f"{path}a_n") == await names(crew.bob.client, f"{path}%25") == []
    assert refused(await crew.eve.client.get(f"{API}{path}a"))[0] == 403


async def test_somebodys_channels_are_of_their_teams_and_of_people(crew: Crew) -> None:
    pair = await direct(crew.ann, crew.bob)
    other = (await crew.ann.client.post(f"{API}/teams", json={"name": "ox", "display_name": "Ox", "type": "O"})).json()
    await crew.ann.client.post(
        f"{API}/channels", json={"team_id": other["id"], "name": "yoke", "display_name": "Yoke", "type": "O"}
    )
    everywhere = [pair["name"], "off-topic", "off-topic", "town-square", "town-square", "yoke"]
    assert await names(crew.ann.client, "/users/me/channels") == everywhere
    assert await names(crew.ann.client, f"/users/me/teams/{crew.team}/channels") == [
        pair["name"],
        "off-topic",
        "town-square",
    ]
    assert refused(await crew.bob.client.get(f"{API}/users/me/teams/{other['id']}/channels"))[0] == 403
    for path in (f"/users/{crew.ann.chat_id}/channels", f"/users/{crew.ann.chat_id}/teams/{crew.team}/channels"):
        assert refused(await crew.bob.client.get(f"{API}{path}"))[0] == 403
        assert pair["name"] in await names(crew.ada.client, path)
    assert refused(await crew.ada.client.get(f"{API}/users/{UNKNOWN}/channels"))[0] == 404
    await crew.house.storage.write(lambda transaction: set_team_active(transaction, crew.team_id, False))
    assert await names(crew.ann.client, "/users/me/channels") == [pair["name"], "off-topic", "town-square", "yoke"]
    assert refused(await crew.ann.client.get(f"{API}/users/me/teams/{crew.team}/channels"))[0] == 404


@pytest.mark.parametrize("of", ["/users/me/channels", "/users/me/teams/{team}/channels"])
async def test_archived_channels_are_listed_from_when_a_client_last_asked(crew: Crew, of: str) -> None:
    moment = await archived(crew, await made(crew, crew.bob, "helm"))
    path = of.format(team=crew.team)
    assert await names(crew.bob.client, path) == ["off-topic", "town-square"]
    assert "helm" in await names(crew.bob.client, f"{path}?include_deleted=true")
    assert "helm" in await names(crew.bob.client, f"{path}?include_deleted=true&last_delete_at={moment}")
    assert "helm" in await names(crew.bob.client, f"{path}?include_deleted=true&last_delete_at=junk")
    assert "helm" not in await names(crew.bob.client, f"{path}?include_deleted=true&last_delete_at={moment + 1}")
