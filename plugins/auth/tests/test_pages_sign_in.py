"""Signing in and out on the pages: with a password, a second step, and never further than pages."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pyotp
import pytest

from manor import activate_totp, begin_totp, find_user, set_active
from manor.testing import Client, House, SetClock
from manor_auth.web_sessions import COOKIE
from tests.page_reading import SAME_ORIGIN, Reader
from tests.people import PASSWORD, Sign, actions, login, made


@pytest.fixture
def reader(client: Client) -> Reader:
    return Reader(client)


async def sign_in(reader: Reader, login: str = "ada", password: str = PASSWORD, path: str = "/login") -> None:
    await reader.open(path)
    await reader.send("/login", login=login, password=password)


async def enrol(house: House, username: str = "ada") -> tuple[pyotp.TOTP, list[str]]:
    """A person with a second factor."""
    user_id = await made(house, username)
    setup = await house.storage.write(lambda transaction: begin_totp(transaction, user_id))
    app = pyotp.TOTP(setup.secret)
    code = app.at(house.services.clock.now())
    codes = await house.storage.write(lambda transaction: activate_totp(transaction, user_id, code))
    return app, codes


# --- In and out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["ada", "ADA@example.org", " ada "])
async def test_a_password_opens_the_account_page(house: House, reader: Reader, login: str) -> None:
    await made(house, "ada")

    await sign_in(reader, login)

    assert reader.here is not None
    assert (reader.here.url, reader.here.status) == ("/account", 200)
    assert "ada@example.org" in reader.here.text
    assert "auth.signed_in" in await actions(house)


async def test_the_cookie_is_for_the_server_alone(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await reader.open("/login")

    page = await reader.send("/login", follow=False, login="ada", password=PASSWORD)

    cookie = page.answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert cookie.endswith("; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax")


@pytest.mark.manor(config={"server": {"public_url": "https://manor.example.org"}})
async def test_over_https_the_cookie_is_bound_to_this_host(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await sign_in(reader)

    assert f"__Host-{COOKIE}" in reader.jar
    assert (await reader.open("/account")).url == "/account"
    await reader.open("/logout")
    await reader.send("/logout")
    assert f"__Host-{COOKIE}" not in reader.jar


async def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await sign_in(reader)
    copy = Reader(reader.client, dict(reader.jar))

    await reader.open("/logout")
    page = await reader.send("/logout")

    assert "You are signed out" in page.text
    assert COOKIE not in reader.jar
    assert (await copy.open("/account")).url == "/login?next=%2Faccount"


async def test_looking_at_the_sign_out_page_signs_nobody_out(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await sign_in(reader)

    await reader.open("/logout")

    assert (await reader.open("/account")).url == "/account"


async def test_another_sign_in_ends_the_one_that_the_browser_had(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await sign_in(reader)
    copy = Reader(reader.client, dict(reader.jar))

    # With a word of a provider the form is shown to who has signed in, too.
    await sign_in(reader, path="/login?error=access_denied")

    assert (await reader.open("/account")).url == "/account"
    assert (await copy.open("/account")).url == "/login?next=%2Faccount"


async def test_a_session_ends_when_it_is_not_used(house: House, reader: Reader, clock: SetClock) -> None:
    await made(house, "ada")
    await sign_in(reader)

    clock.set(clock.now() + timedelta(days=7, seconds=1))

    assert (await reader.open("/account")).url == "/login?next=%2Faccount"


async def test_who_is_disabled_is_out(house: House, reader: Reader) -> None:
    user_id = await made(house, "ada")
    await sign_in(reader)

    await house.storage.write(lambda transaction: set_active(transaction, user_id, False))

    assert (await reader.open("/account")).url == "/login?next=%2Faccount"


# --- Where it leads ------------------------------------------------------------------------------------------------


async def test_it_leads_back_to_where_one_came_from(house: House, reader: Reader) -> None:
    await made(house, "ada")

    await sign_in(reader, path="/login?next=%2Flogout%3Fa%3D1")

    assert reader.here is not None
    assert reader.here.url == "/logout?a=1"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: 1", "x" * 3000, "\0"],
)
async def test_it_leads_nowhere_else(house: House, reader: Reader, target: str) -> None:
    await made(house, "ada")

    await reader.open(f"/login?next={quote(target)}")
    page = await reader.send("/login", follow=False, login="ada", password=PASSWORD)

    assert page.answer.headers["Location"] == "/account"


async def test_a_target_in_any_script_is_taken(house: House, reader: Reader) -> None:
    await made(house, "ada")

    await reader.open(f"/login?next={quote('/тема ☃?q=ü')}")
    page = await reader.send("/login", follow=False, login="ada", password=PASSWORD)

    assert page.answer.headers["Location"] == quote("/тема ☃?q=ü", safe="/?=")


async def test_who_has_signed_in_is_led_on(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await sign_in(reader)

    assert (await reader.open("/login?next=/logout")).url == "/logout"


# --- Refusals ------------------------------------------------------------------------------------------------------


async def test_a_wrong_password_is_said_on_the_form_and_what_was_typed_is_kept(house: House, reader: Reader) -> None:
    await made(house, "ada")

    await reader.open("/login?next=/logout")
    page = await reader.send("/login", login="ada", password="not hers at all")

    form = page.form("/login")
    assert (page.status, COOKIE in reader.jar) == (422, False)
    assert "Wrong e-mail address, username or password." in page.text
    assert (form.fields["login"], form.fields["password"], form.fields["next"]) == ("ada", "", "/logout")
    assert "not hers" not in page.answer.text


async def test_unknown_people_are_answered_like_wrong_passwords(house: House, reader: Reader) -> None:
    await made(house, "ada")
    said = []
    for who in ("ada", "eve"):
        await reader.open("/login")
        page = await reader.send("/login", login=who, password="not hers at all")
        said.append((page.status, page.text))

    assert said[0] == said[1]


@pytest.mark.parametrize("login", ["", "\0", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "<b>"])
@pytest.mark.parametrize("password", ["", "x" * 20_000])
async def test_whatever_is_typed_is_answered_with_the_form(reader: Reader, login: str, password: str) -> None:
    await reader.open("/login")

    page = await reader.send("/login", login=login, password=password)

    assert page.status == 422
    assert page.form("/login").fields["login"] == login
    assert "<b>" not in page.answer.text


async def test_the_tenth_failure_locks_the_form_too(house: House, reader: Reader) -> None:
    await made(house, "ada")
    for _ in range(10):
        await sign_in(reader, password="wrong wrong wrong")

    await sign_in(reader)

    assert reader.here is not None
    assert (reader.here.status, "Retry-After" in reader.here.answer.headers) == (429, True)
    assert "Too many failed sign-ins" in reader.here.text


async def test_an_unverified_account_is_offered_a_new_link(house: House, reader: Reader) -> None:
    await made(house, "ada", is_verified=False)

    await sign_in(reader, "ada@example.org")

    assert reader.here is not None
    assert reader.here.status == 403
    assert reader.here.form("/register/check-mail").fields["email"] == "ada@example.org"


async def test_a_form_of_another_page_signs_nobody_in(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await reader.open("/login")
    body = f"form_token={reader.here.form('/login').fields['form_token']}&login=ada&password={PASSWORD}"  # type: ignore[union-attr]

    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "http://evil.example"}):
        answer = await reader.ask("POST", "/login", body=body.encode(), headers={**SAME_ORIGIN, **headers})
        assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)


async def test_a_form_without_its_token_is_refused(house: House, reader: Reader) -> None:
    await made(house, "ada")

    answer = await reader.ask("POST", "/login", body=b"login=ada&password=x", headers=SAME_ORIGIN)

    assert answer.status == 403


async def test_words_in_the_address_show_sentences_of_ours_only(reader: Reader) -> None:
    page = await reader.open("/login?error=Call+555-1234&notice=Evil")

    assert "555" not in page.text
    assert "Evil" not in page.text
    assert "Signing in did not work" in page.text
    assert "is verified" in (await reader.open("/login?verified=1")).text


# --- The second step -----------------------------------------------------------------------------------------------


async def test_a_second_factor_is_asked_for_in_a_step_of_its_own(house: House, reader: Reader, clock: SetClock) -> None:
    app, _ = await enrol(house)
    clock.set(clock.now() + timedelta(minutes=1))

    await sign_in(reader, path="/login?next=/logout")
    assert reader.here is not None
    assert (reader.here.status, COOKIE in reader.jar) == (200, False)
    assert PASSWORD not in reader.here.answer.text
    page = await reader.send("/login/code", code=app.at(house.services.clock.now()))

    assert page.url == "/logout"
    assert COOKIE in reader.jar


async def test_a_recovery_code_does_once(house: House, client: Client) -> None:
    _, codes = await enrol(house)
    ends = []
    for _ in range(2):
        reader = Reader(client)
        await sign_in(reader)
        page = await reader.send("/login/code", code=codes[0])
        ends.append(page.url)

    assert ends == ["/account", "/login/code"]


async def test_a_wrong_code_is_said_beside_it_and_counts_as_a_failure(house: House, reader: Reader) -> None:
    await enrol(house)
    await sign_in(reader)

    page = await reader.send("/login/code", code="000000")

    assert page.status == 422
    assert page.form("/login/code").attributes["code"]["aria-invalid"] == "true"
    for _ in range(9):
        await reader.send("/login/code", code="000000")
    assert reader.here is not None
    page = await reader.send("/login/code", code="000000")
    assert (page.status, COOKIE in reader.jar) == (429, False)


async def test_a_lock_by_wrong_codes_names_whose_account_it_is(house: House, reader: Reader) -> None:
    await enrol(house)
    await sign_in(reader)

    for _ in range(10):
        await reader.send("/login/code", code="000000")

    ada = await house.storage.read(lambda transaction: find_user(transaction, username="ada"))
    written = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    assert ada is not None
    assert [row.target for row in written if row.action == "identity.locked_out"] == [str(ada.id)]


@pytest.mark.parametrize("ticket", ["", "x", "..", "018f0000-0000-7000-8000-000000000000.99999999999.aa", "a.²³.b"])
async def test_a_made_up_ticket_leads_back_to_the_beginning(house: House, reader: Reader, ticket: str) -> None:
    await enrol(house)
    await sign_in(reader)

    page = await reader.send("/login/code", ticket=ticket, code="000000")

    assert (page.status, COOKIE in reader.jar) == (422, False)
    assert page.form("/login").fields["login"] == ""


async def test_the_second_step_has_ten_minutes(house: House, reader: Reader, clock: SetClock) -> None:
    app, _ = await enrol(house)
    await sign_in(reader)
    clock.set(clock.now() + timedelta(minutes=10))

    page = await reader.send("/login/code", code=app.at(house.services.clock.now()))

    assert (page.status, COOKIE in reader.jar) == (422, False)


# --- Pages only ----------------------------------------------------------------------------------------------------


async def test_it_opens_no_operation_of_an_api(house: House, reader: Reader) -> None:
    await made(house, "ada", is_admin=True)
    await sign_in(reader)
    secret = reader.jar[COOKIE]
    routes = [
        (each.route.method, each.route.path.replace("{", "").replace("}", ""), each.route)
        for each in house.services.routes
        if not each.route.access.is_public
    ]

    apis = [(method, path) for method, path, route in routes if "web_session" not in route.api.kinds]
    assert len(apis) > 20
    for method, path in apis:
        for headers in ({"Authorization": f"Bearer {secret}"}, {"X-API-Key": secret}, {}):
            answer = await reader.ask(method, path, headers=headers)
            assert answer.status == 401, (method, path, headers, answer.text)


async def test_no_credential_of_an_api_opens_a_page(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    token = person.tokens["access_token"]

    for headers in (person.bearer, {"Cookie": f"{COOKIE}={token}"}):
        answer = await client.get("/account", headers=headers)
        assert (answer.status, answer.headers["Location"]) == (302, "/login?next=%2Faccount")


async def test_the_api_lists_and_ends_the_sessions_of_browsers(
    house: House, client: Client, reader: Reader, signed_in: Sign
) -> None:
    person = await signed_in("ada")
    await sign_in(reader)

    listed = (await client.get("/auth/sessions", headers=person.bearer)).json()
    (browser,) = [each["id"] for each in listed if not each["current"]]
    assert (await client.delete(f"/auth/sessions/{browser}", headers=person.bearer)).status == 204

    assert (await reader.open("/account")).url == "/login?next=%2Faccount"
    assert (await login(client, "ada")).status == 200
