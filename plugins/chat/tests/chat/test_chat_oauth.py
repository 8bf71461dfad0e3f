"""The OAuth provider: programs, codes and tokens."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor import list_credentials
from manor.testing import Answer, Client, House, SetClock
from manor_chat.domain.callbacks import is_callback
from manor_chat.domain.pkce import verifies
from manor_chat.oauth.granting import REFRESH
from tests.chat_oauth import BACK, CHALLENGE, FORM, VERIFIER, asked, code_of, exchange, fetch, opens, register
from tests.chat_people import API, Crew

# --- Programs ------------------------------------------------------------------------------------------------------


async def test_a_programs_secret_is_shown_once(crew: Crew) -> None:
    app = await register(crew)

    assert len(app["client_secret"]) == 26
    assert set(app) == {
        "id", "creator_id", "create_at", "update_at", "client_secret", "name", "description", "icon_url",
        "callback_urls", "homepage", "is_trusted", "mattermost_app_id",
    }  # fmt: skip
    path = f"{API}/oauth/apps/{app['id']}"
    for again in (path, f"{path}/info"):
        assert (await crew.ada.client.get(again)).json() == app | {"client_secret": ""}
    assert [each["id"] for each in (await crew.ada.client.get(f"{API}/oauth/apps")).json()] == [app["id"]]
    renewed = (await crew.ada.client.post(f"{path}/regen_secret")).json()
    assert renewed["client_secret"] not in ("", app["client_secret"])
    changed = await crew.ada.client.put(path, json=app | {"name": "Android"})
    assert changed.json()["name"] == "Android"


async def test_programs_are_kept_by_administrators(crew: Crew, client: Client) -> None:
    app = await register(crew)
    path = f"{API}/oauth/apps/{app['id']}"

    assert (await crew.bob.client.get(f"{API}/oauth/apps")).status == 403
    assert (await crew.bob.client.get(path)).status == 403
    assert (await crew.bob.client.delete(path)).status == 403
    assert (await crew.bob.client.get(f"{path}/info")).status == 200
    assert (await client.get(f"{path}/info")).status == 401
    assert (await client.post(f"{API}/oauth/apps/register", json={})).status == 501
    assert (await crew.ada.client.get(f"{API}/oauth/apps/{'y' * 26}")).status == 404


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "name"),
        ({"callback_urls": []}, "callback"),
        ({"callback_urls": ["javascript:alert(1)"]}, "callback"),
        ({"callback_urls": ["https://x.org/#f"]}, "callback"),
        ({"homepage": "ftp://x.org"}, "homepage"),
        ({"icon_url": "data:,x"}, "icon_url"),
    ],
)
async def test_a_program_that_cannot_be_is_refused(crew: Crew, changed: dict[str, Any], code: str) -> None:
    wanted = {"name": "Robot", "callback_urls": [BACK], "homepage": "https://example.org", **changed}
    answer = await crew.ada.client.post(f"{API}/oauth/apps", json=wanted)

    assert (answer.status, answer.json()["id"]) == (400, f"model.oauth.is_valid.{code}.app_error")


@given(st.text(max_size=40))
def test_a_callback_is_never_a_script(text: str) -> None:
    assert not is_callback(f"javascript:{text}")
    assert not is_callback(f" {text}")


# --- Codes and tokens ----------------------------------------------------------------------------------------------


async def test_a_code_brings_a_token_that_acts_for_whom_it_is(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    answer = await fetch(client, app, await code_of(crew, app))

    tokens = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (tokens["token_type"], tokens["scope"], tokens["expires_in"]) == ("bearer", "user", 2_592_000)
    assert await opens(house, tokens["access_token"])
    assert not await opens(house, tokens["refresh_token"])
    listed = (await crew.bob.client.get(f"{API}/users/me/oauth/apps/authorized")).json()
    assert [each["name"] for each in listed] == ["Robot"]
    assert (await crew.eve.client.get(f"{API}/users/{crew.bob.chat_id}/oauth/apps/authorized")).status == 403


async def test_a_code_that_comes_twice_takes_back_what_it_brought(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    code = await code_of(crew, app)
    first = (await fetch(client, app, code)).json()

    again = await fetch(client, app, code)

    assert (again.status, again.json()["id"]) == (403, "api.oauth.get_access_token.expired_code.app_error")
    assert again.json()["is_oauth"] is True
    assert not await opens(house, first["access_token"])


async def test_a_code_is_good_for_ten_minutes(house: House, crew: Crew, client: Client, clock: SetClock) -> None:
    app = await register(crew)
    code = await code_of(crew, app)
    clock.set(clock.now() + timedelta(minutes=10))

    assert (await fetch(client, app, code)).status == 403


async def test_a_refresh_token_is_good_once(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    old = (await fetch(client, app, await code_of(crew, app))).json()

    new = (await exchange(client, app, grant_type="refresh_token", refresh_token=old["refresh_token"])).json()

    assert await opens(house, new["access_token"])
    assert not await opens(house, old["access_token"])
    again = await exchange(client, app, grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert (again.status, again.json()["id"]) == (404, "api.oauth.get_access_token.refresh_token.app_error")


@pytest.mark.parametrize(
    ("form", "status", "what"),
    [
        ({"grant_type": "password"}, 400, "bad_grant"),
        ({"grant_type": "authorization_code"}, 400, "missing_code"),
        ({"grant_type": "refresh_token"}, 400, "missing_refresh_token"),
        ({"grant_type": "authorization_code", "code": "x", "client_id": "x"}, 400, "bad_client_id"),
        ({"grant_type": "authorization_code", "code": "x", "client_secret": ""}, 400, "bad_client_secret"),
        ({"grant_type": "authorization_code", "code": "x", "client_secret": "y" * 26}, 403, "credentials"),
        ({"grant_type": "authorization_code", "code": "x"}, 403, "expired_code"),
    ],
)
async def test_what_brings_no_token_says_why(
    crew: Crew, client: Client, form: dict[str, str], status: int, what: str
) -> None:
    answer = await exchange(client, await register(crew), **form)

    assert (answer.status, answer.json()["id"]) == (status, f"api.oauth.get_access_token.{what}.app_error")


async def test_a_form_that_is_none_is_refused(crew: Crew, client: Client) -> None:
    for body in (b"\xff", b"a=1&a=2", b"%ff=1"):
        assert (await client.post("/oauth/access_token", body=body, headers=FORM)).status == 400


async def test_a_program_that_signs_out_has_no_token_any_more(house: House, crew: Crew, client: Client) -> None:
    app = await register(crew)
    tokens = [(await fetch(client, app, await code_of(crew, app))).json() for _ in range(2)]
    bearer = {"Authorization": f"Bearer {tokens[0]['access_token']}"}

    assert (await client.post(f"{API}/users/logout", headers=bearer)).json() == {"status": "OK"}

    assert [await opens(house, each["access_token"]) for each in tokens] == [False, True]
    again = [
        (await exchange(client, app, grant_type="refresh_token", refresh_token=each["refresh_token"])).status
        for each in tokens
    ]
    assert again == [404, 200]


async def test_a_code_is_good_for_its_own_program_and_address_alone(crew: Crew, client: Client) -> None:
    app, other = await register(crew), await register(crew, callback_urls=[BACK, "https://app.example.org/two"])

    assert (await fetch(client, other, await code_of(crew, app))).status == 403
    elsewhere = await exchange(
        client,
        other,
        grant_type="authorization_code",
        code=await code_of(crew, other),
        redirect_uri="https://app.example.org/two",
    )
    assert (elsewhere.status, elsewhere.json()["id"]) == (400, "api.oauth.get_access_token.redirect_uri.app_error")


async def test_a_challenge_wants_its_verifier(crew: Crew, client: Client) -> None:
    app = await register(crew)
    more = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

    assert (await fetch(client, app, await code_of(crew, app, **more))).status == 400
    assert (await fetch(client, app, await code_of(crew, app, **more), code_verifier="w" * 50)).status == 400
    assert (await fetch(client, app, await code_of(crew, app), code_verifier=VERIFIER)).status == 400
    assert (await fetch(client, app, await code_of(crew, app, **more), code_verifier=VERIFIER)).status == 200
    for method in ("plain", ""):
        wanted = asked(app, code_challenge=CHALLENGE, code_challenge_method=method)
        assert (await crew.bob.client.post("/oauth/authorize", json=wanted)).status == 400


def test_the_verifier_of_the_standard_is_the_one_of_its_challenge() -> None:
    # RFC 7636, appendix B.
    assert verifies("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")


async def test_the_implicit_grant_brings_a_token_in_the_fragment(house: House, crew: Crew) -> None:
    app = await register(crew)
    answer = await crew.bob.client.post("/oauth/authorize", json=asked(app, response_type="token"))

    members = parse_qs(urlsplit(answer.json()["redirect"]).fragment)
    assert members["state"] == ["s&1"]
    assert await opens(house, members["access_token"][0])
    assert "refresh_token" not in members
    assert await house.storage.read(lambda transaction: list_credentials(transaction, kind=REFRESH)) == []


@pytest.mark.parametrize(
    ("more", "status", "what"),
    [
        ({"redirect_uri": "https://evil.example.org/"}, 400, "redirect_callback"),
        ({"redirect_uri": f"{BACK}/more"}, 400, "redirect_callback"),
        ({"response_type": "id_token"}, 400, "bad_response"),
        ({"client_id": "short"}, 400, "bad_client"),
        ({"client_id": "y" * 26}, 404, "bad_client"),
        ({"state": "s" * 2049}, 400, "bad_state"),
    ],
)
async def test_nobody_is_led_where_the_program_did_not_say(
    crew: Crew, more: dict[str, str], status: int, what: str
) -> None:
    app = await register(crew)
    for answer in (
        await crew.bob.client.post("/oauth/authorize", json=asked(app, **more)),
        await crew.bob.client.get("/oauth/authorize", query=asked(app, **more)),
    ):
        assert answer.status == status
        assert "Location" not in answer.headers
    answer = await crew.bob.client.post("/oauth/authorize", json=asked(app, **more))
    assert answer.json()["id"] == f"api.oauth.allow_oauth.{what}.app_error"


async def test_a_program_may_name_itself_in_the_header(crew: Crew, client: Client) -> None:
    app = await register(crew)
    form = {"grant_type": "authorization_code", "code": await code_of(crew, app), "redirect_uri": BACK}

    async def ask(who: str) -> Answer:
        header = {"Authorization": "Basic " + base64.b64encode(who.encode()).decode()}
        return await client.post("/oauth/access_token", body=urlencode(form).encode(), headers=FORM | header)

    wrong = await ask(f"{app['id']}:wrong")
    assert (wrong.status, wrong.json()["error"]) == (403, "invalid_client")
    assert wrong.json()["error_description"] == "Invalid client credentials"
    assert (await ask("\N{SNOWMAN}")).json()["error"] == "invalid_request"
    assert (await ask(f"{app['id']}:{app['client_secret']}")).json()["token_type"] == "bearer"
    garbled = await client.post(
        "/oauth/access_token", body=urlencode(form).encode(), headers=FORM | {"Authorization": "Basic ~"}
    )
    assert garbled.json()["id"] == "api.oauth.get_access_token.bad_request.app_error"
