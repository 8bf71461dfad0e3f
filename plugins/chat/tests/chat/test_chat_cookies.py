"""Cookies are for pages that ask for them, and prove with each change that they are ours."""

from __future__ import annotations

import pytest

from manor.testing import Client, House
from tests.chat_people import API, Chatter, chatter
from tests.chat_sign_in import PAGE, cookies_of, sign_in, told_id, value_of


@pytest.fixture
async def ann(house: House) -> Chatter:
    return await chatter(house, "ann")


async def test_a_page_is_given_three_cookies_of_which_scripts_read_two(client: Client, ann: Chatter) -> None:
    answer = await sign_in(client, "ann", headers=PAGE)

    cookies = cookies_of(answer)
    assert set(cookies) == {"MMAUTHTOKEN", "MMUSERID", "MMCSRF"}
    assert value_of(cookies["MMAUTHTOKEN"]) == answer.headers["token"]
    assert value_of(cookies["MMUSERID"]) == ann.chat_id
    assert len(value_of(cookies["MMCSRF"])) == 26
    assert [name for name, value in cookies.items() if "HttpOnly" in value] == ["MMAUTHTOKEN"]
    assert all("; Path=/; Max-Age=2592000" in value for value in cookies.values())
    assert not any("Secure" in value for value in cookies.values())


@pytest.mark.manor(plugins=["chat"], config={"server": {"public_url": "https://example.org"}})
async def test_cookies_stay_on_https(client: Client, ann: Chatter) -> None:
    cookies = cookies_of(await sign_in(client, "ann", headers=PAGE))

    assert all("; Path=/;" in value and value.endswith("; Secure") for value in cookies.values())


async def test_a_change_by_cookie_wants_the_proof(client: Client, ann: Chatter) -> None:
    cookies = cookies_of(await sign_in(client, "ann", headers=PAGE))
    token, csrf = value_of(cookies["MMAUTHTOKEN"]), value_of(cookies["MMCSRF"])
    browser = client(headers={"Cookie": f"other=1; MMAUTHTOKEN={token}; MMCSRF={csrf}"})
    body = [ann.chat_id]

    assert (await browser.get(f"{API}/users/me")).status == 200
    for proof in ({"X-CSRF-Token": csrf}, PAGE):
        assert (await browser.post(f"{API}/users/ids", json=body, headers=proof)).status == 200
    for bad in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": token}, {"X-CSRF-Token": "\xff"}):
        answer = await browser.post(f"{API}/users/ids", json=body, headers=bad)
        assert told_id(answer) == (401, "api.context.session_expired.app_error")
        assert "set-cookie" not in answer.headers
    bearer = client(headers={"Authorization": f"Bearer {token}"})
    assert (await bearer.post(f"{API}/users/ids", json=body)).status == 200
    # The cookie is looked at first, and is not the weaker for the header beside it.
    both = browser(headers={"Authorization": f"Bearer {token}"})
    assert (await both.post(f"{API}/users/ids", json=body)).status == 401
    foreign = {"Origin": "https://elsewhere.example", "X-CSRF-Token": csrf}
    assert (await browser.post(f"{API}/users/ids", json=body, headers=foreign)).status == 403


@pytest.mark.parametrize("letter", ["s", "p", "x"])
async def test_a_cookie_that_nobody_knows_is_cleared(client: Client, ann: Chatter, letter: str) -> None:
    stale = client(headers={"Cookie": f"MMAUTHTOKEN={letter * 26}"})

    answer = await stale.get(f"{API}/users/me")

    assert told_id(answer) == (401, "api.context.session_expired.app_error")
    assert {name: value_of(value) for name, value in cookies_of(answer).items()} == {
        "MMAUTHTOKEN": "",
        "MMUSERID": "",
        "MMCSRF": "",
    }
    assert all("Max-Age=0" in value for value in cookies_of(answer).values())
    assert (await sign_in(stale, "ann", headers=PAGE)).status == 200


async def test_signing_out_clears_the_cookies(client: Client, ann: Chatter) -> None:
    token = value_of(cookies_of(await sign_in(client, "ann", headers=PAGE))["MMAUTHTOKEN"])
    browser = client(headers={"Cookie": f"MMAUTHTOKEN={token}", **PAGE})

    answer = await browser.post(f"{API}/users/logout")

    assert answer.json() == {"status": "OK"}
    assert value_of(cookies_of(answer)["MMAUTHTOKEN"]) == ""
    assert (await browser.get(f"{API}/users/me")).status == 401


async def test_attaching_a_device_begins_the_cookies_anew(client: Client, ann: Chatter) -> None:
    token = value_of(cookies_of(await sign_in(client, "ann", headers=PAGE))["MMAUTHTOKEN"])
    browser = client(headers={"Cookie": f"MMAUTHTOKEN={token}", **PAGE})

    answer = await browser.request("PUT", f"{API}/users/sessions/device", json={"device_id": "android:x"})

    assert value_of(cookies_of(answer)["MMAUTHTOKEN"]) == token
