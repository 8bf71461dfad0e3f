"""Accounts elsewhere that open one's account here: connected and disconnected on a page."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from manor import end_sessions, find_user, list_logins, set_active
from manor.testing import Answer, Client, House
from tests.browsing import PUBLIC, Browser, configured, fragment
from tests.openid_provider import OpenIdProvider, saying
from tests.people import PASSWORD, actions, made

LOGINS = "/account/logins"


async def send(browser: Browser, path: str, **fields: str) -> Answer:
    """Send a form of the page, as a browser does."""
    page = await browser.get(LOGINS if path.startswith(LOGINS) else "/login")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token is not None, page.text
    return await browser.post(path, form_token=token[1], **fields)


@pytest.fixture
async def ada(house: House, browser: Browser) -> Browser:
    """Her browser, signed in with her password."""
    await made(house, "ada")
    answer = await send(browser, "/login", login="ada", password=PASSWORD)
    assert answer.status == 303, answer.text
    return browser


async def set_out(browser: Browser, name: str = "home") -> str:
    """All the way to the provider; gives the path to come back on."""
    going = await send(browser, f"{LOGINS}/{name}")
    assert going.status == 200, going.text
    link = re.search(r'class="button" href="([^"]+)"', going.text)
    assert link is not None
    return await browser.at_provider(html.unescape(link[1]))


async def connect(browser: Browser, name: str = "home") -> Answer:
    """There and back."""
    return await browser.get(await set_out(browser, name))


async def subjects(house: House, username: str) -> list[str]:
    def work(transaction: Any) -> list[str]:
        user = find_user(transaction, username=username)
        assert user is not None
        return [each.subject for each in list_logins(transaction, user.id)]

    return await house.storage.read(work)


async def test_somebody_whose_address_is_taken_connects_their_account_and_comes_in_by_it(
    house: House, client: Client, ada: Browser, provider: OpenIdProvider
) -> None:
    stranger = Browser(client)
    assert fragment(await stranger.sign_in())["error"] == "account_exists"

    answer = await connect(ada)

    assert answer.headers["Location"] == f"{LOGINS}?done=linked"
    assert "You can sign in that way" in (await ada.get(answer.headers["Location"])).text
    assert await subjects(house, "ada") == ["ada-at-home"]
    assert "access_token" in fragment(await stranger.sign_in())
    assert "auth.login_linked" in await actions(house)
    assert provider.complaints == []


async def test_the_address_there_may_be_any(house: House, ada: Browser, provider: OpenIdProvider) -> None:
    provider.person = {"sub": "countess"}

    await connect(ada)

    assert await subjects(house, "ada") == ["countess"]


async def test_connecting_twice_is_as_good_as_once(house: House, ada: Browser) -> None:
    await connect(ada)
    answer = await connect(ada, "other")

    assert answer.headers["Location"] == f"{LOGINS}?done=linked"
    assert await subjects(house, "ada") == ["ada-at-home"]


async def test_what_opens_somebody_elses_account_is_not_connected(
    house: House, client: Client, ada: Browser, provider: OpenIdProvider
) -> None:
    provider.person = {"sub": "grace", "email": "grace@example.org", "email_verified": True}
    assert "access_token" in fragment(await Browser(client).sign_in())

    answer = await connect(ada)

    assert answer.headers["Location"] == f"{LOGINS}?error=login_taken"
    assert "somebody else" in (await ada.get(answer.headers["Location"])).text
    assert (await subjects(house, "ada"), await subjects(house, "grace")) == ([], ["grace"])


async def test_who_declines_or_waits_in_vain_is_told_on_that_page(ada: Browser, provider: OpenIdProvider) -> None:
    provider.person = None
    assert (await connect(ada)).headers["Location"] == f"{LOGINS}?error=access_denied"
    provider.answers["/token"] = saying(500)
    provider.person = {"sub": "x"}

    assert (await connect(ada)).headers["Location"] == f"{LOGINS}?error=provider_unavailable"


async def test_an_account_that_was_disabled_meanwhile_is_not_connected(house: House, ada: Browser) -> None:
    back = await set_out(ada)

    def disable(transaction: Any) -> None:
        user = find_user(transaction, username="ada")
        assert user is not None
        set_active(transaction, user.id, False)

    await house.storage.write(disable)

    assert (await ada.get(back)).headers["Location"] == f"{LOGINS}?error=account_disabled"
    assert await subjects(house, "ada") == []


async def test_a_session_that_was_ended_meanwhile_connects_nothing(house: House, ada: Browser) -> None:
    back = await set_out(ada)

    def sign_out_everywhere(transaction: Any) -> None:
        user = find_user(transaction, username="ada")
        assert user is not None
        end_sessions(transaction, user.id)

    await house.storage.write(sign_out_everywhere)

    assert (await ada.get(back)).headers["Location"] == f"{LOGINS}?error=session_over"
    assert await subjects(house, "ada") == []


async def test_nobody_is_connected_by_another_page(house: House, ada: Browser, provider: OpenIdProvider) -> None:
    answers = [
        await ada.post(f"{LOGINS}/home", form_token="made up"),
        await ada.post(f"{LOGINS}/home", origin="https://evil.example", form_token="made up"),
        await ada.get(f"{LOGINS}/home"),
    ]

    assert [answer.status for answer in answers] == [403, 403, 405]
    assert provider.asked == []


async def test_only_who_has_signed_in_sees_the_page(client: Client) -> None:
    answer = await client.get(LOGINS)

    assert (answer.status, answer.headers["Location"]) == (302, "/login?next=%2Faccount%2Flogins")


async def test_a_provider_that_is_not_there_cannot_be_connected(ada: Browser) -> None:
    for name in ("nobody", "apple", "%00", "<b>"):
        answer = await send(ada, f"{LOGINS}/{name}")
        assert answer.status == 404
        assert "<b>" not in answer.text


async def test_a_provider_is_disconnected(house: House, client: Client, ada: Browser) -> None:
    await connect(ada)

    answer = await send(ada, f"{LOGINS}/home/forget")

    assert answer.headers["Location"] == f"{LOGINS}?done=forgotten"
    assert await subjects(house, "ada") == []
    assert fragment(await Browser(client).sign_in())["error"] == "account_exists"
    assert "auth.login_unlinked" in await actions(house)
    assert (await send(ada, f"{LOGINS}/home/forget")).status == 404


async def test_the_only_way_in_stays(house: House, browser: Browser) -> None:
    await browser.sign_in(f"/auth/oidc/home/login?next={LOGINS}")

    answer = await send(browser, f"{LOGINS}/home/forget")

    assert answer.status == 409
    assert "only way in" in answer.text
    assert await subjects(house, "ada") == ["ada-at-home"]


@configured(home={"title": "<Home> & Garden"})
async def test_the_page_shows_every_provider_as_it_is_called(ada: Browser) -> None:
    text = (await ada.get(LOGINS)).text

    assert re.findall(r"Connect ([^<]+)</button>", text) == ["&lt;Home&gt; &amp; Garden", "other", "Google"]


async def test_the_sign_in_page_has_their_buttons(client: Client) -> None:
    text = (await client.get("/login?next=/account")).text

    assert '/auth/google/login?next=%2Faccount"' in text
    assert '/auth/oidc/home/login?next=%2Faccount"' in text
    assert "/auth/oidc/apple" not in text


@pytest.mark.parametrize("word", ["account_exists", "expired", "made up", "<script>"])
async def test_the_sign_in_page_says_what_went_wrong_in_words_of_its_own(client: Client, word: str) -> None:
    answer = await client.get("/login", query={"error": word})

    assert answer.status == 200
    assert "<script>" not in answer.text
    assert PUBLIC not in answer.text
