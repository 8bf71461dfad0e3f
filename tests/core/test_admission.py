"""Rates, credentials and access, before a byte of the body is read."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio
from trio.testing import MockClock

from manor.auth import ADMIN, PUBLIC, Authenticator, Bearer, Header, Kinds, Presented, Principal, Query, Scope
from manor.dialects import MATTERMOST
from manor.dispatch import Dispatcher, Settings
from manor.errors import Unauthorized
from manor.routing import Api, Head, Live, Rate, RateHeaders, Reply, Request, Route, Upgrade
from tests.core import dispatching
from tests.core.dispatching import NOW, Silence, ask, detail, head

ANNA = UUID("00000000-0000-7000-8000-00000000000a")
KEY = Principal("api_key", user_id=ANNA, credential_id=UUID(int=1), scopes=frozenset(("doors:ring",)))
TOKEN = Principal("topic_token", credential_id=UUID(int=2), scopes=frozenset(("read",)))
PHONE = Principal("phone", user_id=ANNA, credential_id=UUID(int=3), scopes=frozenset(("*",)))
SECRETS = {"key_good": KEY, "token_good": TOKEN, "phone_good": PHONE}


class Cookie:
    """A place that browsers fill unasked."""

    is_ambient = True

    def find(self, head: Head) -> str | None:
        return (head.headers.get("cookie") or "").removeprefix("session=") or None


DOORS = Api(
    "doors",
    kinds=frozenset(("api_key", "topic_token")),
    places=(Header("X-Topic-Token"), Header("X-API-Key"), Bearer()),
)


def authenticator(kind: str, prefix: str) -> Authenticator:
    async def authenticate(presented: Presented) -> Principal | None:
        await trio.lowlevel.checkpoint()
        return SECRETS.get(presented.secret)

    return Authenticator(kind, lambda secret: secret.startswith(prefix), authenticate)


AUTHENTICATORS = (
    authenticator("api_key", "key_"),
    authenticator("topic_token", "token_"),
    authenticator("phone", "phone_"),
)


def route(line: str, **more: Any) -> Route:
    return dispatching.route(line, **{"handler": whose, "api": DOORS, **more})


def dispatcher(*routes: Route, authenticators: Sequence[Authenticator] = AUTHENTICATORS, **more: Any) -> Dispatcher:
    return dispatching.dispatcher(*routes, authenticators=authenticators, **more)


def whose(request: Request) -> Reply:
    return Reply(" ".join(principal.kind for principal in request.principals).encode())


async def statuses(access: Any, *credentials: Sequence[tuple[str, str]], api: Api = DOORS) -> list[int]:
    made = dispatcher(route("GET /x", access=access, api=api))
    return [(await ask(made, head("GET /x", *headers))).status for headers in credentials]


def bearer(secret: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {secret}")


BASIC = ("Authorization", "Basic " + base64.b64encode(b"a:b").decode())


# --- Credentials ---------------------------------------------------------------------------------------------------


async def test_a_good_credential_opens_what_its_access_says() -> None:
    opened = [[], [bearer("key_good")], [bearer("token_good")]]
    assert await statuses(PUBLIC, *opened) == [200, 200, 200]
    assert await statuses(Scope("doors:ring"), *opened) == [401, 200, 403]
    assert await statuses(Kinds("topic_token"), *opened) == [401, 403, 200]
    assert await statuses(ADMIN, *opened) == [401, 403, 403]


@pytest.mark.parametrize(
    "credential",
    [
        bearer("key_bad"),
        bearer("phone_good"),  # a kind that the API does not know
        bearer("jwt"),  # nobody recognises it
        bearer(""),
        ("Authorization", ""),
        ("Authorization", "key_good"),
        BASIC,
        ("X-API-Key", ""),
        ("X-API-Key", "key_bad"),
        ("X-Topic-Token", "token_bad"),
    ],
)
async def test_a_bad_credential_is_401_even_where_none_is_needed(credential: tuple[str, str]) -> None:
    reply = await ask(dispatcher(route("GET /x")), head("GET /x", credential))
    assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_what_is_in_memory_is_admitted_without_waiting() -> None:
    """No loop runs here: whatever waited would fail."""
    api_key, token, phone = AUTHENTICATORS
    known = replace(api_key, known=lambda presented: KEY if presented.secret == "key_good" else None)
    made = dispatcher(route("GET /x"), authenticators=(known, token, phone))

    for headers, principals in (((), ()), ((("X-API-Key", "key_good"),), (KEY,))):
        call = made.begin(head("GET /x", *headers))
        assert call.admit_now() is None
        assert call.principals == principals
        reply = call.answer_now(b"")
        assert isinstance(reply, Reply)


async def test_what_is_not_in_memory_is_looked_up() -> None:
    api_key, token, phone = AUTHENTICATORS
    known = replace(api_key, known=lambda presented: None)
    made = dispatcher(route("GET /x"), authenticators=(known, token, phone))

    for headers, status, body in (
        ([("X-API-Key", "key_good")], 200, b"api_key"),
        ([("X-API-Key", "key_good"), ("X-Topic-Token", "token_good")], 200, b"topic_token api_key"),
        ([("X-API-Key", "key_bad")], 401, None),
    ):
        reply = await ask(made, head("GET /x", *headers))
        assert reply.status == status
        assert body is None or reply.body == body


async def test_without_authenticators_every_credential_is_401() -> None:
    made = dispatcher(route("GET /x"), authenticators=())
    assert (await ask(made, head("GET /x", bearer("key_good")))).status == 401
    assert (await ask(made, head("GET /x"))).status == 200


async def test_some_apis_take_a_bad_credential_for_none_on_public_routes() -> None:
    lax = replace(DOORS, ignores_bad_credentials=True)
    bad, good = [bearer("key_bad")], [bearer("key_good")]
    assert await statuses(PUBLIC, bad, good, api=lax) == [200, 200]
    assert await statuses(Kinds("api_key"), bad, good, api=lax) == [401, 200]


async def test_a_refusal_that_an_authenticator_words_is_ignored_where_a_bad_credential_is() -> None:
    async def refuse(presented: Presented) -> Principal | None:
        raise Unauthorized("This key is worn out", headers={"Set-Cookie": "session="})

    lax = replace(DOORS, ignores_bad_credentials=True)
    worn = (Authenticator("api_key", lambda secret: True, refuse),)
    made = dispatcher(
        route("GET /open", access=PUBLIC, api=lax),
        route("GET /shut", access=Kinds("api_key"), api=lax),
        authenticators=worn,
    )

    assert (await ask(made, head("GET /open", bearer("key_good")))).status == 200
    reply = await ask(made, head("GET /shut", bearer("key_good")))
    assert (reply.status, detail(reply), reply.headers["Set-Cookie"]) == (401, "This key is worn out", "session=")


async def test_all_credentials_of_a_request_are_taken_in_the_apis_order() -> None:
    made = dispatcher(route("GET /x", access=Kinds("api_key")), route("GET /all"))
    both = (("X-API-Key", "key_good"), ("X-Topic-Token", "token_good"))
    assert (await ask(made, head("GET /all", *both))).body == b"topic_token api_key"
    assert (await ask(made, head("GET /x", *both))).status == 200
    mixed = (("X-API-Key", "key_good"), ("X-Topic-Token", "token_bad"))
    assert (await ask(made, head("GET /x", *mixed))).status == 401


async def test_a_routes_own_places_count_there_only() -> None:
    made = dispatcher(route("GET /x"), route("GET /stream", places=(Query("token"),)))
    assert (await ask(made, head("GET /stream?token=key_good"))).body == b"api_key"
    assert (await ask(made, head("GET /stream?token=key_bad"))).status == 401
    assert (await ask(made, head("GET /stream?token="))).status == 401
    assert (await ask(made, head("GET /x?token=key_bad"))).body == b""


async def test_the_person_is_the_first_credential_with_a_user() -> None:
    people: list[UUID | None] = []
    made = dispatcher(route("GET /x", handler=lambda request: people.append(request.user_id)))
    await ask(made, head("GET /x", ("X-API-Key", "key_good"), ("X-Topic-Token", "token_good")))
    assert people == [ANNA]


async def test_an_api_names_its_own_challenge() -> None:
    made = dispatcher(route("GET /x", api=replace(DOORS, challenge='Basic realm="doors"'), access=ADMIN))
    assert (await ask(made, head("GET /x"))).headers["WWW-Authenticate"] == 'Basic realm="doors"'


async def test_an_api_words_its_own_401() -> None:
    api = replace(DOORS, missing_credential="Ring first", bad_credential="Wrong bell")
    made = dispatcher(route("GET /x", access=Kinds("api_key"), api=api))

    assert detail(await ask(made, head("GET /x"))) == "Ring first"
    assert detail(await ask(made, head("GET /x", bearer("key_bad")))) == "Wrong bell"
    assert detail(await ask(made, head("GET /x", bearer("phone_good")))) == "Wrong bell"


async def test_tests_may_bring_principals_in_place_of_credentials() -> None:
    made = dispatcher(route("GET /x", access=Scope("doors:ring")))
    assert (await ask(made, head("GET /x", bearer("key_bad")), principals=[KEY])).status == 200
    assert (await ask(made, head("GET /x"), principals=[TOKEN])).status == 403
    assert (await ask(made, head("GET /x"), principals=[PHONE])).status == 401
    assert (await ask(made, head("GET /x", bearer("key_good")), principals=[])).status == 401


async def test_an_authenticator_that_raises_is_500() -> None:
    async def authenticate(presented: Presented) -> Principal | None:
        raise OSError("no database")

    broken = Authenticator("api_key", lambda secret: True, authenticate)
    reply = await ask(dispatcher(route("GET /x"), authenticators=[broken]), head("GET /x", bearer("x")))
    assert (reply.status, b"database" in reply.body) == (500, False)


async def test_an_authenticator_that_hangs_is_503(autojump_clock: MockClock) -> None:
    async def authenticate(presented: Presented) -> Principal | None:
        await trio.sleep_forever()

    slow = Authenticator("api_key", lambda secret: True, authenticate)
    made = dispatcher(route("GET /x"), authenticators=[slow])
    assert (await ask(made, head("GET /x", bearer("x")))).status == 503


# --- Unknown paths and wrong methods -------------------------------------------------------------------------------


async def test_some_apis_want_a_credential_before_they_say_what_there_is() -> None:
    host = replace(DOORS, name="host", credential_first=True, prefixes=("/services",))
    made = dispatcher(route("GET /services/status", api=host, access=PUBLIC))
    asked = ["GET /services/nothing", "POST /services/status"]
    assert [(await ask(made, head(line))).status for line in asked] == [401, 401]
    assert [(await ask(made, head(line, bearer("key_bad")))).status for line in asked] == [401, 401]
    assert [(await ask(made, head(line, bearer("key_good")))).status for line in asked] == [404, 405]


async def test_other_apis_do_not_look_at_credentials_there() -> None:
    made = dispatcher(route("GET /x"))
    assert (await ask(made, head("POST /x", bearer("key_bad")))).status == 405
    assert (await ask(made, head("GET /y", bearer("key_bad")))).status == 404


# --- Origins -------------------------------------------------------------------------------------------------------

COOKIES = Api("cookies", kinds=frozenset(("api_key",)), places=(Cookie(), Bearer()))
SESSION = ("Cookie", "session=key_good")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("https://manor.example", 200),
        ("https://app.example", 200),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
async def test_a_cookie_counts_on_our_own_and_named_pages_only(origin: str | None, status: int) -> None:
    settings = Settings(public_url="https://manor.example", cors_origins=("https://app.example", "*"))
    made = dispatcher(route("POST /x", api=COOKIES), settings=settings)
    headers = [("Origin", origin)] if origin is not None else []
    assert (await ask(made, head("POST /x", SESSION, *headers))).status == status
    assert (await ask(made, head("POST /x", bearer("key_good"), *headers))).status == 200
    assert (await ask(made, head("POST /x", *headers))).status == 200


# --- Rates ---------------------------------------------------------------------------------------------------------

RATED = replace(DOORS, anonymous_rate=Rate(2), signed_in_rate=Rate(3), rate_headers=RateHeaders.UNIX)


async def test_rates_are_told_on_every_answer_and_refused_when_used_up(autojump_clock: MockClock) -> None:
    made = dispatcher(route("GET /x", api=RATED))
    replies = [await ask(made, head(line)) for line in ("GET /x", "POST /x", "GET /x")]
    assert [reply.status for reply in replies] == [200, 405, 429]
    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    last = replies[2]
    assert last.headers["X-RateLimit-Limit"] == "2"
    assert last.headers["X-RateLimit-Reset"] == str(math.ceil(NOW.timestamp()) + 60)
    assert last.headers["Retry-After"] == "30"
    assert "one address" in msgspec.json.decode(last.body)["detail"]
    await trio.sleep(30)
    assert (await ask(made, head("GET /x"))).status == 200


async def test_options_tells_the_rates_and_uses_none_up() -> None:
    made = dispatcher(route("GET /x", api=RATED))
    await ask(made, head("GET /x"))
    replies = [await ask(made, head("OPTIONS /x")) for _ in range(3)]
    assert [reply.status for reply in replies] == [204] * 3
    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["1"] * 3
    assert {"X-RateLimit-Limit", "X-RateLimit-Reset"} <= set(replies[0].headers)


async def test_nobodys_rates_count_per_address_and_others_per_credential() -> None:
    made = dispatcher(route("GET /x", api=RATED))

    async def count(*headers: tuple[str, str], address: str) -> int:
        replies = [await ask(made, head("GET /x", *headers, address=address)) for _ in range(5)]
        return [reply.status for reply in replies].count(200)

    assert await count(address="10.0.0.1") == 2
    assert await count(address="10.0.0.2") == 2
    assert await count(bearer("key_good"), address="10.0.0.1") == 3
    assert await count(bearer("key_good"), address="10.0.0.3") == 0
    assert await count(bearer("token_good"), address="10.0.0.3") == 3


async def test_guessing_credentials_draws_on_the_addresss_rate() -> None:
    made = dispatcher(route("GET /x", api=RATED))
    guesses = [(await ask(made, head("GET /x", bearer(f"key_{guess}")))).status for guess in range(3)]
    assert guesses == [401, 401, 429]


async def test_streams_and_refused_handshakes_carry_the_rate_too() -> None:
    made = dispatcher(
        route("GET /sse", api=RATED, handler=lambda request: Live(Silence())),
        route("GET /ws", api=RATED, websocket=Upgrade.ONLY),
    )
    assert (await ask(made, head("GET /sse"))).headers["X-RateLimit-Remaining"] == "1"
    refused = await ask(made, head("GET /ws"))
    assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (426, "0")


async def test_a_routes_own_rate_counts_besides_the_apis() -> None:
    made = dispatcher(route("GET /x", rate=Rate(1)), route("GET /y"))
    assert [(await ask(made, head(f"GET /{path}"))).status for path in "xxyy"] == [200, 429, 200, 200]


async def test_chats_rates_are_told_by_the_second_and_refused_in_plain_words(autojump_clock: MockClock) -> None:
    per_second = replace(RATED, dialect=MATTERMOST, anonymous_rate=Rate(600, burst=2), rate_headers=RateHeaders.SECONDS)
    made = dispatcher(route("GET /x", api=per_second))
    replies = [await ask(made, head("GET /x")) for _ in range(3)]
    first, *_, last = replies
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("10", "1")
    assert (last.headers["X-RateLimit-Reset"], last.headers["Retry-After"]) == ("1", "1")
    assert (last.body, last.content_type) == (b"limit exceeded", "text/plain")


async def test_an_api_without_rate_headers_says_nothing_of_its_rates() -> None:
    made = dispatcher(route("GET /x", api=replace(RATED, rate_headers=RateHeaders.NONE)))
    replies = [await ask(made, head("GET /x")) for _ in range(3)]
    assert replies[2].status == 429
    assert not [name for reply in replies for name in reply.headers if "Rate" in name]
