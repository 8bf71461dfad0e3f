"""What a provider, a stranger or the network may do wrong, and what a browser is told then: one word."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog.testing
import trio
from trio.testing import MockClock

from manor.testing import Answer, Client, House
from tests.browsing import FRONTEND, PUBLIC, Browser, configured, fragment
from tests.openid_provider import OpenIdProvider, hanging, saying
from tests.people import actions

BACK = "/auth/oidc/home/callback"
DISCOVERY = "/.well-known/openid-configuration"


def told(answer: Answer) -> str:
    """The word that the front end gets, and nothing besides."""
    assert answer.status == 302, answer.text
    assert answer.headers["Location"].startswith(f"{FRONTEND}/auth/callback#")
    (said,) = fragment(answer).items()
    assert said[0] == "error"
    return said[1]


async def nobody_is_there(house: House) -> bool:
    return not {"auth.registered", "auth.signed_in"} & set(await actions(house))


# --- What the provider answers -------------------------------------------------------------------------------------


async def test_who_declines_is_led_on_with_that_word(house: House, provider: OpenIdProvider, browser: Browser) -> None:
    provider.person = None

    assert told(await browser.sign_in()) == "access_denied"
    assert browser.jar == {}
    assert provider.count("/token") == 0


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (DISCOVERY, saying(500)),
        (DISCOVERY, saying(404)),
        (DISCOVERY, saying(200, b"<html>")),
        (DISCOVERY, saying(200, b"[]")),
        (DISCOVERY, saying(200, b"{}")),
        (DISCOVERY, saying(200, b"\xff\xfe")),
        (DISCOVERY, saying(200, b" " * 300_000)),
        (DISCOVERY, saying(302, b"", Location="http://127.0.0.1:1/private")),
        (DISCOVERY, saying(302, b"", Location="http://169.254.169.254/latest/meta-data")),
        ("/certs", saying(500)),
        ("/certs", saying(200, b"{}")),
        ("/certs", saying(200, b'{"keys": 7}')),
        ("/certs", saying(200, b"x" * 300_000)),
        ("/certs", saying(307, b"", Location="http://127.0.0.1:1/private")),
        ("/token", saying(500)),
        ("/token", saying(200, b"no json")),
        ("/token", saying(200, b'{"access_token": "x"}')),
        ("/token", saying(200, b'{"id_token": 7}')),
        ("/token", saying(307, b"", Location="http://127.0.0.1:1/private")),
        ("/token", saying(200, b'{"id_token": "' + b"x" * 300_000 + b'"}')),
    ],
)
async def test_a_provider_in_trouble_is_told_as_that(
    house: House, provider: OpenIdProvider, browser: Browser, path: str, answer: Any
) -> None:
    provider.answers[path] = answer

    begun = await browser.get("/auth/oidc/home/login")
    if path != DISCOVERY:
        begun = await browser.get(await browser.at_provider(begun.headers["Location"]))

    assert told(begun) == "provider_unavailable"
    assert await nobody_is_there(house)


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "e30.e30.e30", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "." * 9])
async def test_what_is_no_token_is_refused(provider: OpenIdProvider, browser: Browser, token: str) -> None:
    provider.answers["/token"] = saying(200, json.dumps({"id_token": token}).encode())

    assert told(await browser.sign_in()) == "sign_in_failed"


@pytest.mark.parametrize(
    "keys", [[], [{"kty": "oct", "k": "AAAA", "kid": "x"}], [{"kty": "RSA", "n": "AQAB", "e": "A"}]]
)
async def test_keys_that_verify_nothing_believe_nothing(
    provider: OpenIdProvider, browser: Browser, keys: list[dict[str, str]]
) -> None:
    provider.answers["/certs"] = saying(200, json.dumps({"keys": keys}).encode())

    assert told(await browser.sign_in()) == "sign_in_failed"


async def test_a_provider_that_was_down_is_asked_again_by_the_next_one(
    provider: OpenIdProvider, browser: Browser
) -> None:
    provider.answers[DISCOVERY] = saying(500)
    assert told(await browser.get("/auth/oidc/home/login")) == "provider_unavailable"
    del provider.answers[DISCOVERY]

    assert "access_token" in fragment(await browser.sign_in())


@pytest.mark.parametrize("path", [DISCOVERY, "/certs", "/token"])
async def test_a_provider_that_does_not_answer_is_given_up_after_five_seconds(
    provider: OpenIdProvider, browser: Browser, mock_clock: MockClock, path: str
) -> None:
    came = trio.Event()
    back = "" if path == DISCOVERY else await browser.at_provider(await browser.there())
    provider.answers[path] = hanging(came)
    answers: list[Answer] = []

    async def ask() -> None:
        answers.append(await browser.get(back or "/auth/oidc/home/login"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await came.wait()
        mock_clock.jump(4.9)
        await trio.testing.wait_all_tasks_blocked()
        assert answers == []
        mock_clock.jump(0.2)

    assert told(answers[0]) == "provider_unavailable"


async def test_many_who_wait_for_one_that_does_not_answer_wait_together(
    provider: OpenIdProvider, client: Client, mock_clock: MockClock
) -> None:
    came = trio.Event()
    provider.answers[DISCOVERY] = hanging(came)

    async def ask() -> None:
        assert told(await client.get("/auth/oidc/home/login")) == "provider_unavailable"

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
        await came.wait()
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(5.1)

    assert provider.count("openid-configuration") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"authorization_endpoint": ""},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://user@127.0.0.1/auth"},
        {"authorization_endpoint": "http://[::1"},
        {"authorization_endpoint": "http://127.0.0.1/a\r\nSet-Cookie: x=1"},
    ],
    ids=str,
)
async def test_a_discovery_document_that_makes_no_sense_leads_nowhere(
    provider: OpenIdProvider, browser: Browser, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata

    assert told(await browser.get("/auth/oidc/home/login")) == "provider_unavailable"


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri"])
async def test_what_the_discovery_document_names_elsewhere_on_this_machine_is_not_reached(
    provider: OpenIdProvider, browser: Browser, endpoint: str
) -> None:
    came: list[object] = []

    async def note(stream: trio.SocketStream) -> None:
        came.append(stream)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, note, [listener])
        provider.metadata = {endpoint: f"http://127.0.0.1:{listener.socket.getsockname()[1]}/inside"}

        assert told(await browser.sign_in()) == "provider_unavailable"

        nursery.cancel_scope.cancel()
    assert came == []


# --- What comes back to us -----------------------------------------------------------------------------------------


async def test_somebody_elses_way_back_is_not_ours(
    house: House, client: Client, browser: Browser, provider: OpenIdProvider
) -> None:
    other = Browser(client)
    mine, theirs = await browser.there(), await other.there()
    back = await other.at_provider(theirs)

    assert told(await browser.get(back)) == "expired", "a state of another browser"
    assert told(await client.get(back)) == "expired", "no cookie at all"
    assert await nobody_is_there(house)
    assert provider.count("/token") == 0
    # A stranger's link does not end what was under way.
    assert "access_token" in fragment(await browser.get(await browser.at_provider(mine)))
    assert "access_token" in fragment(await other.get(back))


async def test_a_code_under_the_right_state_of_another_browser_is_refused(
    client: Client, browser: Browser, provider: OpenIdProvider
) -> None:
    """Somebody slips their own code under another one's state: the nonce and the verifier are not theirs."""
    other = Browser(client)
    stolen = dict(parse_qsl(urlsplit(await other.at_provider(await other.there())).query))["code"]
    url = await browser.there()
    state = dict(parse_qsl(urlsplit(url).query))["state"]

    assert told(await browser.get(f"{BACK}?code={stolen}&state={state}")) == "sign_in_failed"
    assert provider.complaints == ["the redirect_uri or the verifier is another one"]


