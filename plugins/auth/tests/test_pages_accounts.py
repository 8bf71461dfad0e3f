"""Signing up, forgotten passwords and the account, on the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest

from manor import find_user, invite_to_server
from manor.testing import Client, House, SetClock
from tests.page_reading import Page, Reader
from tests.people import PASSWORD, actions, links, login, made

ANOTHER = "another horse battery"


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth"]


@pytest.fixture
def reader(client: Client) -> Reader:
    return Reader(client)


async def sign_up(reader: Reader, path: str = "/register", **typed: str) -> Page:
    await reader.open(path)
    given: dict[str, Any] = {
        "username": "ada",
        "email": "ada@example.org",
        "password": PASSWORD,
        "terms": "yes",
        **typed,
    }
    return await reader.send("/register", **given)


async def sign_in(reader: Reader, username: str = "ada", password: str = PASSWORD) -> Page:
    await reader.open("/login")
    return await reader.send("/login", login=username, password=password)


def local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


# --- Signing up ----------------------------------------------------------------------------------------------------


async def test_signing_up_leads_to_the_mail_whose_link_opens_the_account(house: House, reader: Reader) -> None:
    assert (await sign_up(reader)).url == "/register/check-mail"
    (link,) = await links(house, "ada@example.org", "verify")

    page = await reader.open(local(link))

    assert (page.url, page.status) == ("/auth/email-verified?verified=1", 200)
    assert (await sign_in(reader)).url == "/account"


async def test_a_known_address_is_answered_like_a_new_one(house: House, client: Client) -> None:
    await made(house, "ada")
    pages = [
        await sign_up(Reader(client), username=f"name{n}", email=email)
        for n, email in enumerate(["ada@example.org", "eve@example.org"])
    ]

    # But for the tokens of their forms.
    first, second = (re.sub(r'value="\w{64}"|\?h=\w+', "", page.answer.text) for page in pages)
    assert (pages[0].url, first) == (pages[1].url, second)


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("username", ""),
        ("username", "a" * 33),
        ("username", "a b"),
        ("username", "\0"),
        ("email", "no address"),
        ("email", "a@b\r\nBcc: c@d.example"),
        ("email", "e" * 250 + "@example.org"),
        ("password", "short"),
        ("password", "password1"),
        ("password", "x" * 20_000),
        ("terms", ""),
    ],
)
async def test_what_cannot_be_taken_is_said_beside_its_field(
    house: House, reader: Reader, field: str, typed: str
) -> None:
    page = await sign_up(reader, **{field: typed})

    form = page.form("/register")
    assert page.status == 422
    assert [name for name, given in form.attributes.items() if given.get("aria-invalid")] == [field]
    assert f'id="{field}-trouble"' in page.answer.text
    assert form.fields["password"] == ""
    if field != "email":
        assert form.fields["email"] == "ada@example.org"
    assert await house.storage.read(lambda transaction: find_user(transaction, email="ada@example.org")) is None


async def test_a_name_that_is_taken_is_said(house: House, reader: Reader) -> None:
    await made(house, "ada")

    page = await sign_up(reader, username="ADA", email="other@example.org")

    assert (page.status, "Is taken." in page.text) == (409, True)


@pytest.mark.manor(config={"identity": {"registration": "closed"}})
async def test_a_server_that_takes_nobody_says_so(reader: Reader) -> None:
    assert "/register" not in (await reader.open("/login")).links
    page = await reader.open("/register")
    assert (page.status, page.forms) == (403, [])


@pytest.mark.manor(config={"identity": {"registration": "invite"}})
async def test_an_invited_person_signs_up_with_the_link_of_the_invite(house: House, reader: Reader) -> None:
    refused = await sign_up(reader)
    assert (refused.status, "only people who were invited" in refused.text) == (403, True)
    _, token = await house.storage.write(lambda transaction: invite_to_server(transaction, "ada@example.org"))

    page = await sign_up(reader, f"/register?invite={token}")

    assert page.url == "/register/check-mail"


@pytest.mark.manor(config={"identity": {"require_verification": False}})
async def test_without_verification_one_signs_in_at_once(reader: Reader) -> None:
    page = await sign_up(reader)

    assert page.url == "/login?notice=ready"
    assert (await sign_in(reader)).url == "/account"


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org", "x" * 2000, ""])
async def test_the_link_is_sent_again_and_the_page_says_nothing_about_who_is_here(
    house: House, reader: Reader, clock: SetClock, email: str
) -> None:
    await made(house, "ada", is_verified=False)
    await reader.open("/auth/email-verified?verified=0&error=expired")

    page = await reader.send("/register/check-mail", email=email)

    assert (page.url, page.status) == ("/register/check-mail?again=1", 200)
    assert len(await links(house, "ada@example.org", "verify")) == (email == "ada@example.org")


async def test_words_of_others_do_not_stand_on_the_page_of_the_link(reader: Reader) -> None:
    page = await reader.open("/auth/email-verified?verified=0&error=<b>Call+us</b>")

    assert "Call us" not in page.text
    assert "This link is not valid" in page.text


# --- Forgotten passwords -------------------------------------------------------------------------------------------


async def test_a_forgotten_password_is_replaced(house: House, reader: Reader) -> None:
    await made(house, "ada")
    await reader.open("/reset-password")
    asked = await reader.send("/reset-password", email="ada@example.org")
    (link,) = await links(house, "ada@example.org", "reset")
    # Scanners look at it first.
    await Reader(reader.client).open(local(link))

    await reader.open(local(link))
    weak = await reader.send("/reset-password/new", new_password="short")
    done = await reader.send("/reset-password/new", new_password=ANOTHER)

    assert (asked.url, weak.status, done.url) == ("/reset-password?sent=1", 422, "/login?notice=reset")
    assert (await sign_in(reader, password=ANOTHER)).url == "/account"
    spent = await reader.open(local(link))
    assert (spent.status, "not valid any more" in spent.text) == (400, True)


@pytest.mark.parametrize("email", ["nobody@example.org", "", "x" * 60_000, "\0"])
async def test_asking_for_nobody_looks_the_same(house: House, reader: Reader, email: str) -> None:
    await reader.open("/reset-password")

    page = await reader.send("/reset-password", email=email)

    assert (page.url, page.status) == ("/reset-password?sent=1", 200)


@pytest.mark.parametrize("token", ["x", "%00", "%ff", "x" * 5000])
async def test_a_made_up_link_is_answered_with_the_way_to_a_good_one(reader: Reader, token: str) -> None:
    page = await reader.open(f"/reset-password?token={token}")

    assert page.status == 400
    assert page.form("/reset-password").action == "/reset-password"


# --- The account ---------------------------------------------------------------------------------------------------


async def test_the_password_is_changed_and_other_sessions_end(house: House, client: Client) -> None:
    await made(house, "ada")
    here, there = Reader(client), Reader(client)
    await sign_in(here)
    await sign_in(there)

    wrong = await here.send("/account/password", current_password="wrong wrong", new_password=ANOTHER)
    assert (wrong.status, "The current password is wrong." in wrong.text) == (400, True)
    weak = await here.send("/account/password", current_password=PASSWORD, new_password="short")
    assert weak.status == 422
    done = await here.send("/account/password", current_password=PASSWORD, new_password=ANOTHER)

    assert done.url == "/account?done=password"
    assert (await there.open("/account")).url == "/login?next=%2Faccount"
    assert (await login(client, "ada", ANOTHER)).status == 200


async def test_other_sessions_are_ended_one_by_one_or_all(house: House, client: Client) -> None:
    await made(house, "ada")
    here, *others = [Reader(client) for _ in range(4)]
    for each in (here, *others):
        await sign_in(each)
    page = await here.open("/account")
    assert len([form for form in page.forms if form.action == "/account/sessions"]) == 4

    await here.send("/account/sessions")
    gone = [(await each.open("/account")).url for each in others]
    assert gone.count("/login?next=%2Faccount") == 1
    await here.open("/account")
    await here.send("/account/sessions", session="")

    assert [(await each.open("/account")).url for each in others] == ["/login?next=%2Faccount"] * 3
    assert (await here.open("/account")).url == "/account"
    assert "auth.other_sessions_ended" in await actions(house)


async def test_nobody_ends_the_sessions_of_others(house: House, client: Client) -> None:
    await made(house, "ada")
    await made(house, "eve")
    ada, eve, more = Reader(client), Reader(client), Reader(client)
    await sign_in(ada)
    await sign_in(more, "eve")
    await sign_in(eve, "eve")
    page = await ada.open("/account")
    sessions = await client.get("/auth/sessions", headers=await bearer(client, "ada"))
    hers = [each["id"] for each in sessions.json() if not each["current"]]

    for wanted in (*hers, "x", "\0", "00000000-0000-7000-8000-000000000000"):
        await eve.open("/account")
        await eve.send("/account/sessions", session=wanted)

    assert page.status == 200
    assert (await ada.open("/account")).url == "/account"


async def bearer(client: Client, username: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await login(client, username)).json()['access_token']}"}


async def test_a_second_factor_is_enrolled_and_given_up(house: House, reader: Reader, clock: SetClock) -> None:
    await made(house, "ada")
    await sign_in(reader)
    page = await reader.send("/account/second-factor")
    found = re.search(r"<code>(\w+)</code>", page.answer.text)
    assert found is not None
    assert "<svg" in page.answer.text

    wrong = await reader.send("/account/second-factor/activate", code="000000")
    assert wrong.status == 400
    # The same key as before: what was scanned stays good.
    assert found[1] in wrong.answer.text
    app = pyotp.TOTP(found[1])
    shown = await reader.send("/account/second-factor/activate", code=app.at(clock.now()))
    codes = re.findall(r"<code>([\w-]+)</code>", shown.answer.text)
    assert len(codes) == 10

    account = await reader.open("/account")
    assert codes[0] not in account.answer.text
    refused = await reader.send("/account/second-factor/disable", code="000000")
    assert refused.status == 400
    done = await reader.send("/account/second-factor/disable", code=codes[0])
    assert done.url == "/account?done=mfa-off"


async def test_pages_of_the_account_lead_strangers_to_the_sign_in_page(reader: Reader, clock: SetClock) -> None:
    for path in ("/account", "/account/second-factor"):
        assert (await reader.open(path)).url.startswith("/login?next=%2Faccount")
    for path in ("/account/password", "/account/sessions", "/account/second-factor"):
        answer = await reader.ask("POST", path)
        assert (answer.status, answer.headers["Location"].partition("=")[0]) == (302, "/login?next")


async def test_a_page_that_was_left_open_until_the_session_ended_leads_to_the_sign_in_page(
    house: House, reader: Reader, clock: SetClock
) -> None:
    await made(house, "ada")
    await sign_in(reader)
    clock.set(clock.now() + timedelta(days=91))

    page = await reader.send("/account/password", current_password=PASSWORD, new_password=ANOTHER)

    assert page.url.startswith("/login?next=")
    page = await reader.send("/login", login="ada", password=PASSWORD)
    assert (page.url, page.status) == ("/account", 200)
