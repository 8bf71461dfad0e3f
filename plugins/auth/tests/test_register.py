"""Signing up, verifying an address, and what strangers cannot find out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
import trio

from manor import find_user, list_consents, update_user
from manor.testing import Answer, Client, House, SetClock
from tests.people import PASSWORD, Sign, actions, links, login, made

MESSAGE = "Registration successful. Please check your email to verify your account."


async def register(client: Client, username: str = "ada", **changed: Any) -> Answer:
    body = {
        "email": f"{username}@example.org",
        "username": username,
        "password": PASSWORD,
        "terms_accepted": True,
        **changed,
    }
    return await client.post("/auth/register", json=body)


async def opened(client: Client, url: str) -> str:
    parts = urlsplit(url)
    answer = await client.get(f"{parts.path}?{parts.query}")
    assert (answer.status, answer.body) == (302, b"")
    return answer.headers["Location"]


def forward(clock: SetClock, **by: float) -> None:
    clock.set(clock.now() + timedelta(**by))


async def test_who_signs_up_gets_in_once_the_address_is_verified(house: House, client: Client) -> None:
    answer = await register(client)

    assert (answer.status, answer.headers["Cache-Control"]) == (201, "no-store")
    assert answer.json() == {"message": MESSAGE, "email": "ada@example.org", "username": "ada"}
    assert (await login(client, "ada")).status == 403
    (url,) = await links(house, "ada@example.org", "verify")
    assert await opened(client, url) == "/auth/email-verified?verified=1"
    assert (await login(client, "ada")).status == 200
    assert {"auth.registered", "auth.email_verified"} <= {*await actions(house)}


async def test_signing_up_is_a_consent(house: House, client: Client) -> None:
    await register(client)

    user = await house.storage.read(lambda transaction: find_user(transaction, username="ada"))
    assert user is not None
    (consent,) = await house.storage.read(lambda transaction: list_consents(transaction, user.id))
    assert (consent.consent_type, consent.consent_method, consent.document_version) == ("tos", "web_checkbox", "1.0")
    assert (user.is_admin, user.terms_accepted_at) == (False, house.services.clock.now())


async def test_a_known_address_is_answered_like_a_new_one_and_its_owner_is_told(
    house: House, client: Client, signed_in: Sign
) -> None:
    await signed_in("ada")
    with structlog.testing.capture_logs() as logged:
        answer = await register(client, "eve", email="ADA@example.org")
        await trio.testing.wait_all_tasks_blocked()

    new = await register(client, "new")
    assert (answer.status, answer.json()["message"]) == (new.status, new.json()["message"])
    assert {*answer.headers} == {*new.headers}
    assert await house.storage.read(lambda transaction: find_user(transaction, username="eve")) is None
    assert await links(house, "ada@example.org", "verify") == []
    assert [line["kind"] for line in logged if "a mail was not sent" in line["event"]] == ["notice"]


@pytest.mark.manor(config={"plugins": {"auth": {"reveal_existing_email": True}}})
async def test_an_admin_may_have_known_addresses_told(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")

    assert (await register(client, "eve", email="ada@example.org")).status == 409


async def test_of_many_who_want_one_name_one_has_it(client: Client) -> None:
    statuses: list[int] = []

    async def one(number: int) -> None:
        statuses.append((await register(client, ("Ada", "ADA")[number % 2], email=f"a{number}@example.org")).status)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(one, number)

    assert sorted(statuses) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"terms_accepted": False}, "terms_accepted"),
        ({"username": "ab"}, "username"),
        ({"username": "a" * 33}, "username"),
        ({"username": "ada\r\nBcc: eve"}, "username"),
        ({"username": "\u0430da"}, "username"),
        ({"username": "system"}, "username"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@example.org\r\nBcc: eve@example.org"}, "email"),
        ({"email": "ada@example.org\n"}, "email"),
        ({"email": "Ada <ada@example.org>"}, "email"),
        ({"email": f"{'a' * 260}@example.org"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"password": "ada@example.org"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"password": None}, "password"),
    ],
)
async def test_what_cannot_be_taken_is_named(client: Client, changed: dict[str, Any], field: str) -> None:
    answer = await register(client, **{"email": "ada@example.org", **changed})

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_look_alike_address_is_another_address(house: House, client: Client, signed_in: Sign) -> None:
    await signed_in("ada")

    assert (await register(client, "eve", email="\u0430da@example.org")).status == 201
    assert len(await links(house, "\u0430da@example.org", "verify")) == 1
    ada = await house.storage.read(lambda transaction: find_user(transaction, email="ada@example.org"))
    assert ada is not None
    assert ada.username == "ada"


async def test_a_password_of_a_megabyte_is_not_read(client: Client) -> None:
    assert (await register(client, password="x" * 1_000_000)).status == 413


@pytest.mark.manor(config={"identity": {"registration": "closed"}})
async def test_a_closed_server_takes_nobody(client: Client) -> None:
    assert (await register(client)).status == 403


@pytest.mark.manor(config={"identity": {"registration": "invite"}})
async def test_without_an_invite_nobody_comes_in(client: Client, signed_in: Sign) -> None:
    await signed_in("ada")

    unknown, known = await register(client, "eve"), await register(client, "eve", email="ada@example.org")
    assert (unknown.status, unknown.body) == (403, known.body)
    assert (await register(client, "eve", invite_token="nonsense")).status == 403


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 1}}})
async def test_an_address_makes_ten_accounts_an_hour(client: Client) -> None:
    statuses = [(await register(client, f"eve{number}")).status for number in range(11)]

    assert statuses == [201] * 10 + [429]


# --- The link ------------------------------------------------------------------------------------------------------


async def test_a_link_that_a_scanner_followed_still_says_yes(house: House, client: Client) -> None:
    await register(client)
    (url,) = await links(house, "ada@example.org", "verify")

    assert [await opened(client, url) for _ in range(3)] == ["/auth/email-verified?verified=1"] * 3


@pytest.mark.manor(config={"server": {"frontend_url": "https://app.example.org"}})
async def test_a_front_end_is_told_in_its_address(house: House, client: Client) -> None:
    await register(client)
    (url,) = await links(house, "ada@example.org", "verify")

    assert url.startswith("http://127.0.0.1:8080/auth/verify-email?token=")
    assert await opened(client, url) == "https://app.example.org/login?verified=1"
    assert await opened(client, url + "x") == "https://app.example.org/login?verified=0&error=invalid"


async def test_links_never_begin_with_what_the_request_calls_us(house: House, client: Client) -> None:
    await register(client(headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}))

    (url,) = await links(house, "ada@example.org", "verify")
    assert "evil" not in url


async def test_a_link_expires_after_two_days(house: House, client: Client, clock: SetClock) -> None:
    await register(client)
    (url,) = await links(house, "ada@example.org", "verify")
    forward(clock, hours=48)

    assert await opened(client, url) == "/auth/email-verified?verified=0&error=expired"


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=%00%ff", "?token=a&token=b", "?other=1"])
async def test_a_link_that_is_none_leads_to_the_page_that_says_so(client: Client, query: str) -> None:
    answer = await client.get(f"/auth/verify-email{query}")

    assert (answer.status, answer.headers["Location"]) == (302, "/auth/email-verified?verified=0&error=invalid")


async def test_a_newer_link_voids_the_older(house: House, client: Client, autojump_clock: None) -> None:
    await register(client)
    (old,) = await links(house, "ada@example.org", "verify")
    await trio.sleep(61)
    await client.post("/auth/resend-verification", json={"email": "ADA@example.org"})
    new, _ = await links(house, "ada@example.org", "verify")

    assert await opened(client, old) == "/auth/email-verified?verified=0&error=invalid"
    assert await opened(client, new) == "/auth/email-verified?verified=1"


async def test_a_link_to_an_address_that_was_changed_proves_nothing(house: House, client: Client) -> None:
    await register(client)
    (url,) = await links(house, "ada@example.org", "verify")
    user = await house.storage.read(lambda transaction: find_user(transaction, username="ada"))
    assert user is not None
    await house.storage.write(lambda transaction: update_user(transaction, user.id, email="other@example.org"))

    assert await opened(client, url) == "/auth/email-verified?verified=0&error=invalid"


async def test_whoever_asks_for_the_link_again_is_answered_alike(house: House, client: Client) -> None:
    await made(house, "ada", is_verified=False)
    await made(house, "bob")

    answers = [
        await client.post("/auth/resend-verification", json={"email": email})
        for email in ("ada@example.org", "bob@example.org", "nobody@example.org", "no address at all\r\n")
    ]

    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert [len(await links(house, f"{name}@example.org", "verify")) for name in ("ada", "bob", "nobody")] == [1, 0, 0]


async def test_a_mailbox_gets_one_link_a_minute_and_five_an_hour(
    house: House, client: Client, autojump_clock: None
) -> None:
    await made(house, "ada", is_verified=False)

    counts = []
    for _ in range(7):
        for _ in range(2):
            answer = await client.post("/auth/resend-verification", json={"email": "ada@example.org"})
            assert answer.status == 200
        counts.append(len(await links(house, "ada@example.org", "verify")))
        await trio.sleep(61)

    assert counts == [1, 2, 3, 4, 5, 5, 5]
