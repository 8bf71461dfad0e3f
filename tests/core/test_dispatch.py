"""A request's way from its head to the finished answer, with no door around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
import structlog
import trio
from structlog.typing import EventDict
from trio.testing import MockClock

from manor.dialects import BASIC_RESPONSE, MATTERMOST, PAGE, SELFPRIVACY, Dialect
from manor.dispatch import Settings
from manor.errors import BadRequest, Conflict, FieldProblem, InternalError, NotFound, StorageFull, TooLarge
from manor.routing import (
    Api,
    Later,
    Live,
    Reply,
    Request,
    Stream,
    Write,
)
from tests.core.dispatching import NOW, Silence, ask, detail, dispatcher, head, route

STRICT = Api("strict", bad_value_status=400)


class Ring(msgspec.Struct):
    door: str
    at: datetime


class Wish(msgspec.Struct):
    message: str
    priority: int = 3
    tags: list[str] = []


class Paging(msgspec.Struct):
    limit: int = 50


async def serve(handler: Callable[..., Any], line: str = "GET /x", body: bytes = b"", **more: Any) -> Any:
    return await ask(dispatcher(route(line, handler, **more)), head(line), body)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


# --- What a handler may return -------------------------------------------------------------------------------------


async def test_a_struct_becomes_json_with_times_in_utc() -> None:
    summer = timezone(timedelta(hours=2))
    reply = await serve(lambda request: Ring("attic", datetime(2026, 5, 1, 14, 0, 0, 250, tzinfo=summer)))
    assert reply.body == b'{"door":"attic","at":"2026-05-01T12:00:00.000250Z"}'
    assert (reply.status, reply.content_type) == (200, "application/json")


async def test_a_routes_status_is_its_structs() -> None:
    assert (await serve(lambda request: Ring("a", NOW), status=201)).status == 201


async def test_a_list_of_structs_is_an_array() -> None:
    reply = await serve(lambda request: [Ring("a", NOW), Ring("b", NOW)])
    assert [ring["door"] for ring in msgspec.json.decode(reply.body)] == ["a", "b"]
    assert (await serve(lambda request: [])).body == b"[]"


async def test_none_is_204_without_a_content_type() -> None:
    reply = await serve(lambda request: None)
    assert (reply.status, reply.body, reply.content_type) == (204, b"", "")
    assert (await serve(lambda request: None, status=202)).status == 202


async def test_a_handler_may_be_async_or_return_an_awaitable() -> None:
    async def later(request: Request) -> Ring:
        await trio.lowlevel.checkpoint()
        return Ring("cellar", NOW)

    assert b"cellar" in (await serve(later)).body
    assert b"cellar" in (await serve(lambda request: later(request))).body


async def test_a_later_is_waited_for(nursery: trio.Nursery) -> None:
    slot = Later()

    async def commit() -> None:
        slot.set(7)

    def handler(request: Request) -> Later:
        nursery.start_soon(commit)
        return slot.map(lambda number: Ring(f"door {number}", NOW))

    assert b"door 7" in (await serve(handler)).body


async def test_a_later_that_is_done_needs_no_waiting() -> None:
    slot = Later()
    slot.set(Ring("attic", NOW))
    assert b"attic" in (await serve(lambda request: slot)).body


async def test_a_later_that_fails_is_worded_in_the_dialect() -> None:
    slot = Later()
    slot.fail(Conflict("The bell is stuck"))
    reply = await serve(lambda request: slot)
    assert (reply.status, detail(reply)) == (409, "The bell is stuck")


async def test_a_pipelining_door_gets_the_later_and_no_exception_from_it() -> None:
    slots = [Later(), Later(), Later()]
    waiting = iter(slots)
    made = dispatcher(route("GET /x", lambda request: next(waiting)))
    answers = []
    for _ in slots:
        call = made.begin(head("GET /x"))
        assert await call.admit() is None
        answers.append(await call.answer_later(b""))
    slots[1].fail(NotFound("No such door"))
    slots[0].set(Ring("attic", NOW))
    slots[2].map(lambda value: 1 / value).set(0)
    assert [answer.is_done for answer in answers if isinstance(answer, Later)] == [True, True, True]
    assert [answer.take().status for answer in answers if isinstance(answer, Later)] == [200, 404, 500]


async def test_a_pipelining_door_gets_everything_else_at_once() -> None:
    call = dispatcher(route("GET /x", lambda request: Ring("a", NOW))).begin(head("GET /x"))
    assert await call.admit() is None
    reply = await call.answer_later(b"")
    assert isinstance(reply, Reply)
    assert reply.status == 200


async def test_what_has_to_be_waited_for_is_handed_to_the_door_to_await() -> None:
    async def slow(request: Request) -> Ring:
        await trio.lowlevel.checkpoint()
        return Ring("attic", NOW)

    async def slow_later(request: Request) -> Later:
        await trio.lowlevel.checkpoint()
        later = Later()
        later.set(Ring("attic", NOW))
        return later

    async def broken(request: Request) -> Ring:
        raise NotFound("No such door")

    made = dispatcher(*(route(f"GET /{each.__name__}", each) for each in (slow, slow_later, broken)))
    found = []
    for name in ("slow", "slow_later", "broken"):
        call = made.begin(head(f"GET /{name}"))
        assert call.admit_now() is None
        waiting = call.answer_now(b"")
        assert isinstance(waiting, Awaitable)
        answer = await waiting
        found.append(answer.take() if isinstance(answer, Later) else answer)
    assert [reply.status for reply in found if isinstance(reply, Reply)] == [200, 200, 404]


async def write_nothing(write: Write) -> None:
    """A stream's body."""


