"""Sessions: seen by their owner, ended by their owner."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from manor import Transaction, open_session, to_chat_id
from manor.clock import SetClock
from manor.testing import Client, House
from tests.chat_people import API, Crew
from tests.chat_sign_in import session_of, told_id

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def ids(client: Client, who: str = "me") -> list[str]:
    answer = await client.get(f"{API}/users/{who}/sessions")
    assert answer.status == 200, answer.text
    return [each["id"] for each in answer.json()]


async def test_a_session_says_where_it_is_and_never_its_token(client: Client, crew: Crew, clock: SetClock) -> None:
    mine = await session_of(client(headers={"User-Agent": AGENT}), "ann", device_id="apple:1")

    (shown,) = (await mine.get(f"{API}/users/{crew.ann.chat_id}/sessions")).json()

    now = int(clock.now().timestamp() * 1000)
    assert shown["token"] == ""
    assert shown["device_id"] == "apple:1"
    assert shown["create_at"] == now
    assert shown["expires_at"] == now + 30 * 86_400_000
    assert shown["props"] == {"platform": "Linux", "os": "Linux", "browser": "Firefox/128.0"}
    assert (shown["user_id"], shown["roles"], shown["is_oauth"]) == (crew.ann.chat_id, "system_user", False)
    (member,) = shown["team_members"]
    assert (member["team_id"], member["roles"]) == (crew.team, "team_user team_admin")


async def test_one_of_somebodys_sessions_or_all_of_them_end(client: Client, crew: Crew) -> None:
    mine, other = await session_of(client, "ann"), await session_of(client, "ann")
    newest, _ = await ids(mine)

    answer = await mine.post(f"{API}/users/me/sessions/revoke", json={"session_id": newest})
    assert answer.json() == {"status": "OK"}
    assert (await other.get(f"{API}/users/me")).status == 401
    assert (await mine.get(f"{API}/users/me")).status == 200
    assert (await crew.ada.client.post(f"{API}/users/{crew.ann.chat_id}/sessions/revoke/all")).status == 200
    assert (await mine.get(f"{API}/users/me")).status == 401


async def test_nobody_looks_at_or_ends_the_sessions_of_others(client: Client, crew: Crew) -> None:
    await session_of(client, "ann")
    bob = await session_of(client, "bob")
    (theirs,) = await ids(crew.ada.client, crew.ann.chat_id)
    forbidden = (403, "api.context.permissions.app_error")

    assert told_id(await bob.get(f"{API}/users/{crew.ann.chat_id}/sessions")) == forbidden
    for path in ("revoke", "revoke/all"):
        answer = await bob.post(f"{API}/users/{crew.ann.chat_id}/sessions/{path}", json={"session_id": theirs})
        assert told_id(answer) == forbidden
    answer = await bob.post(f"{API}/users/me/sessions/revoke", json={"session_id": theirs})
    assert told_id(answer) == (400, "api.context.invalid_url_param.app_error")
    assert await ids(crew.ada.client, crew.ann.chat_id) == [theirs]


async def test_sessions_elsewhere_than_in_chat_are_none_of_its(house: House, crew: Crew) -> None:
    def work(transaction: Transaction) -> UUID:
        day = timedelta(days=1)
        elsewhere = open_session(
            transaction, user_id=crew.ann.id, kind="web", ip="", user_agent="", life=day, absolute=day
        )
        return elsewhere.id

    body = {"session_id": to_chat_id(await house.storage.write(work))}

    assert await ids(crew.ann.client) == []
    refused = await crew.ann.client.post(f"{API}/users/me/sessions/revoke", json=body)
    assert told_id(refused) == (400, "api.context.invalid_url_param.app_error")


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("POST", "me/sessions/revoke", {}, (400, "api.context.invalid_body_param.app_error")),
        ("POST", "me/sessions/revoke", {"session_id": "x"}, (400, "api.context.invalid_body_param.app_error")),
        ("POST", "me/sessions/revoke", {"session_id": "y" * 26}, (400, "api.context.invalid_url_param.app_error")),
        ("GET", "x/sessions", None, (400, "api.context.invalid_url_param.app_error")),
        ("GET", f"{'y' * 26}/sessions", None, (404, "app.user.missing_account.const")),
        ("PUT", "sessions/device", {"device_id": ""}, (400, "api.context.invalid_body_param.app_error")),
        ("PUT", "sessions/device", {"device_id": "x" * 513}, (400, "api.context.invalid_body_param.app_error")),
        ("PUT", "sessions/device", {"device_id": 1}, (400, "api.context.invalid_body_param.app_error")),
    ],
)
async def test_what_is_no_session_is_refused(
    crew: Crew, method: str, path: str, body: object, refusal: tuple[int, str]
) -> None:
    assert told_id(await crew.ada.client.request(method, f"{API}/users/{path}", json=body)) == refusal


async def test_a_device_has_one_session_the_last(client: Client, crew: Crew) -> None:
    older = await session_of(client, "ann", device_id="apple:1")
    other = await session_of(client, "ann")
    newer = await session_of(client, "ann", device_id="apple:1")

    assert (await older.get(f"{API}/users/me")).status == 401
    assert (await newer.get(f"{API}/users/me")).status == 200
    answer = await other.request("PUT", f"{API}/users/sessions/device", json={"device_id": "apple:1"})
    assert answer.json() == {"status": "OK"}
    listed = (await other.get(f"{API}/users/me/sessions")).json()
    assert [each["device_id"] for each in listed] == ["", "apple:1"]


@pytest.mark.manor(plugins=["chat"], config={"plugins": {"chat": {"session_days": 2}}})
async def test_a_session_lasts_as_long_as_it_is_used(house: House, client: Client, crew: Crew, clock: SetClock) -> None:
    used, left = await session_of(client, "ann"), await session_of(client, "ann")
    for _ in range(4):
        clock.set(clock.now() + timedelta(days=1))
        assert (await used.get(f"{API}/users/me")).status == 200
        await house.services.identity._resolver.flush()

    assert (await left.get(f"{API}/users/me")).status == 401
    clock.set(clock.now() + timedelta(days=2))
    assert (await used.get(f"{API}/users/me")).status == 401


async def test_a_session_goes_with_the_right_to_be_here(client: Client, crew: Crew) -> None:
    mine = await session_of(client, "ann")

    answer = await crew.ada.client.request("PUT", f"{API}/users/{crew.ann.chat_id}/active", json={"active": False})

    assert answer.status == 200
    assert (await mine.get(f"{API}/users/me")).status == 401
