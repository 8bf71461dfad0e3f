"""Signing in, going on, signing out; and what strangers are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import find_user, set_active
from manor.testing import Client, House, SetClock, open_test_house
from tests.people import PASSWORD, QUICK, Sign, actions, login, made, opens


def forward(clock: SetClock, **by: float) -> None:
    clock.set(clock.now() + timedelta(**by))


async def refresh(client: Client, token: str) -> Any:
    return await client.post("/auth/refresh", json={"refresh_token": token})


async def test_a_sign_in_gives_the_tokens_and_the_person(house: House, client: Client) -> None:
    user_id = await made(house, "ada")

    answer = await login(client, "ada@example.org")

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.json()
    assert set(body) == {
        "access_token",
        "refresh_token",
        "token_type",
        "expires_in",
        "refresh_expires_in",
        "user",
    }
    assert (body["token_type"], body["expires_in"], body["refresh_expires_in"]) == ("bearer", 1800, 604_800)
    assert body["user"] == {
        "id": str(user_id),
        "email": "ada@example.org",
        "username": "ada",
        "subscription_tier": "FREE",
        "is_verified": True,
        "created_at": "2030-01-02T12:00:00Z",
    }
    assert await opens(client, body["access_token"])
    assert "auth.signed_in" in await actions(house)


@pytest.mark.parametrize("name", ["ada", "ADA", "Ada@Example.ORG", " ada@example.org "])
async def test_address_and_username_are_taken_whatever_their_case(client: Client, signed_in: Sign, name: str) -> None:
    await signed_in("ada")

    assert (await login(client, name)).status == 200


async def test_a_sign_in_is_remembered_as_the_last(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in()

    user = await house.storage.read(lambda transaction: find_user(transaction, user_id=person.id))

    assert user is not None
    assert user.last_login == house.services.clock.now()


async def test_a_wrong_password_and_an_unknown_account_are_answered_alike(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")

    wrong, unknown = await login(client, "ada", "not this one"), await login(client, "nobody", "not this one")

    assert (wrong.status, wrong.body) == (unknown.status, unknown.body)
    assert wrong.status == 401
    assert {*wrong.headers} == {*unknown.headers}


async def test_only_who_knows_the_password_hears_that_the_address_is_not_verified(house: House, client: Client) -> None:
    await made(house, "ada", is_verified=False)

    assert [(await login(client, "ada", word)).status for word in (PASSWORD, "wrong one")] == [403, 401]


async def test_a_disabled_account_stays_outside_and_its_tokens_are_dead(
    house: House, client: Client, signed_in: Sign
) -> None:
    person = await signed_in()
    await house.storage.write(lambda transaction: set_active(transaction, person.id, False))

    assert (await login(client, "ada")).status == 403
    assert not await opens(client, person.tokens["access_token"])
    assert (await refresh(client, person.tokens["refresh_token"])).status == 401


async def test_ten_failures_lock_the_account_for_the_right_password_too(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")
    strange = client(address="203.0.113.9")
    for name in ("ada", "nobody"):
        statuses = [(await login(strange, name, "wrong one")).status for _ in range(10)]
        assert statuses == [401] * 10

    locked, unknown = await login(strange, "ada"), await login(strange, "nobody")

    assert (locked.status, unknown.status, locked.body) == (429, 429, unknown.body)
    assert int(locked.headers["Retry-After"]) == 900
    assert (await login(client, "ada")).status == 200, "from where they have signed in before"


async def guess(client: Client, times: int) -> None:
    for number in range(times):
        assert (await login(client, f"nobody-{number}", "wrong one")).status == 401


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 1}}})
async def test_thirty_failures_lock_an_address_for_everybody(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")
    await guess(client, 30)

    answer = await login(client, "ada")

    assert (answer.status, answer.headers["Retry-After"]) == (429, "900")


async def test_without_limits_of_addresses_no_address_is_locked(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")
    await guess(client, 31)

    assert (await login(client, "ada")).status == 200


async def test_a_failed_sign_in_stands_in_the_audit_log_without_what_was_typed(house: House, client: Client) -> None:
    await login(client, "my password by mistake", "wrong one")

    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    assert [(row.action, row.actor) for row in rows] == [("auth.sign_in_refused", "anonymous")]
    assert "mistake" not in str(rows)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada"},
        {"email": "ada", "password": None},
        {"email": ["ada"], "password": "x"},
        {"email": "ada", "password": "x" * 5000},
        {"email": "a" * 300, "password": "x"},
        [],
    ],
)
async def test_a_login_that_is_none_is_422(client: Client, body: Any) -> None:
    answer = await client.post("/auth/login", json=body)

    assert (answer.status, answer.headers["Cache-Control"]) == (422, "no-store")
    assert isinstance(answer.json()["detail"], str)


async def test_a_megabyte_of_password_is_not_even_read(client: Client) -> None:
    answer = await login(client, "ada", "x" * 1_000_000)

    assert answer.status == 413


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "\x00", "🚀", "ada\u202e", "%00", "' OR 1=1 --", ""])
async def test_odd_names_are_nobody(client: Client, name: str) -> None:
    assert (await login(client, name)).status == 401


# --- Going on ------------------------------------------------------------------------------------------------------


async def test_each_refresh_gives_a_new_pair(client: Client, signed_in: Sign) -> None:
    person = await signed_in()

    answer = await refresh(client, person.tokens["refresh_token"])

    assert answer.status == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["refresh_token"] != person.tokens["refresh_token"]
    assert await opens(client, body["access_token"])
    assert await opens(client, person.tokens["access_token"])


async def test_a_replayed_refresh_token_ends_the_session_and_its_access_tokens_at_once(
    house: House, client: Client, signed_in: Sign
) -> None:
    person = await signed_in()
    second = (await refresh(client, person.tokens["refresh_token"])).json()

    replayed = await refresh(client, person.tokens["refresh_token"])

    assert replayed.status == 401
    assert not await opens(client, second["access_token"])
    assert not await opens(client, person.tokens["access_token"])
    assert (await refresh(client, second["refresh_token"])).status == 401
    assert "auth.refresh_token_reused" in await actions(house)


async def test_of_two_that_refresh_at_once_one_wins_and_the_session_ends(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    statuses: list[int] = []

    async def one() -> None:
        statuses.append((await refresh(client, person.tokens["refresh_token"])).status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)

    assert sorted(statuses) == [200, 401]
    assert not await opens(client, person.tokens["access_token"])


@pytest.mark.manor(config={"plugins": {"auth": {"refresh_grace_seconds": 10}}})
async def test_within_the_grace_a_spent_token_is_taken_again(client: Client, clock: SetClock, signed_in: Sign) -> None:
    person = await signed_in()

    assert (await refresh(client, person.tokens["refresh_token"])).status == 200
    forward(clock, seconds=9)
    assert (await refresh(client, person.tokens["refresh_token"])).status == 200
    forward(clock, seconds=1)
    assert (await refresh(client, person.tokens["refresh_token"])).status == 401
    assert not await opens(client, person.tokens["access_token"])


async def test_a_session_goes_on_by_use_and_ends_after_ninety_days(
    client: Client, clock: SetClock, signed_in: Sign
) -> None:
    begun = clock.now()
    token = (await signed_in()).tokens["refresh_token"]
    for _ in range(15):
        forward(clock, days=6)
        answer = await refresh(client, token)
        if answer.status != 200:
            break
        token = answer.json()["refresh_token"]

    assert (clock.now() - begun, answer.status) == (timedelta(days=90), 401)


async def test_an_unused_session_ends_after_seven_days(client: Client, clock: SetClock, signed_in: Sign) -> None:
    person = await signed_in()
    forward(clock, days=7)

    assert (await refresh(client, person.tokens["refresh_token"])).status == 401


async def test_an_access_token_ends_after_its_time(client: Client, clock: SetClock, signed_in: Sign) -> None:
    person = await signed_in()

    forward(clock, minutes=30, seconds=29)
    assert await opens(client, person.tokens["access_token"])
    forward(clock, seconds=1)
    assert not await opens(client, person.tokens["access_token"])


async def test_tokens_of_the_wrong_kind_are_401(client: Client, signed_in: Sign) -> None:
    person = await signed_in()

    assert (await refresh(client, person.tokens["access_token"])).status == 401
    assert not await opens(client, person.tokens["refresh_token"])
    assert await opens(client, person.tokens["access_token"]), "offering it harmed nothing"


@pytest.mark.parametrize("token", ["", "x", "eyJ.e.e", "noti_abc", "é", "\r\n"])
async def test_what_is_no_refresh_token_is_401(client: Client, token: str) -> None:
    assert (await refresh(client, token)).status == 401


async def test_a_refresh_does_not_mind_the_expired_token_beside_it(
    client: Client, clock: SetClock, signed_in: Sign
) -> None:
    person = await signed_in()
    forward(clock, hours=1)
    stale = client(headers=person.bearer)

    assert (await refresh(stale, person.tokens["refresh_token"])).status == 200


async def test_sessions_outlive_a_restart(tmp_path: Path, clock: SetClock) -> None:
    config = {"identity": QUICK}
    async with open_test_house(tmp_path, plugins=["auth"], config=config, clock=clock) as house:
        await made(house, "ada")
        tokens = (await login(Client(house.dispatcher), "ada")).json()
    async with open_test_house(tmp_path, plugins=["auth"], config=config, clock=clock) as house:
        client = Client(house.dispatcher)
        assert await opens(client, tokens["access_token"])
        assert (await refresh(client, tokens["refresh_token"])).status == 200


# --- Sessions ------------------------------------------------------------------------------------------------------


async def test_signing_out_ends_this_session_alone(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    other = (await login(client, "ada")).json()

    answer = await client.post("/auth/logout", headers=person.bearer)

    assert (answer.status, answer.body) == (204, b"")
    assert not await opens(client, person.tokens["access_token"])
    assert (await refresh(client, person.tokens["refresh_token"])).status == 401
    assert await opens(client, other["access_token"])


async def test_the_list_says_where_somebody_is_signed_in(client: Client, signed_in: Sign) -> None:
    person = await signed_in()
    phone = client(address="203.0.113.9", headers={"User-Agent": "Phone\t1.0"})
    await login(phone, "ada")

    sessions = (await client.get("/auth/sessions", headers=person.bearer)).json()

    assert [(each["ip"], each["user_agent"], each["current"]) for each in sessions] == [
        ("203.0.113.9", "Phone1.0", False),
        ("127.0.0.1", "", True),
    ]
    assert set(sessions[0]) == {"id", "created_at", "last_used_at", "ip", "user_agent", "current"}


async def test_one_ends_ones_own_sessions_and_nobody_elses(client: Client, signed_in: Sign) -> None:
    ada, bob = await signed_in("ada"), await signed_in("bob")
    (session,) = (await client.get("/auth/sessions", headers=ada.bearer)).json()
    path = f"/auth/sessions/{session['id']}"

    assert (await client.delete(path, headers=bob.bearer)).status == 404
    assert await opens(client, ada.tokens["access_token"])
    assert (await client.delete(path, headers=ada.bearer)).status == 204
    assert not await opens(client, ada.tokens["access_token"])


@pytest.mark.parametrize("id_", ["x", "0", "00000000-0000-7000-8000-000000000000", "%00"])
async def test_a_session_that_is_none_is_404(client: Client, signed_in: Sign, id_: str) -> None:
    person = await signed_in()

    assert (await client.delete(f"/auth/sessions/{id_}", headers=person.bearer)).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/auth/logout"), ("GET", "/auth/sessions"), ("DELETE", "/auth/sessions/x"), ("GET", "/auth/me")],
)
async def test_without_a_credential_it_is_401(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path)

    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_what_nobody_serves_below_auth_is_not_kept_either(client: Client) -> None:
    answer = await client.get("/auth/nothing-here")

    assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


async def test_no_answer_is_kept_but_the_public_keys(house: House, client: Client) -> None:
    served = [owned.route for owned in house.dispatcher.table if owned.owner == "auth"]
    kept = [
        f"{route.method} {route.path}"
        for route in served
        if (await client.request(route.method, route.path)).headers.get("Cache-Control") != "no-store"
    ]

    assert len(served) > 60
    assert kept == ["GET /.well-known/jwks.json"]


class Ticking(SetClock):
    """A clock that goes on whenever somebody looks."""

    def now(self) -> datetime:
        self.set(super().now() + timedelta(milliseconds=1))
        return super().now()


async def test_lives_are_whole_though_time_passes_while_tokens_are_made(tmp_path: Path) -> None:
    clock = Ticking(datetime(2030, 1, 2, 12, tzinfo=UTC))
    async with open_test_house(tmp_path, plugins=["auth"], config={"identity": QUICK}, clock=clock) as house:
        await made(house, "ada")

        tokens = (await login(Client(house.dispatcher), "ada")).json()

        assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (1800, 604_800)
