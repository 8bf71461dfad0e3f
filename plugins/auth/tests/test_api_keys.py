"""API keys: what they open, what they may make, and who may touch them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from manor import set_active
from manor.testing import Answer, Client, House, SetClock
from tests.people import Person, Sign, actions, opens

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
KEY_MEMBERS = {
    "id",
    "name",
    "key_prefix",
    "scopes",
    "description",
    "is_active",
    "request_count",
    "created_at",
    "expires_at",
    "last_used_at",
    "last_used",
}


def with_key(secret: str) -> dict[str, str]:
    return {"X-API-Key": secret}


async def create(client: Client, headers: dict[str, str], name: str = "CI", **more: Any) -> Answer:
    return await client.post("/api/keys", json={"name": name, **more}, headers=headers)


async def made(client: Client, headers: dict[str, str], name: str = "CI", **more: Any) -> dict[str, Any]:
    answer = await create(client, headers, name, **more)
    assert answer.status == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def works(client: Client, secret: str) -> bool:
    answer = await client.get("/auth/me", headers=with_key(secret))
    assert answer.status in (200, 401)
    return answer.status == 200


async def test_a_key_is_shown_once_and_opens_the_api(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in()

    answer = await create(client, person.bearer, description="deploys")

    key = answer.json()
    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    assert key["key"].startswith("noti_")
    assert len(key["key"]) == 48
    assert key["key_prefix"] == key["key"][:8]
    assert (key["name"], key["scopes"], key["description"], key["expires_at"]) == ("CI", ["*"], "deploys", None)
    assert key["created_at"] == "2030-01-02T12:00:00Z"
    assert await works(client, key["key"])
    assert key["key"] not in (await client.get("/api/keys", headers=person.bearer)).text
    assert "auth.key_made" in await actions(house)


async def test_a_session_gets_an_array_and_a_key_an_object(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer)

    array = (await client.get("/api/keys", headers=person.bearer)).json()
    object_ = (await client.get("/api/keys", headers=with_key(key["key"]))).json()

    assert [set(each) for each in array] == [KEY_MEMBERS]
    assert array[0]["id"] == key["id"]
    assert (object_["total"], object_["keys"]) == (1, array)


async def test_the_query_says_the_shape_whoever_asks(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer)

    as_object = await client.get("/api/keys?format=object", headers=person.bearer)
    as_list = await client.get("/api/keys?format=list", headers=with_key(key["key"]))
    neither = await client.get("/api/keys?format=tree", headers=person.bearer)

    assert as_object.json()["keys"] == as_list.json()
    assert neither.status == 422


async def test_a_revoked_key_stays_in_the_list_and_opens_nothing(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer)
    assert await works(client, key["key"])

    revoked = await client.post(f"/api/keys/{key['id']}/revoke", headers=person.bearer)
    again = await client.post(f"/api/keys/{key['id']}/revoke", headers=person.bearer)

    assert (revoked.status, revoked.json()["is_active"]) == (200, False)
    assert (again.status, again.json()) == (200, revoked.json())
    assert not await works(client, key["key"])
    assert [each["id"] for each in (await client.get("/api/keys", headers=person.bearer)).json()] == [key["id"]]
    assert (await actions(house)).count("auth.key_revoked") == 1


async def test_a_deleted_key_is_gone(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer)
    assert await works(client, key["key"])

    statuses = [(await client.delete(f"/api/keys/{key['id']}", headers=person.bearer)).status for _ in range(2)]

    assert statuses == [204, 404]
    assert not await works(client, key["key"])
    assert (await client.get("/api/keys", headers=person.bearer)).json() == []


async def test_an_expired_key_opens_nothing_and_is_not_active(client: Client, signed_in: Sign, clock: SetClock) -> None:
    person = await signed_in()
    key = await made(client, person.bearer, expires_at="2030-01-02T12:10:00Z")
    assert await works(client, key["key"])

    clock.set(clock.now() + timedelta(minutes=10))

    assert not await works(client, key["key"])
    assert [each["is_active"] for each in (await client.get("/api/keys", headers=person.bearer)).json()] == [False]


async def test_the_keys_of_a_disabled_person_open_nothing(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer)
    assert await works(client, key["key"])

    await house.storage.write(lambda transaction: set_active(transaction, person.id, False))

    assert not await works(client, key["key"])


@pytest.mark.parametrize("secret", ["noti_", "noti_" + "A" * 43, "noti_" + "A" * 100_000, "tk_" + "A" * 43, "", "é"])
async def test_what_is_no_key_is_401(client: Client, secret: str) -> None:
    assert (await client.get("/api/keys", headers=with_key(secret))).status == 401


async def test_a_key_without_the_scope_touches_no_keys(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    key = await made(client, person.bearer, scopes=["publish", "topics:read"])
    headers = with_key(key["key"])

    answers = [
        await client.get("/api/keys", headers=headers),
        await create(client, headers),
        await client.post(f"/api/keys/{key['id']}/revoke", headers=headers),
        await client.delete(f"/api/keys/{key['id']}", headers=headers),
    ]

    assert [answer.status for answer in answers] == [403] * 4


async def test_a_key_makes_others_within_its_scopes(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    headers = with_key((await made(client, person.bearer, scopes=["keys", "publish"]))["key"])

    assert (await made(client, headers, scopes=["publish"]))["scopes"] == ["publish"]
    for scopes in (["*"], ["publish", "teams"]):
        assert (await create(client, headers, scopes=scopes)).status == 403
    assert (await create(client, headers)).status == 403, "all scopes are what is meant without any"


async def test_a_key_makes_none_that_outlive_it(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    parent = await made(client, person.bearer, expires_at="2030-02-01T00:00:00Z")
    headers = with_key(parent["key"])

    assert (await made(client, headers))["expires_at"] == "2030-02-01T00:00:00Z"
    assert (await made(client, headers, expires_at="2030-01-15T01:00:00+01:00"))["expires_at"] == (
        "2030-01-15T00:00:00Z"
    )
    assert (await create(client, headers, expires_at="2030-02-01T00:00:01Z")).status == 403


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("2031-01-01", "2031-01-01T00:00:00Z"),
        ("2031-01-01T10:00:00", "2031-01-01T10:00:00Z"),
        ("2031-01-01T10:00:00+02:00", "2031-01-01T08:00:00Z"),
    ],
)
async def test_a_life_is_a_time_or_a_day(client: Client, signed_in: Sign, typed: str, kept: str) -> None:
    assert (await made(client, (await signed_in()).bearer, expires_at=typed))["expires_at"] == kept


async def test_other_peoples_keys_are_as_unknown_as_any(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    key = await made(client, ada.bearer)

    for id_ in (key["id"], UNKNOWN, "1", key["id"].upper()):
        assert (await client.delete(f"/api/keys/{id_}", headers=eve.bearer)).status == 404
        assert (await client.post(f"/api/keys/{id_}/revoke", headers=eve.bearer)).status == 404
    assert (await client.get("/api/keys", headers=eve.bearer)).json() == []
    assert await works(client, key["key"])


async def test_a_session_is_no_way_into_keys_that_a_weak_key_of_somebody_else_came_along_for(
    client: Client, signed_in: Sign
) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    weak = await made(client, ada.bearer, "weak", scopes=["publish"])
    both = {**with_key(weak["key"]), **eve.bearer}

    assert (await client.get("/api/keys", headers=both)).json() == []
    assert (await client.delete(f"/api/keys/{weak['id']}", headers=both)).status == 404
    await made(client, both, "hers")
    assert [each["name"] for each in (await client.get("/api/keys", headers=ada.bearer)).json()] == ["weak"]


async def test_what_only_sessions_may_is_done_to_the_one_who_signed_in(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    key = await made(client, ada.bearer)
    both = {**with_key(key["key"]), **eve.bearer}

    sessions = (await client.get("/auth/sessions", headers=both)).json()
    logout = await client.post("/auth/logout", headers=both)

    assert ([each["current"] for each in sessions], logout.status) == ([True], 204)
    assert not await opens(client, eve.tokens["access_token"])
    assert await opens(client, ada.tokens["access_token"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/logout"),
        ("GET", "/auth/sessions"),
        ("DELETE", f"/auth/sessions/{UNKNOWN}"),
        ("POST", "/auth/accept-terms"),
        ("GET", "/auth/consent-history"),
        ("POST", "/auth/mfa/generate"),
    ],
)
async def test_no_key_whatever_its_scopes_does_what_only_sessions_may(
    client: Client, signed_in: Sign, method: str, path: str
) -> None:
    key = await made(client, (await signed_in()).bearer)

    assert (await client.request(method, path, headers=with_key(key["key"]))).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "a\r\nSet-Cookie: b"},
        {"name": "\x1b[2J"},
        {"name": 5},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "scopes": "*"},
        {"name": "a", "scopes": ["publish"] * 51},
        {"name": "a", "expires_at": "tomorrow"},
        {"name": "a", "expires_at": "2030-02-30"},
        {"name": "a", "expires_at": ""},
        {"name": "a", "expires_at": 5},
        {"name": "a", "expires_at": "9999-12-31T23:59:59-23:00"},
        {"name": "a", "expires_at": "2030-01-02T12:00:00Z"},
        {"name": "a", "description": "x" * 501},
    ],
)
async def test_bad_wishes_are_422(client: Client, signed_in: Sign, body: dict[str, Any]) -> None:
    person = await signed_in()

    assert (await client.post("/api/keys", json=body, headers=person.bearer)).status == 422


@pytest.mark.manor(config={"tiers": {"FREE": {"max_keys": 2}}})
async def test_the_tier_says_how_many_keys_somebody_has(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    first = await made(client, person.bearer)
    await made(client, person.bearer)
    assert (await create(client, person.bearer)).status == 403

    await client.post(f"/api/keys/{first['id']}/revoke", headers=person.bearer)

    assert (await create(client, person.bearer)).status == 201


@pytest.mark.manor(config={"tiers": {"FREE": {"api_keys": False}}})
async def test_a_tier_may_have_none_at_all(client: Client, signed_in: Sign) -> None:
    assert (await create(client, (await signed_in()).bearer)).status == 403


async def test_a_key_after_bearer_is_taken_too(client: Client, signed_in: Sign) -> None:
    person: Person = await signed_in()
    key = await made(client, person.bearer)

    answer = await client.get("/api/keys", headers={"Authorization": f"Bearer {key['key']}"})

    assert answer.json()["total"] == 1


@pytest.mark.parametrize("description", ["\x00", "\x1b[31mred", "left\u202eright", "a\x07b"])
async def test_a_description_that_a_terminal_would_obey_is_422(
    client: Client, signed_in: Sign, description: str
) -> None:
    person = await signed_in()

    answer = await create(client, person.bearer, description=description)

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "description")


async def test_a_description_may_have_lines(client: Client, signed_in: Sign) -> None:
    key = await made(client, (await signed_in()).bearer, description="deploys\nat night")

    assert key["description"] == "deploys\nat night"


async def test_a_session_makes_what_a_lesser_key_beside_it_may_not(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    lesser = await made(client, person.bearer, scopes=["keys"])

    answer = await create(client, {**with_key(lesser["key"]), **person.bearer})

    assert (answer.status, answer.json()["scopes"]) == (201, ["*"])
