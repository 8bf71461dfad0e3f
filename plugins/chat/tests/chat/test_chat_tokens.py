"""Personal access tokens: shown once, good for ever, dead at once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import Event, list_credentials, to_chat_id
from manor.clock import SetClock
from manor.identity import CredentialRevoked
from manor.testing import Client, House, open_test_house
from tests.chat_people import API, Chatter, Crew, chatter
from tests.chat_sign_in import bearing, session_of, told_id

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
OVER = (401, "api.context.session_expired.app_error")
GONE = (404, "app.user_access_token.get_by_user.app_error")


@pytest.fixture
async def crew(house: House) -> Crew:
    gathered = await Crew.gather(house)
    await may_have_tokens(gathered, gathered.ann)
    return gathered


async def may_have_tokens(crew: Crew, who: Chatter) -> None:
    roles = {"roles": "system_user system_user_access_token"}
    assert (await crew.ada.client.request("PUT", f"{API}/users/{who.chat_id}/roles", json=roles)).status == 200


async def new_token(client: Client, who: str = "me", description: str = "a bot of mine") -> dict[str, Any]:
    answer = await client.post(f"{API}/users/{who}/tokens", json={"description": description})
    assert answer.status == 200, answer.text
    token: dict[str, Any] = answer.json()
    return token


async def works(client: Client, token: str) -> bool:
    answer = await bearing(client, token).get(f"{API}/users/me")
    assert answer.status in (200, 401)
    return answer.status == 200


async def test_a_token_is_shown_once_and_opens_what_its_owner_may(
    house: House, client: Client, crew: Crew, clock: SetClock
) -> None:
    made = await new_token(crew.ann.client)

    secret = made.pop("token")
    assert len(secret) == 26
    assert secret[0] == "p"
    assert (made["user_id"], made["description"], made["is_active"]) == (crew.ann.chat_id, "a bot of mine", True)
    assert (await crew.ann.client.get(f"{API}/users/me/tokens")).json() == [made]
    assert (await crew.ann.client.get(f"{API}/users/tokens/{made['id']}")).json() == made
    assert (await bearing(client, secret).get(f"{API}/users/me")).json()["id"] == crew.ann.chat_id
    clock.set(clock.now() + timedelta(days=9999))
    assert await works(client, secret)
    in_address = await client.get(f"{API}/users/me?access_token={secret}")
    assert told_id(in_address) == (401, "api.context.token_provided.app_error")
    # Nothing of a token is a session, and signing out ends none.
    assert (await bearing(client, secret).get(f"{API}/users/me/sessions")).json() == []
    assert (await bearing(client, secret).post(f"{API}/users/logout")).status == 200
    assert await works(client, secret)


async def test_a_token_that_is_disabled_opens_nothing_until_it_is_enabled(
    client: Client, crew: Crew, heard: list[Event]
) -> None:
    ann = crew.ann.client
    made, other = await new_token(ann), await new_token(ann)
    body = {"token_id": made["id"]}
    assert await works(client, made["token"])
    heard.clear()

    assert (await ann.post(f"{API}/users/tokens/disable", json=body)).json() == {"status": "OK"}
    assert not await works(client, made["token"])
    assert await works(client, other["token"])
    assert [each.credential_id for each in heard if isinstance(each, CredentialRevoked)] != []
    listed = (await ann.get(f"{API}/users/me/tokens")).json()
    assert [each["is_active"] for each in listed] == [False, True]
    assert (await ann.post(f"{API}/users/tokens/disable", json=body)).status == 200
    assert (await ann.post(f"{API}/users/tokens/enable", json=body)).json() == {"status": "OK"}
    assert await works(client, made["token"])
    assert (await ann.post(f"{API}/users/tokens/revoke", json=body)).json() == {"status": "OK"}
    assert not await works(client, made["token"])
    for verb in ("disable", "enable", "revoke"):
        assert told_id(await ann.post(f"{API}/users/tokens/{verb}", json=body)) == GONE
    assert [each["id"] for each in (await ann.get(f"{API}/users/me/tokens")).json()] == [other["id"]]


async def test_a_token_opens_what_its_row_says_whoever_switches_it_at_once(client: Client, crew: Crew) -> None:
    ann = crew.ann.client
    made = await new_token(ann)

    for _ in range(10):
        async with trio.open_nursery() as nursery:
            for verb in ("disable", "enable"):
                nursery.start_soon(partial(ann.post, f"{API}/users/tokens/{verb}", json={"token_id": made["id"]}))
        shown = (await ann.get(f"{API}/users/tokens/{made['id']}")).json()
        assert await works(client, made["token"]) == shown["is_active"]


async def test_a_disabled_token_stays_disabled_when_the_server_starts_again(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["chat"]) as house:
        ada = await chatter(house, "ada", is_admin=True)
        made = await new_token(ada.client)
        await ada.client.post(f"{API}/users/tokens/disable", json={"token_id": made["id"]})
    async with open_test_house(tmp_path, plugins=["chat"]) as house:
        assert not await works(Client(house.dispatcher), made["token"])
        await Client(house.dispatcher)(principals=ada.client.principals).post(
            f"{API}/users/tokens/enable", json={"token_id": made["id"]}
        )
        assert await works(Client(house.dispatcher), made["token"])


async def test_deactivation_kills_a_token_at_once(client: Client, crew: Crew) -> None:
    made = await new_token(crew.ann.client)
    assert await works(client, made["token"])

    await crew.ada.client.request("PUT", f"{API}/users/{crew.ann.chat_id}/active", json={"active": False})

    assert not await works(client, made["token"])


async def test_only_those_with_the_role_have_tokens_and_administrators_see_all(crew: Crew) -> None:
    made = await new_token(crew.ann.client)
    bob, body = crew.bob.client, {"token_id": made["id"]}

    assert told_id(await bob.post(f"{API}/users/me/tokens", json={"description": "x"})) == FORBIDDEN
    assert told_id(await bob.get(f"{API}/users/me/tokens")) == FORBIDDEN
    await may_have_tokens(crew, crew.bob)
    assert (await new_token(bob))["user_id"] == crew.bob.chat_id
    for answer in (
        await bob.get(f"{API}/users/tokens/{made['id']}"),
        await bob.get(f"{API}/users/{crew.ann.chat_id}/tokens"),
        await bob.post(f"{API}/users/{crew.ann.chat_id}/tokens", json={"description": "x"}),
        *[await bob.post(f"{API}/users/tokens/{verb}", json=body) for verb in ("disable", "enable", "revoke")],
    ):
        assert told_id(answer) == FORBIDDEN
    assert (await crew.ada.client.get(f"{API}/users/{crew.ann.chat_id}/tokens")).json()[0]["id"] == made["id"]
    assert (await crew.ada.client.post(f"{API}/users/tokens/revoke", json=body)).status == 200


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("me/tokens", {}, (400, "model.user_access_token.is_valid.description.app_error")),
        ("me/tokens", {"description": "x" * 256}, (400, "model.user_access_token.is_valid.description.app_error")),
        ("me/tokens", {"description": 1}, BAD_BODY),
        (f"{'y' * 26}/tokens", {"description": "x"}, (404, "app.user.missing_account.const")),
        ("tokens/disable", {}, BAD_BODY),
        ("tokens/disable", {"token_id": "x"}, BAD_BODY),
        ("tokens/enable", {"token_id": "y" * 26}, GONE),
        ("tokens/revoke", {"token_id": "y" * 26}, GONE),
    ],
)
async def test_what_is_no_token_is_refused(crew: Crew, path: str, body: Any, refusal: tuple[int, str]) -> None:
    assert told_id(await crew.ada.client.post(f"{API}/users/{path}", json=body)) == refusal


async def test_what_opens_a_session_is_no_token(house: House, client: Client, crew: Crew) -> None:
    await session_of(client, "ann")
    (session,) = await house.storage.read(
        lambda transaction: list_credentials(transaction, kind="chat_session", user_id=crew.ann.id)
    )

    for verb in ("disable", "enable", "revoke"):
        answer = await crew.ann.client.post(f"{API}/users/tokens/{verb}", json={"token_id": to_chat_id(session.id)})
        assert told_id(answer) == GONE
    assert (await crew.ann.client.get(f"{API}/users/me/tokens")).json() == []


async def test_tokens_come_page_by_page(crew: Crew) -> None:
    ids = [(await new_token(crew.ann.client))["id"] for _ in range(3)]

    page = (await crew.ann.client.get(f"{API}/users/me/tokens?per_page=2&page=1")).json()

    assert [each["id"] for each in page] == ids[2:]


async def test_tokens_of_people_open_nothing_once_the_admin_takes_them_away(tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["chat"]) as house:
        ada = await chatter(house, "ada", is_admin=True)
        bot = (await ada.client.post(f"{API}/bots", json={"username": "robot"})).json()
        hers, its = await new_token(ada.client), await new_token(ada.client, bot["user_id"])
        assert await works(Client(house.dispatcher), hers["token"])
    without = {"plugins": {"chat": {"personal_access_tokens": False}}}
    async with open_test_house(tmp_path, plugins=["chat"], config=without) as house:
        assert not await works(Client(house.dispatcher), hers["token"])
        assert await works(Client(house.dispatcher), its["token"])


@pytest.mark.manor(config={"plugins": {"chat": {"personal_access_tokens": False}}})
async def test_where_people_have_no_tokens_those_of_bots_work(client: Client, crew: Crew) -> None:
    ada = crew.ada.client
    refused = await ada.post(f"{API}/users/me/tokens", json={"description": "x"})
    assert told_id(refused) == (501, "app.user_access_token.disabled")

    bot = (await ada.post(f"{API}/bots", json={"username": "robot"})).json()
    made = await new_token(ada, bot["user_id"])

    assert await works(client, made["token"])
