"""What people are given of themselves, and how they are forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from manor import set_password_hash
from manor.testing import Answer, Client, House, SetClock
from tests.people import PASSWORD, Person, Sign, actions, links, login, made, opens

TOTALS = {"total_topics", "total_messages", "total_devices", "total_subscriptions", "total_api_keys"}


async def key_of(client: Client, person: Person, name: str = "CI") -> dict[str, str]:
    answer = await client.post("/api/keys", json={"name": name, "description": "deploys"}, headers=person.bearer)
    assert answer.status == 201, answer.text
    return {"X-API-Key": answer.json()["key"]}


async def erase(client: Client, headers: dict[str, str], body: Any) -> Answer:
    return await client.delete("/api/users/me", json=body, headers=headers)


# --- Export --------------------------------------------------------------------------------------------------------


async def test_an_export_is_a_file_with_everything(
    house: House, client: Client, signed_in: Sign, clock: SetClock
) -> None:
    person = await signed_in("ada")
    await key_of(client, person)

    answer = await client.get("/api/users/me/data", headers=person.bearer)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="manor-export-ada-2030-01-02.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    data = answer.json()
    assert data["export_metadata"] == {
        "exported_at": "2030-01-02T12:00:00Z",
        "user_id": str(person.id),
        "data_categories": [
            "account",
            "topics",
            "messages",
            "devices",
            "subscriptions",
            "api_keys",
            "access_tokens",
        ],
    }
    assert (
        data["account"].items()
        >= {
            "user_id": str(person.id),
            "email": "ada@example.org",
            "username": "ada",
            "subscription_tier": "FREE",
            "created_at": "2030-01-02T12:00:00Z",
        }.items()
    )
    assert {*data} >= {"topics", "messages", "devices", "api_keys", "topic_access_tokens", "subscriptions"}
    assert {*data} >= {"consents", "sessions", "teams"}
    assert [(key["name"], key["description"]) for key in data["api_keys"]] == [("CI", "deploys")]
    assert len(data["sessions"]) == 1
    assert {*data["statistics"]} == {*TOTALS, "account_age_days"}
    assert (data["statistics"]["total_api_keys"], data["statistics"]["total_topics"]) == (1, 0)
    assert "auth.data_exported" in await actions(house)


async def test_an_export_has_no_secret_and_nothing_of_others(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    mine, hers = await key_of(client, ada), await key_of(client, eve, "of eve")

    text = (await client.get("/api/users/me/data", headers=ada.bearer)).text

    for hidden in (mine["X-API-Key"], hers["X-API-Key"], "$argon2", "of eve", "eve@example.org", str(eve.id)):
        assert hidden not in text


async def test_five_exports_a_day_are_made(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")

    answers = [await client.get("/api/users/me/data", headers=ada.bearer) for _ in range(6)]

    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert int(answers[5].headers["Retry-After"]) > 3600
    assert (await client.get("/api/users/me/data", headers=eve.bearer)).status == 200


async def test_an_account_tells_its_age(client: Client, signed_in: Sign, clock: SetClock) -> None:
    await made_long_ago(client, signed_in, clock)
    person = (await login(client, "ada")).json()

    data = await client.get("/api/users/me/data", headers={"Authorization": f"Bearer {person['access_token']}"})

    assert data.json()["statistics"]["account_age_days"] == 40


async def made_long_ago(client: Client, signed_in: Sign, clock: SetClock) -> None:
    await signed_in("ada")
    clock.set(clock.now() + timedelta(days=40, hours=3))


# --- Erasure -------------------------------------------------------------------------------------------------------


async def test_who_goes_is_gone_at_once_and_the_names_are_free(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    key = await key_of(client, person)

    answer = await erase(client, person.bearer, {"password": PASSWORD})

    assert (answer.status, answer.body) == (204, b"")
    assert not await opens(client, person.tokens["access_token"])
    assert (await client.get("/api/users/me", headers=key)).status == 401
    assert (await client.post("/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]})).status == 401
    assert (await login(client, "ada")).status == 401
    assert await made(house, "ada") != person.id


async def test_nothing_of_who_went_is_left_in_the_files(
    house: House, client: Client, signed_in: Sign, autojump_clock: MockClock
) -> None:
    person = await signed_in("quetzal")
    await client.post("/api/keys", json={"name": "marzipan", "description": "nougat"}, headers=person.bearer)
    await client.patch("/api/users/me", json={"email": "zanzibar@new.example"}, headers=person.bearer)
    assert len(await links(house, "quetzal@example.org", "undo-email")) == 1
    assert (await erase(client, person.bearer, {"password": PASSWORD})).status == 204

    while await house.services.identity.personal.is_erasing(person.id):  # noqa: ASYNC110 - nothing rings when it is over
        await trio.sleep(1)

    written = b"".join(_files(house)).lower()
    assert len(written) > 10_000
    for word in (b"quetzal", b"zanzibar", b"marzipan", b"nougat"):
        assert word not in written
    assert "identity.user_erased" in await actions(house)


def _files(house: House) -> list[bytes]:
    folder: Path = house.storage.path.parent
    return [path.read_bytes() for path in folder.iterdir() if path.name.startswith("manor.db")]


async def test_a_wrong_password_is_400_and_counted(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    strange = client(address="203.0.113.9")

    statuses = [(await erase(strange, person.bearer, {"password": "wrong one"})).status for _ in range(11)]

    assert statuses == [400] * 10 + [429]
    assert await opens(client, person.tokens["access_token"])


@pytest.mark.parametrize("body", [{}, {"password": None}, {"password": 5}, {"password": "x" * 4097}, []])
async def test_without_a_password_it_is_422(client: Client, signed_in: Sign, body: Any) -> None:
    person = await signed_in("ada")

    assert (await erase(client, person.bearer, body)).status == 422
    assert (await client.delete("/api/users/me", headers=person.bearer)).status == 422
    assert await opens(client, person.tokens["access_token"])


@pytest.mark.manor(config={"plugins": {"auth": {"admin_contact": "help@manor.example"}}})
async def test_who_has_no_password_is_told_whom_to_ask(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await house.storage.write(lambda transaction: set_password_hash(transaction, person.id, None))

    answer = await erase(client, person.bearer, {"password": PASSWORD})

    assert answer.status == 403
    assert "help@manor.example" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/users/me/data"), ("DELETE", "/api/users/me")])
async def test_no_key_gets_all_data_or_ends_an_account(client: Client, signed_in: Sign, method: str, path: str) -> None:
    person = await signed_in("ada")
    headers = await key_of(client, person)

    assert (await client.request(method, path, json={"password": PASSWORD}, headers=headers)).status == 403
    assert (await client.request(method, path, json={"password": PASSWORD})).status == 401
    assert await opens(client, person.tokens["access_token"])


async def test_a_key_that_comes_along_does_not_say_whose_data_it_is(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    both = {**await key_of(client, ada), **eve.bearer}

    data = (await client.get("/api/users/me/data", headers=both)).json()

    assert data["account"]["username"] == "eve"
