"""Browsers: HEAD, OPTIONS, CORS, and who may open a WebSocket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from manor.dispatch import Call, Settings
from manor.routing import Api, Conversation, Live, Reply, Route, Stream, Upgrade, WebSocket, Write
from tests.core.dispatching import DOORS, Silence, ask, dispatcher, head, route


async def write_nothing(write: Write) -> None:
    """A stream's body."""


# --- HEAD, OPTIONS, headers ----------------------------------------------------------------------------------------


async def test_head_gets_what_get_gets_and_the_door_leaves_out_the_body() -> None:
    made = dispatcher(route("GET /x", lambda request: Reply(b"attic")))
    assert (await ask(made, head("HEAD /x"))) == (await ask(made, head("GET /x")))


@pytest.mark.parametrize("answer", [Stream(write_nothing, content_type="text/csv"), Live(Silence())])
async def test_head_starts_no_stream(answer: Stream | Live) -> None:
    reply = await ask(dispatcher(route("GET /x", lambda request: answer)), head("HEAD /x"))
    assert isinstance(reply, Reply)
    assert reply.content_type in ("text/csv", "text/event-stream; charset=utf-8")


async def test_options_says_what_is_served() -> None:
    made = dispatcher(route("GET /x", lambda request: None), route("DELETE /x", lambda request: None))
    reply = await ask(made, head("OPTIONS /x"))
    assert (reply.status, reply.content_type) == (204, "")
    assert reply.headers["Allow"] == "GET, HEAD, DELETE, OPTIONS"
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert (await ask(made, head("OPTIONS /nothing"))).status == 404


async def test_every_answer_carries_the_request_id_and_the_apis_headers() -> None:
    made = dispatcher(route("GET /x", lambda request: Reply(b"hi", headers={"X-Own": "1"})))
    for line in ("GET /x", "POST /x", "OPTIONS /x"):
        reply = await ask(made, head(line))
        assert reply.headers["X-Request-Id"] == "r-1"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Doors"] == "1"
    assert (await ask(made, head("GET /nothing"))).headers["Referrer-Policy"] == "no-referrer"


PREFLIGHT = (
    ("Origin", "https://app.example"),
    ("Access-Control-Request-Method", "PUT"),
    ("Access-Control-Request-Headers", "authorization, x-title"),
)


async def test_a_preflight_of_a_configured_origin_is_answered_with_permission() -> None:
    settings = Settings(cors_origins=("https://app.example",))
    made = dispatcher(route("PUT /x", lambda request: None), settings=settings)
    reply = await ask(made, head("OPTIONS /x", *PREFLIGHT))
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert reply.headers["Access-Control-Allow-Methods"] == "PUT, OPTIONS"
    assert reply.headers["Access-Control-Allow-Headers"] == "authorization, x-title"
    assert reply.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize(
    ("origins", "api"), [((), DOORS), (("https://other.example",), DOORS), (("*",), Api("x", cors=False))]
)
async def test_other_origins_get_no_permission(origins: tuple[str, ...], api: Api) -> None:
    made = dispatcher(route("PUT /x", lambda request: None, api=api), settings=Settings(cors_origins=origins))
    for asked in (head("OPTIONS /x", *PREFLIGHT), head("PUT /x", *PREFLIGHT)):
        reply = await ask(made, asked)
        assert reply.status == 204
        assert not [name for name in reply.headers if name.startswith("Access-Control")]


