"""The OAuth provider: what people let programs do, and taking it back."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from manor import Principal
from manor.testing import Answer, Client, House
from tests.chat_oauth import BACK, FORM, asked, code_of, exchange, fetch, opens, register
from tests.chat_people import API, Crew
from tests.people import PASSWORD

# --- Consent in a browser ------------------------------------------------------------------------------------------


async def decide(crew: Crew, app: dict[str, Any], decision: str, **more: str) -> Answer:
    """Open the page, and send its form with one of its buttons."""
    page = await crew.bob.client.get("/oauth/authorize", query=asked(app, **more))
    assert page.status == 200, page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    form = {name: value.replace("&amp;", "&") for name, value in fields.items()} | {"decision": decision}
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    headers = FORM | {"Cookie": cookie, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    return await crew.bob.client.post("/oauth/consent", body=urlencode(form).encode(), headers=headers)


async def test_a_person_lets_a_program_in_or_not(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew, name="<b>Robot</b>")

    page = await crew.bob.client.get("/oauth/authorize", query=asked(app))
    assert "&lt;b&gt;Robot" in page.text
    assert "form-action 'self' https://app.example.org" in page.headers["Content-Security-Policy"]
    refused = await decide(crew, app, "deny")
    assert (refused.status, refused.headers["Location"]) == (303, f"{BACK}?error=access_denied&state=s%261")

    allowed = await decide(crew, app, "allow")
    code = parse_qs(urlsplit(allowed.headers["Location"]).query)["code"][0]
    assert (await fetch(client, app, code)).status == 200
    # Who was let in before is not asked about again.
    again = await crew.bob.client.get("/oauth/authorize", query=asked(app))
    assert (again.status, again.headers["Location"].startswith(f"{BACK}?code=")) == (303, True)


async def test_a_form_of_another_page_decides_nothing(crew: Crew) -> None:
    app = await register(crew)
    body = urlencode(asked(app) | {"decision": "allow"}).encode()
    answer = await crew.bob.client.post("/oauth/consent", body=body, headers=FORM | {"Origin": "https://evil.org"})

    assert answer.status == 403
    assert (await crew.bob.client.get(f"{API}/users/me/oauth/apps/authorized")).json() == []


async def test_who_is_not_signed_in_signs_in_first(crew: Crew, client: Client) -> None:
    app = await register(crew)
    answer = await client.get("/oauth/authorize", query=asked(app))

    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login?next=%2Foauth%2Fauthorize")
    assert (await client.post("/oauth/authorize", json=asked(app))).status == 401


async def test_a_browser_that_is_signed_in_to_the_pages_may_consent(house: House, crew: Crew) -> None:
    app = await register(crew)
    browser = Client(house.dispatcher)(principals=[Principal("web_session", user_id=crew.eve.id)])

    assert (await browser.get("/oauth/authorize", query=asked(app))).status == 200


async def test_a_browser_that_has_chats_own_cookie_may_consent(house: House, crew: Crew) -> None:
    app = await register(crew)
    login = await Client(house.dispatcher).post(
        f"{API}/users/login",
        json={"login_id": "eve", "password": PASSWORD},
        headers={"X-Requested-With": "XMLHttpRequest"},
    )
    session = f"MMAUTHTOKEN={login.headers['Token']}"
    browser = Client(house.dispatcher)

    page = await browser.get("/oauth/authorize", query=asked(app), headers={"Cookie": session})
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)) | {"decision": "allow"}
    cookies = f"{session}; {page.headers['Set-Cookie'].partition(';')[0]}"
    headers = FORM | {"Cookie": cookies, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    unproven = {**form, "form_token": "0" * 64}

    assert (await browser.post("/oauth/consent", body=urlencode(unproven).encode(), headers=headers)).status == 403
    allowed = await browser.post("/oauth/consent", body=urlencode(form).encode(), headers=headers)
    assert allowed.headers["Location"].startswith(f"{BACK}?code=")


# --- Taking it back ------------------------------------------------------------------------------------------------


async def test_a_program_acts_no_more_for_who_takes_it_back(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    tokens = (await fetch(client, app, await code_of(crew, app))).json()

    assert (await crew.bob.client.post("/oauth/deauthorize", json={"client_id": app["id"]})).json() == {"status": "OK"}

    assert not await opens(house, tokens["access_token"])
    assert (await crew.bob.client.get(f"{API}/users/me/oauth/apps/authorized")).json() == []
    again = await exchange(client, app, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.status == 404


async def test_a_program_that_is_removed_acts_for_nobody(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    tokens = (await fetch(client, app, await code_of(crew, app))).json()

    assert (await crew.ada.client.delete(f"{API}/oauth/apps/{app['id']}")).status == 200

    assert not await opens(house, tokens["access_token"])
    assert (await crew.bob.client.post("/oauth/authorize", json=asked(app))).status == 404


async def test_only_administrators_have_a_program_trusted(crew: Crew) -> None:
    app = await register(crew, is_trusted=True)

    answer = await crew.eve.client.get("/oauth/authorize", query=asked(app))

    assert (answer.status, "code=" in answer.headers["Location"]) == (303, True)


async def test_programs_find_where_to_go(client: Client) -> None:
    told = (await client.get("/.well-known/oauth-authorization-server")).json()

    assert told["token_endpoint"].endswith("/oauth/access_token")
    assert told["code_challenge_methods_supported"] == ["S256"]


async def test_a_program_that_asks_anew_each_time_keeps_its_newest_tokens(
    house: House, crew: Crew, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manor_chat.oauth.granting.MOST_SIGN_INS", 2)
    app = await register(crew)
    tokens = [(await fetch(client, app, await code_of(crew, app))).json() for _ in range(3)]

    assert [await opens(house, each["access_token"]) for each in tokens] == [False, True, True]
    refreshed = [
        (await exchange(client, app, grant_type="refresh_token", refresh_token=each["refresh_token"])).status
        for each in tokens
    ]
    assert refreshed == [404, 200, 200]
