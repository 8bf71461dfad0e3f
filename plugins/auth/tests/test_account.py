"""One's own account: shown, changed, and given back to its owner after somebody else changed it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from manor import Transaction, link_login, list_logins
from manor.testing import Answer, Client, House, SetClock, open_test_house
from tests.people import QUICK, Person, Sign, actions, links, login, made, opens

MEMBERS = {
    "id",
    "email",
    "username",
    "avatar_url",
    "subscription_tier",
    "subscription_expires_at",
    "is_active",
    "is_verified",
    "created_at",
    "last_login",
}


async def change(client: Client, person: Person, **members: Any) -> Answer:
    return await client.patch("/api/users/me", json=members, headers=person.bearer)


async def key_of(client: Client, person: Person) -> dict[str, str]:
    answer = await client.post("/api/keys", json={"name": "CI"}, headers=person.bearer)
    return {"X-API-Key": answer.json()["key"]}


def token_of(url: str) -> str:
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


async def undo(client: Client, url: str) -> Answer:
    """As a browser does: open the link, and press the button."""
    parts = urlsplit(url)
    page = await client.get(f"{parts.path}?{parts.query}")
    assert page.status == 200
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page.text))
    headers = {
        "Cookie": page.headers["Set-Cookie"].partition(";")[0],
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "same-origin",
    }
    return await client.post(parts.path, body=urlencode(fields).encode(), headers=headers)


async def test_an_account_is_shown_to_sessions_and_keys(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    by_session = await client.get("/api/users/me", headers=person.bearer)
    by_key = await client.get("/api/users/me", headers=await key_of(client, person))

    assert set(by_session.json()) == MEMBERS
    assert by_session.json() == by_key.json()
    assert (by_key.json()["id"], by_key.json()["email"]) == (str(person.id), "ada@example.org")
    assert by_key.json()["last_login"] == "2030-01-02T12:00:00Z"
    assert by_key.json()["subscription_expires_at"] is None


async def test_nobody_is_shown_and_changed_without_a_credential(client: Client) -> None:
    assert (await client.get("/api/users/me")).status == 401
    assert (await client.patch("/api/users/me", json={})).status == 401


async def test_a_key_changes_nothing(client: Client, signed_in: Sign) -> None:
    person = await signed_in()

    answer = await client.patch("/api/users/me", json={"username": "eve"}, headers=await key_of(client, person))

    assert answer.status == 403


async def test_a_key_that_comes_along_does_not_say_whose_account_is_changed(client: Client, signed_in: Sign) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    both = {**await key_of(client, ada), **eve.bearer}

    answer = await client.patch("/api/users/me", json={"username": "mallory"}, headers=both)

    assert answer.json()["id"] == str(eve.id)


@pytest.mark.parametrize("members", [{}, {"username": None}, {"username": "ada"}, {"email": "ada@example.org"}])
async def test_what_stays_as_it_is_changes_nothing(
    house: House, client: Client, signed_in: Sign, members: dict[str, Any]
) -> None:
    person = await signed_in("ada")
    before = (await client.get("/api/users/me", headers=person.bearer)).json()

    answer = await change(client, person, **members)

    assert (answer.status, answer.json()) == (200, before)
    assert "auth.profile_changed" not in await actions(house)


async def test_a_new_username_is_the_one_to_sign_in_with(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    answer = await change(client, person, username="countess")

    assert (answer.status, answer.json()["username"], answer.json()["is_verified"]) == (200, "countess", True)
    assert [(await login(client, name)).status for name in ("countess", "ada")] == [200, 401]


async def test_a_new_address_counts_at_once_and_is_to_be_verified(
    house: House, client: Client, signed_in: Sign
) -> None:
    person = await signed_in("ada")

    answer = await change(client, person, email="ada@new.example")

    assert (answer.status, answer.json()["email"], answer.json()["is_verified"]) == (200, "ada@new.example", False)
    assert await opens(client, person.tokens["access_token"])
    assert (await login(client, "ada")).status == 403
    (url,) = await links(house, "ada@new.example", "verify")
    await client.get(url.removeprefix("http://127.0.0.1:8080"))
    assert (await login(client, "ada@new.example")).status == 200
    assert (await login(client, "ada@example.org")).status == 401


async def test_an_address_in_another_case_stays_proven(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    answer = await change(client, person, email="Ada@Example.org")

    assert (answer.json()["email"], answer.json()["is_verified"]) == ("Ada@Example.org", True)
    assert await links(house, "ada@example.org", "undo-email") == []


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"username": "EVE"}, 409),
        ({"email": "Eve@example.org"}, 409),
        ({"username": "ab"}, 422),
        ({"username": "a" * 33}, 422),
        ({"username": "a\r\nb"}, 422),
        ({"username": "\u0430da"}, 422),
        ({"username": 5}, 422),
        ({"email": "nobody"}, 422),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, 422),
        ({"email": "a" * 300 + "@example.org"}, 422),
        ({"username": "fine-name", "email": "eve@example.org"}, 409),
    ],
)
async def test_what_cannot_be_taken_changes_nothing(
    house: House, client: Client, signed_in: Sign, members: dict[str, Any], status: int
) -> None:
    person = await signed_in("ada")
    await made(house, "eve")
    before = (await client.get("/api/users/me", headers=person.bearer)).json()

    assert (await change(client, person, **members)).status == status

    assert (await client.get("/api/users/me", headers=person.bearer)).json() == before


async def test_ten_addresses_a_minute_are_tried(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    statuses = [(await change(client, person, email=f"ada{number}@example.org")).status for number in range(11)]

    assert statuses == [200] * 10 + [429]


async def test_changes_that_tell_nothing_of_others_are_not_counted(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    harmless: list[dict[str, Any]] = [{}, {"email": "ADA@example.org"}, {"email": "nobody"}, {"username": "ab"}]

    statuses = [(await change(client, person, **members)).status for _ in range(5) for members in harmless]

    assert statuses == [200, 200, 422, 422] * 5


async def test_a_new_address_is_mailed_where_transactions_run_on_threads(tmp_path: Path, clock: SetClock) -> None:
    opening = open_test_house(tmp_path, plugins=["auth"], config={"identity": QUICK}, clock=clock, inline=False)
    async with opening as house:
        await made(house, "ada")
        client = Client(house.dispatcher)
        bearer = {"Authorization": f"Bearer {(await login(client, 'ada')).json()['access_token']}"}

        answer = await client.patch("/api/users/me", json={"email": "ada@new.example"}, headers=bearer)

        assert (answer.status, answer.json()["email"]) == (200, "ada@new.example"), answer.text
        assert len(await links(house, "ada@new.example", "verify")) == 1


# --- Back ----------------------------------------------------------------------------------------------------------


async def test_the_old_address_takes_the_change_back(
    house: House, client: Client, signed_in: Sign, clock: SetClock
) -> None:
    person = await signed_in("ada")
    early = await key_of(client, person)
    clock.set(clock.now() + timedelta(minutes=1))
    await change(client, person, email="eve@evil.example")
    late = await key_of(client, person)
    (url,) = await links(house, "ada@example.org", "undo-email")

    answer = await undo(client, url)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert not await opens(client, person.tokens["access_token"])
    statuses = [(await client.get("/api/users/me", headers=key)).status for key in (early, late)]
    assert statuses == [200, 401]
    again = await login(client, "ada@example.org")
    assert (again.status, again.json()["user"]["is_verified"]) == (200, True)
    assert "auth.email_change_undone" in await actions(house)


async def test_what_was_connected_since_opens_the_account_no_more(
    house: House, client: Client, signed_in: Sign, clock: SetClock
) -> None:
    person = await signed_in("ada")

    async def connect(subject: str) -> None:
        def work(transaction: Transaction) -> None:
            link_login(transaction, person.id, issuer="https://id.example", subject=subject, provider="home")

        await house.storage.write(work)

    await connect("ada-at-home")
    clock.set(clock.now() + timedelta(minutes=1))
    await change(client, person, email="eve@evil.example")
    await connect("eve-at-home")
    (url,) = await links(house, "ada@example.org", "undo-email")

    assert (await undo(client, url)).status == 200

    logins = await house.storage.read(lambda transaction: list_logins(transaction, person.id))
    assert [each.subject for each in logins] == ["ada-at-home"]
    assert "auth.login_unlinked" in await actions(house)


async def test_opening_the_link_alone_changes_nothing(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await change(client, person, email="ada@new.example")
    (url,) = await links(house, "ada@example.org", "undo-email")

    page = await client.get(url.removeprefix("http://127.0.0.1:8080"))

    assert page.status == 200
    assert (await client.get("/api/users/me", headers=person.bearer)).json()["email"] == "ada@new.example"


async def test_a_link_is_good_once_and_for_seven_days(
    house: House, client: Client, signed_in: Sign, clock: SetClock
) -> None:
    person = await signed_in("ada")
    await change(client, person, email="ada@new.example")
    (url,) = await links(house, "ada@example.org", "undo-email")

    clock.set(clock.now() + timedelta(days=7))

    assert (await undo(client, url)).status == 400
    assert (await undo(client, url.replace(token_of(url), "made-up"))).status == 400
    clock.set(clock.now() - timedelta(seconds=1))
    assert [(await undo(client, url)).status for _ in range(2)] == [200, 400]


async def test_a_link_to_a_later_address_is_void_once_an_earlier_one_is_back(
    house: House, client: Client, signed_in: Sign
) -> None:
    person = await signed_in("ada")
    await change(client, person, email="eve@evil.example")
    (verify,) = await links(house, "eve@evil.example", "verify")
    await client.get(verify.removeprefix("http://127.0.0.1:8080"))
    await change(client, person, email="eve@other.example")
    (first,) = await links(house, "ada@example.org", "undo-email")
    (second,) = await links(house, "eve@evil.example", "undo-email")

    assert (await undo(client, first)).status == 200
    assert (await undo(client, second)).status == 400

    assert (await login(client, "ada@example.org")).status == 200


async def test_an_earlier_address_comes_back_after_a_later_one_did(
    house: House, client: Client, signed_in: Sign
) -> None:
    person = await signed_in("ada")
    await change(client, person, email="eve@evil.example")
    (verify,) = await links(house, "eve@evil.example", "verify")
    await client.get(verify.removeprefix("http://127.0.0.1:8080"))
    await change(client, person, email="eve@other.example")
    (first,) = await links(house, "ada@example.org", "undo-email")
    (second,) = await links(house, "eve@evil.example", "undo-email")

    assert [(await undo(client, url)).status for url in (second, first)] == [200, 200]

    assert (await login(client, "ada@example.org")).status == 200


async def test_an_address_that_was_never_proven_gets_no_link(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await change(client, person, email="typo@example.org")

    await change(client, person, email="right@example.org")

    assert await links(house, "typo@example.org", "undo-email") == []
    assert len(await links(house, "ada@example.org", "undo-email")) == 1


async def test_an_address_that_another_account_has_by_now_does_not_come_back(
    house: House, client: Client, signed_in: Sign
) -> None:
    ada, eve = await signed_in("ada"), await signed_in("eve")
    await change(client, ada, email="ada@new.example")
    (url,) = await links(house, "ada@example.org", "undo-email")
    await change(client, eve, email="ada@example.org")

    assert (await undo(client, url)).status == 409

    assert await opens(client, ada.tokens["access_token"])


async def test_a_form_of_another_page_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}

    assert (await client.post("/auth/undo-email", body=b"token=x", headers=headers)).status == 403