async def test_a_preflight_of_an_api_that_is_open_to_every_page_is_answered_whatever_is_configured() -> None:
    api = Api("open", headers={"Access-Control-Allow-Origin": "*"}, cors=False)
    made = dispatcher(route("PUT /x", lambda request: None, api=api))
    reply = await ask(made, head("OPTIONS /x", *PREFLIGHT))
    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Access-Control-Allow-Methods"] == "PUT, OPTIONS"
    assert reply.headers["Access-Control-Allow-Headers"] == "authorization, x-title"
    assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_simple_answers_and_errors_carry_cors_headers() -> None:
    made = dispatcher(
        route("GET /x", lambda request: Reply(headers={"Vary": "Accept"})), settings=Settings(cors_origins=("*",))
    )
    for line in ("GET /x", "PUT /x", "GET /nothing"):
        assert (await ask(made, head(line, PREFLIGHT[0]))).headers["Access-Control-Allow-Origin"] == "*"
    made.apply(Settings(cors_origins=("https://app.example/",)))
    reply = await ask(made, head("GET /x", PREFLIGHT[0]))
    assert reply.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert reply.headers["Vary"] == "Origin, Accept"
    assert (await ask(made, head("GET /x"))).headers["Vary"] == "Origin, Accept"


# --- WebSocket handshakes ------------------------------------------------------------------------------------------


async def talk(conversation: Conversation) -> None:
    """A conversation that says nothing."""


SOCKETS: Sequence[Route] = (
    route("GET /no", lambda request: None),
    route("GET /yes", lambda request: Live(Silence()), websocket=Upgrade.YES),
    route("GET /only", lambda request: WebSocket(talk), websocket=Upgrade.ONLY),
    route("GET /talk", lambda request: WebSocket(talk), websocket=Upgrade.YES),
)


async def open_socket(path: str, *headers: tuple[str, str], settings: Settings | None = None) -> tuple[Call, Any]:
    call = dispatcher(*SOCKETS, settings=settings).begin(head(f"GET {path}", *headers, upgrade=True))
    return call, await call.admit() or await call.answer(b"")


async def test_a_handshake_is_served_where_the_route_is_a_websocket() -> None:
    for path, kind in (("/yes", Live), ("/only", WebSocket), ("/talk", WebSocket)):
        call, answer = await open_socket(path)
        assert isinstance(answer, kind)
        assert call.websocket_allowed
        assert call.headers()["X-Request-Id"] == "r-1"


async def test_a_handshake_elsewhere_is_refused_as_plain_http() -> None:
    for path, status in (("/no", 400), ("/nothing", 404)):
        call, reply = await open_socket(path)
        assert (reply.status, call.websocket_allowed) == (status, False)


async def test_a_websocket_without_a_handshake_is_426() -> None:
    made = dispatcher(*SOCKETS)
    for path in ("/only", "/talk"):
        reply = await ask(made, head(f"GET {path}"))
        assert (reply.status, reply.headers["Upgrade"]) == (426, "websocket")
    assert isinstance(await ask(made, head("GET /yes")), Live)


@pytest.mark.parametrize(
    ("origin", "public_url", "cors", "passes"),
    [
        ("http://manor.example:8080", "", (), True),
        ("http://evil.example", "", (), False),
        ("null", "", (), False),
        ("", "", (), False),
        ("http://[", "", (), False),
        ("https://manor.example", "https://manor.example/", (), True),
        ("http://manor.example:8080", "https://manor.example", (), False),
        ("https://app.example", "", ("https://app.example",), True),
        ("https://app.example", "", ("*",), True),
        ("https://app.example.evil", "", ("https://app.example",), False),
    ],
)
async def test_only_known_pages_may_open_a_websocket(
    origin: str, public_url: str, cors: tuple[str, ...], passes: bool
) -> None:
    settings = Settings(public_url=public_url, cors_origins=cors)
    _, answer = await open_socket("/only", ("Host", "manor.example:8080"), ("Origin", origin), settings=settings)
    assert isinstance(answer, WebSocket) if passes else answer.status == 403


async def test_every_page_may_open_the_websockets_of_an_api_that_is_open_to_every_page() -> None:
    api = Api("open", headers={"Access-Control-Allow-Origin": "*"}, cors=False)
    made = dispatcher(route("GET /open", lambda request: WebSocket(talk), api=api, websocket=Upgrade.ONLY))
    call = made.begin(head("GET /open", ("Origin", "https://elsewhere.example"), upgrade=True))

    assert await call.admit() is None
    assert isinstance(await call.answer(b""), WebSocket)