async def test_a_code_that_is_sent_twice_is_refused(house: House, browser: Browser, provider: OpenIdProvider) -> None:
    back = await browser.at_provider(await browser.there())
    kept = dict(browser.jar)
    assert "access_token" in fragment(await browser.get(back))

    assert told(await browser.get(back)) == "expired"
    browser.jar = kept
    assert told(await browser.get(back)) == "sign_in_failed"
    assert (await actions(house)).count("auth.signed_in") == 1


async def test_the_way_back_leads_to_the_provider_that_was_left_for(browser: Browser, provider: OpenIdProvider) -> None:
    back = await browser.at_provider(await browser.there())

    assert told(await browser.get(back.replace("/home/", "/other/"))) == "expired"
    assert told(await browser.get(back.replace("/oidc/home/", "/google/"))) == "expired"
    assert provider.count("/token") == 0


async def test_another_issuer_on_the_way_back_is_refused(browser: Browser, provider: OpenIdProvider) -> None:
    back = await browser.at_provider(await browser.there())
    path, _, query = back.partition("?")
    changed = [pair for pair in query.split("&") if not pair.startswith("iss=")]

    answer = await browser.get(f"{path}?{'&'.join([*changed, 'iss=https://evil.example'])}")

    assert told(answer) == "sign_in_failed"
    assert provider.count("/token") == 0