async def test_a_stream_comes_back_with_the_final_headers() -> None:
    stream = await serve(lambda request: Stream(write_nothing, headers={"X-Own": "1", "x-doors": "2"}))
    assert stream.headers == {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "X-Doors": "2",
        "X-Request-Id": "r-1",
        "X-Own": "1",
    }


async def test_a_live_answer_is_never_cached_or_buffered() -> None:
    live = await serve(lambda request: Live(Silence()))
    assert live.headers["Cache-Control"] == "no-cache, no-transform"
    assert live.headers["X-Accel-Buffering"] == "no"
    assert live.headers["X-Request-Id"] == "r-1"


@pytest.mark.parametrize("answer", [{"door": "attic"}, "attic", 3, object()])
async def test_what_is_no_answer_is_500_and_logged(answer: object, logged: list[EventDict]) -> None:
    reply = await serve(lambda request: answer)
    assert reply.status == 500
    assert "is no answer" in str(logged[0]["exc_info"])


# --- Errors --------------------------------------------------------------------------------------------------------


async def test_a_refusal_is_worded_in_the_apis_dialect() -> None:
    def handler(request: Request) -> None:
        raise NotFound("No such door")

    chat = await serve(handler, api=Api("chat", MATTERMOST))
    assert msgspec.json.decode(chat.body)["request_id"] == "r-1"
    stream = await serve(handler, api=Api("stream", BASIC_RESPONSE))
    assert msgspec.json.decode(stream.body) == {"success": False, "message": "No such door"}
    assert (chat.status, stream.status) == (404, 404)


@pytest.mark.parametrize(
    ("refused", "body"),
    [
        (BadRequest("Key exists"), {"error": "Key exists"}),
        (BadRequest("Not that one", code="message"), {"message": "Not that one"}),
        (
            BadRequest("name: is missing", errors=[FieldProblem("name", "is missing")]),
            {"message": {"name": "is missing"}},
        ),
        (BadRequest("body: is wanted", errors=[FieldProblem("", "is wanted")]), {"message": {"body": "is wanted"}}),
    ],
)
async def test_the_host_api_says_why_under_error_or_message(refused: BadRequest, body: dict[str, Any]) -> None:
    def handler(request: Request) -> None:
        raise refused

    answer = await serve(handler, api=Api("host", SELFPRIVACY))

    assert (answer.status, msgspec.json.decode(answer.body)) == (400, body)


async def test_a_handler_that_raises_is_500_and_the_log_names_its_owner(logged: list[EventDict]) -> None:
    failed: list[str] = []

    def handler(request: Request) -> None:
        raise ZeroDivisionError("secret")

    reply = await ask(dispatcher(route("GET /x", handler), on_failure=failed.append), head("GET /x"))
    assert (reply.status, detail(reply)) == (500, "Internal server error")
    assert failed == ["doorbell"]
    (entry,) = logged
    assert (entry["owner"], entry["request_id"], entry["path"]) == ("doorbell", "r-1", "/x")
    assert isinstance(entry["exc_info"], ZeroDivisionError)


async def test_the_text_of_an_internal_error_stays_inside(logged: list[EventDict]) -> None:
    def handler(request: Request) -> None:
        raise InternalError("the key is hunter2")

    assert b"hunter2" not in (await serve(handler)).body
    assert len(logged) == 1


async def test_a_full_disk_is_507_and_logged(logged: list[EventDict]) -> None:
    slot = Later()
    slot.fail(StorageFull("The disk is full"))
    reply = await serve(lambda request: slot)
    assert (reply.status, detail(reply)) == (507, "The disk is full")
    assert logged[0]["event"] == "storage_full"


async def test_a_refusal_out_of_a_nursery_is_still_a_refusal() -> None:
    async def refuse() -> None:
        raise Conflict("Taken")

    async def handler(request: Request) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)

    assert (await serve(handler)).status == 409


async def test_a_dialect_that_fails_costs_its_answer_only(logged: list[EventDict]) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("x")

    reply = await serve(
        lambda request: NotFound("x").headers["no"], api=Api("x", Dialect("broken", "text/plain", broken))
    )
    assert (reply.status, reply.content_type) == (500, "application/json")
    assert {entry["event"] for entry in logged} == {"request_failed", "dialect_failed"}


async def test_a_page_sends_people_without_a_session_to_sign_in() -> None:
    class Nobody:
        is_public = False

        def allows(self, principal: Any) -> bool:
            return False

    reply = await serve(lambda request: None, api=Api("pages", PAGE), access=Nobody())
    assert (reply.status, reply.headers["Location"]) == (302, "/login?next=%2Fx")
    assert "WWW-Authenticate" not in reply.headers