async def test_somebody_who_took_too_long_begins_anew(browser: Browser, provider: OpenIdProvider, clock: Any) -> None:
    back = await browser.at_provider(await browser.there())
    clock.set(clock.now() + timedelta(seconds=601))

    assert told(await browser.get(back)) == "expired"


@pytest.mark.parametrize("spoilt", ["", ".", "x", "x.y", "%00", "e30.", "e30.AAAA", "a" * 5000])
async def test_what_the_browser_did_not_get_from_us_is_nothing(
    browser: Browser, provider: OpenIdProvider, spoilt: str
) -> None:
    back = await browser.at_provider(await browser.there())
    browser.jar = {"__Host-manor_oidc": spoilt}

    assert told(await browser.get(back)) == "expired"


async def test_a_target_that_was_changed_in_the_cookie_is_nothing(browser: Browser) -> None:
    back = await browser.at_provider(await browser.there())
    body, _, mark = browser.jar["__Host-manor_oidc"].partition(".")
    flow = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    flow["target"] = "https://evil.example/"
    forged = base64.urlsafe_b64encode(json.dumps(flow).encode()).rstrip(b"=").decode()
    browser.jar = {"__Host-manor_oidc": f"{forged}.{mark}"}

    assert told(await browser.get(back)) == "expired"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "state=",
        "error=access_denied",
        "code=&state=",
        "state=%FF",
        "state=%00&code=%0d%0a",
        "code=" + "x" * 9000,
    ],
)
async def test_a_way_back_that_nobody_went_is_expired(client: Client, query: str) -> None:
    assert told(await client.get(f"{BACK}?{query}")) == "expired"


@configured(server={"frontend_url": ""})
async def test_without_a_front_end_it_is_the_sign_in_page_that_says_so(client: Client) -> None:
    answer = await client.get(f"{BACK}?code=x&state=y")

    assert (answer.status, answer.headers["Location"]) == (302, "/login?error=expired")


@pytest.mark.parametrize("error", ["server_error", "login_required", "<script>", "%0d%0a", "x" * 3000])
async def test_other_words_of_a_provider_are_not_passed_on(browser: Browser, error: str) -> None:
    state = dict(parse_qsl(urlsplit(await browser.there()).query))["state"]

    assert told(await browser.get(f"{BACK}?state={state}&error={error}")) == "sign_in_failed"


@pytest.mark.parametrize(
    "path",
    [
        "/auth/oidc/nobody/login",
        "/auth/oidc/nobody/callback?code=x&state=y",
        "/auth/oidc/apple/login",
        "/auth/oidc/%00/login",
        "/auth/oidc/HOME/login",
        "/auth/oidc/%2e%2e/login",
    ],
)
async def test_a_provider_that_is_not_configured_is_404(client: Client, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status, set(answer.json())) == (404, {"detail"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_browsers_come_by_get_only(client: Client, method: str) -> None:
    assert (await client.request(method, "/auth/google/login")).status == 405


async def test_too_much_to_keep_is_refused(client: Client) -> None:
    assert (await client.get("/auth/oidc/home/login?next=/" + "a" * 4000)).status == 400


async def test_no_log_line_has_a_token_a_code_or_a_target(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    with structlog.testing.capture_logs() as lines:
        url = await browser.there("/auth/oidc/home/login")
        back = await browser.at_provider(url)
        tokens = fragment(await browser.get(back))
        provider.signing = "stranger"
        await browser.sign_in()
        provider.answers["/token"] = saying(400, b'{"error":"x"}')
        await browser.sign_in()

    rows = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    text = f"{lines} {rows}"
    asked = dict(parse_qsl(urlsplit(back).query))
    assert any(line["log_level"] == "warning" for line in lines)
    for secret in (tokens["access_token"], tokens["refresh_token"], asked["code"], asked["state"], FRONTEND, PUBLIC):
        assert secret not in text