async def test_a_handler_past_its_deadline_is_503(autojump_clock: MockClock) -> None:
    async def handler(request: Request) -> None:
        await trio.sleep_forever()

    reply = await serve(handler, deadline=5)
    assert (reply.status, trio.current_time()) == (503, 5)
    assert (await serve(lambda request: Later(), deadline=5)).status == 503


async def test_an_answer_after_its_deadline_harms_nobody(autojump_clock: MockClock) -> None:
    slot = Later()
    assert (await serve(lambda request: slot, deadline=1)).status == 503
    slot.set(Ring("late", NOW))


async def test_a_door_words_its_own_refusals() -> None:
    call = dispatcher(route("POST /x", lambda request: None, body=bytes)).begin(head("POST /x"))
    reply = call.refuse(TooLarge("The body is over 1 MiB"))
    assert (reply.status, reply.headers["X-Request-Id"]) == (413, "r-1")


async def test_a_path_that_nobody_serves_is_404_in_the_cores_own_words() -> None:
    call = dispatcher(route("GET /x", lambda request: None)).begin(head("GET /nothing"))
    assert (call.route, call.owner, call.body_limit, call.websocket_allowed) == (None, "core", 0, False)
    reply = await call.admit()
    assert reply is not None
    assert (reply.status, detail(reply)) == (404, "Not Found")
    assert (await call.answer(b"")).status == 404  # type: ignore[union-attr]


# --- Bodies and queries --------------------------------------------------------------------------------------------


async def test_a_handler_gets_body_query_and_parameters_decoded() -> None:
    seen: list[Request[Any, Any]] = []
    made = dispatcher(route("POST /doors/{door}", seen.append, body=Wish, query=Paging))
    assert (await ask(made, head("POST /doors/at%20tic?limit=7"), b'{"message":"hi"}')).status == 204
    assert (seen[0].body, seen[0].query, seen[0].params) == (Wish("hi"), Paging(7), {"door": "at tic"})


async def test_a_body_that_cannot_be_taken_never_reaches_the_handler() -> None:
    rings: list[object] = []
    made = dispatcher(route("POST /x", rings.append, body=Wish), route("PUT /x", rings.append, body=Wish, api=STRICT))
    assert (await ask(made, head("POST /x"), b"{")).status == 400
    reply = await ask(made, head("POST /x"), b"{}")
    assert reply.status == 422
    assert msgspec.json.decode(reply.body) == {
        "detail": "message: is missing",
        "errors": [{"field": "message", "message": "is missing"}],
    }
    assert (await ask(made, head("PUT /x"), b"{}")).status == 400
    assert rings == []


async def test_the_query_is_looked_at_after_access_and_before_the_handler() -> None:
    class Nobody:
        is_public = False

        def allows(self, principal: Any) -> bool:
            return False

    rings: list[object] = []
    made = dispatcher(
        route("GET /x", rings.append, query=Paging), route("GET /closed", rings.append, query=Paging, access=Nobody())
    )
    reply = await ask(made, head("GET /x?limit=many"))
    assert msgspec.json.decode(reply.body)["errors"] == [{"field": "limit", "message": "expected an integer"}]
    assert (await ask(made, head("GET /closed?limit=many"))).status == 401
    assert rings == []


async def test_too_many_parameters_are_400() -> None:
    made = dispatcher(route("GET /x", lambda request: None, query=Paging))
    assert (await ask(made, head("GET /x?" + "a&" * 999))).status == 204
    assert (await ask(made, head("GET /x?" + "a&" * 1000))).status == 400


async def test_a_body_is_read_only_where_a_route_takes_one() -> None:
    made = dispatcher(
        route("POST /none", lambda request: None),
        route("POST /some", lambda request: None, body=bytes),
        route("POST /own", lambda request: None, body=Wish, body_limit=99),
        settings=Settings(body_limit=1000),
    )
    limits = [made.begin(head(f"POST /{path}")).body_limit for path in ("none", "some", "own", "missing")]
    assert limits == [0, 1000, 99, 0]


async def test_begin_never_raises() -> None:
    made = dispatcher(route("GET /no"))
    for line in ("", "GET", "GET \x00", "\x00 /", "GET /%", "OPTIONS *", "CONNECT a:1", "GET /no?%ff&=&&;"):
        call = made.begin(head(line))
        assert await call.admit() is not None or call.route is not None


async def test_settings_can_be_changed_while_calls_are_open() -> None:
    made = dispatcher(route("POST /x", lambda request: None, body=bytes))
    before = made.begin(head("POST /x"))
    made.apply(replace(made.settings, body_limit=5))
    assert (before.body_limit, made.begin(head("POST /x")).body_limit) == (1_048_576, 5)


async def test_a_suspended_plugins_routes_are_503_and_stay_its_own() -> None:
    made = dispatcher(route("GET /x"))
    made.suspend("doorbell", "the plugin 'doorbell' is out of order")
    reply = await ask(made, head("GET /x"))
    assert (reply.status, detail(reply)) == (503, "the plugin 'doorbell' is out of order")
    assert (await ask(made, head("POST /x"))).status == 405
