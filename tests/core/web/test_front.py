"""What every answer through the Quart front has, and what it has not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from manor.auth import Kinds
from manor.dispatch import Settings
from manor.errors import Conflict
from manor.routing import GOING_AWAY, Api, Door, Live, Rate, Reply, Request, Route, Stream, Write
from tests.core.web.serving import Fountain, Serve, echo, hello, route


class Counted(msgspec.Struct):
    count: int


async def test_a_route_answers_over_a_real_port(serve: Serve) -> None:
    running = await serve()

    answer = await running.get("/hello")

    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["content-length"] == "5"
    assert "date" in answer.headers
    assert "server" not in answer.headers


async def test_matching_sees_the_path_as_it_was_sent(serve: Serve) -> None:
    def show(request: Request[Any, Any]) -> Reply:
        return Reply(request.params["name"].encode(), content_type="text/plain; charset=utf-8")

    running = await serve(route("GET", "/names/{name}", show))

    assert (await running.get("/names/a%2Fb")).body == b"a/b"
    assert (await running.get("/names/a/b")).status == 404


async def test_the_absolute_form_of_a_target_is_the_same_path(serve: Serve) -> None:
    running = await serve()

    assert (await running.get("http://test/hello")).body == b"hello"


async def test_head_has_the_length_and_no_body(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    head = await client.get("/hello", method="HEAD")
    get = await client.get("/hello")

    assert (head.status, head.headers["content-length"]) == (200, "5")
    assert get.body == b"hello"


async def test_no_content_has_neither_length_nor_type(serve: Serve) -> None:
    running = await serve(route("DELETE", "/thing", lambda request: None))
    client = await running.connect()

    answer = await client.get("/thing", method="DELETE")

    assert answer.status == 204
    assert not {"content-length", "content-type"} & set(answer.headers)
    assert (await client.get("/hello")).body == b"hello"


async def test_a_handler_that_raises_is_a_500_without_its_traceback(serve: Serve) -> None:
    def broken(request: Request[Any, Any]) -> Reply:
        raise RuntimeError("a secret")

    running = await serve(route("GET", "/broken", broken))

    answer = await running.get("/broken")

    assert answer.status == 500
    assert msgspec.json.decode(answer.body) == {"detail": "Internal server error"}


async def test_a_refusal_keeps_its_dialect_and_headers(serve: Serve) -> None:
    def refuse(request: Request[Any, Any]) -> Reply:
        raise Conflict("it is there", headers={"X-Known-As": "doorbell"})

    running = await serve(route("GET", "/refused", refuse))

    answer = await running.get("/refused")

    assert (answer.status, answer.headers["x-known-as"]) == (409, "doorbell")
    assert answer.body == b'{"detail":"it is there"}'


async def test_no_header_value_grows_a_second_header(serve: Serve) -> None:
    def sneaky(request: Request[Any, Any]) -> Reply:
        return Reply(b"", headers={"X-Title": "a\r\nSet-Cookie: b=c", "X-Name": "Zo\u00eb \u2603"})

    running = await serve(route("GET", "/sneaky", sneaky))

    answer = await running.get("/sneaky")

    assert answer.headers["x-title"] == "a  Set-Cookie: b=c"
    assert "set-cookie" not in answer.headers


async def test_several_cookies_are_several_headers(serve: Serve) -> None:
    running = await serve(
        route("GET", "/cookies", lambda request: Reply(b"", headers={"Set-Cookie": "a=1; Path=/\nb=2; Path=/"}))
    )
    client = await running.connect()
    await client.send("GET /cookies HTTP/1.1\r\nHost: test\r\n\r\n")

    head = await client.until(b"\r\n\r\n")

    assert [line for line in head.split(b"\r\n") if b"cookie" in line] == [
        b"set-cookie: a=1; Path=/",
        b"set-cookie: b=2; Path=/",
    ]


async def test_a_request_has_an_id_that_its_answer_tells(serve: Serve) -> None:
    running = await serve()

    first, second = [(await running.get("/hello")).headers["x-request-id"] for _ in range(2)]

    assert len(first) == 26
    assert first != second


# --- Bodies --------------------------------------------------------------------------------------------------------


async def test_a_body_arrives_whole_however_it_is_framed(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nplain")
    plain = await client.answer()
    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n")
    await client.send("4;ext=1\r\nnked\r\n0\r\n\r\n")
    chunked = await client.answer()

    assert (plain.body, chunked.body) == (b"plain", b"chunked")


async def test_json_that_is_not_utf8_is_a_400(serve: Serve) -> None:
    running = await serve(route("POST", "/counted", lambda request: request.body, body=Counted))
    client = await running.connect()

    await client.send(b'POST /counted HTTP/1.1\r\nHost: test\r\nContent-Length: 13\r\n\r\n{"count": "\xff"}')

    assert (await client.answer()).status == 400


async def test_a_body_that_announces_too_much_is_refused_unread(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100001\r\n\r\n")
    answer = await client.answer()

    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert await client.rest() == b""


async def test_a_chunked_body_is_refused_once_it_passes_the_limit(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()
    chunk = b"fa00\r\n" + b"x" * 64_000 + b"\r\n"

    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2)
    answer = await client.answer()

    assert (answer.status, answer.headers["connection"]) == (413, "close")
    await client.rest()


async def test_a_413_reaches_a_client_that_goes_on_sending(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def flood() -> None:
            try:
                await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000\r\n\r\n")
                for _ in range(90):
                    await client.send(b"x" * 100_000)
            except trio.BrokenResourceError:
                pass

        answer = await client.answer()
        nursery.cancel_scope.cancel()

    assert answer.status == 413


async def test_what_a_client_still_sends_after_its_413_is_taken_for_a_moment(serve: Serve) -> None:
    running = await serve(connection={"linger": 5})
    client = await running.connect()
    await client.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000\r\n\r\n")
    await client.answer()
    await client.rest()

    for _ in range(50):
        await client.send(b"x" * 65_536)


async def test_a_client_that_waits_for_100_is_told_to_go_on(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    interim = await client.head()
    await client.send("later")

    assert interim.status == 100
    assert (await client.answer()).body == b"later"


@pytest.mark.parametrize(
    ("line", "length", "status"),
    [
        ("PUT /echo", 5, 405),
        ("POST /nothing", 5, 404),
        ("POST /keyed", 5, 401),
        ("POST /echo", 100_001, 413),
        ("POST /counted", 5, 429),
        ("POST /bodiless", 5, 200),
        ("POST /bare", 100_001, 413),
    ],
)
async def test_nobody_is_told_to_send_a_body_that_is_not_read(
    serve: Serve, line: str, length: int, status: int
) -> None:
    keyed = Api("keyed", kinds=frozenset(("key",)))
    running = await serve(
        Route("POST", "/keyed", hello, api=keyed, access=Kinds("key"), body=bytes),
        route("POST", "/counted", hello, body=bytes, rate=Rate(1)),
        route("POST", "/bodiless", hello),
        route("POST", "/bare", hello, body=bytes, body_limit=100_000, door=Door.BARE),
    )
    if status == 429:
        await running.get("/counted", method="POST")
    client = await running.connect()

    await client.send(f"{line} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n")
    answer = await client.answer()

    assert (answer.status, answer.headers["connection"]) == (status, "close")


async def test_a_bare_route_tells_a_waiting_client_to_go_on(serve: Serve) -> None:
    running = await serve(route("POST", "/bare", echo, body=bytes, door=Door.BARE))
    client = await running.connect()

    await client.send("POST /bare HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    interim = await client.head()
    await client.send("later")

    assert (interim.status, (await client.answer()).body) == (100, b"later")


# --- Streams -------------------------------------------------------------------------------------------------------


async def test_a_stream_is_written_bit_by_bit(serve: Serve) -> None:
    go_on = trio.Event()

    async def write_slowly(write: Write) -> None:
        await write(b"one")
        await go_on.wait()
        await write(b"two")

    running = await serve(route("GET", "/stream", lambda request: Stream(write_slowly, content_type="text/plain")))
    client = await running.connect()
    await client.send("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n")

    head = await client.head()
    first = await client.until(b"one\r\n")
    go_on.set()
    rest = await client.until(b"0\r\n\r\n")

    assert head.headers["content-type"] == "text/plain"
    assert (first, rest) == (b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n")


async def test_a_stream_that_breaks_is_cut_rather_than_ended(serve: Serve) -> None:
    async def break_down(write: Write) -> None:
        await write(b"half")
        raise OSError("the disk is gone")

    running = await serve(route("GET", "/stream", lambda request: Stream(break_down)))

    sent = await running.raw("GET /stream HTTP/1.1\r\nHost: test\r\n\r\n")

    assert sent.endswith(b"4\r\nhalf\r\n")


async def test_a_subscription_is_an_event_stream(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain, cursor=7)))
    client = await running.connect()
    await client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n")

    head = await client.head()
    fountain.tell(b"data: one\n\n")
    event = await client.until(b"data: one\n\n\r\n")
    fountain.tell(GOING_AWAY)
    end = await client.until(b"0\r\n\r\n")

    assert head.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert head.headers["cache-control"] == "no-cache, no-transform"
    assert head.headers["x-accel-buffering"] == "no"
    assert head.headers["transfer-encoding"] == "chunked"
    assert (event, end) == (b"b\r\ndata: one\n\n\r\n", b"0\r\n\r\n")
    assert fountain.cursors == [7]
    assert (await client.get("/hello")).body == b"hello"


async def test_a_subscriber_that_leaves_is_detached_at_once(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)))
    client = await running.connect()
    await client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
    await client.head()

    await client.stream.aclose()

    await fountain.count(0)


async def test_head_of_a_subscription_opens_none(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)))
    client = await running.connect()

    answer = await client.get("/events", method="HEAD")

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert fountain.cursors == []


# --- Before Quart --------------------------------------------------------------------------------------------------


async def test_a_bare_route_gets_the_same_request_and_gives_the_same_answers(serve: Serve) -> None:
    def show(request: Request[bytes, Any]) -> Reply:
        return Reply(b" ".join([request.params["name"].encode(), request.body]), content_type="text/plain")

    running = await serve(
        *[
            route("POST", f"/{door.value}/{{name}}", show, body=bytes, body_limit=10, door=door)
            for door in (Door.BARE, Door.FRAMED)
        ]
    )
    client = await running.connect()
    answers = []
    for path in ("/bare/a", "/framed/a"):
        await client.send(f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody")
        answers.append(await client.answer())

    bare, framed = answers
    assert bare.body == framed.body == b"a body"
    assert set(bare.headers) == set(framed.headers)


async def test_a_bare_route_keeps_its_body_limit(serve: Serve) -> None:
    running = await serve(route("POST", "/bare", lambda request: None, body=bytes, body_limit=10, door=Door.BARE))
    client = await running.connect()

    await client.send("POST /bare HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n")

    assert (await client.answer()).status == 413


async def test_a_bare_stream_ends_when_its_client_leaves(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain), door=Door.BARE))
    client = await running.connect()
    await client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
    await client.head()
    await fountain.count(1)

    await client.stream.aclose()

    await fountain.count(0)


# --- Proxies -------------------------------------------------------------------------------------------------------


async def test_only_a_trusted_proxy_says_who_asks(serve: Serve) -> None:
    def show(request: Request[Any, Any]) -> Reply:
        return Reply(f"{request.head.address} {request.head.scheme} {request.head.request_id}".encode())

    from ipaddress import ip_network

    routes = route("GET", "/who", show)
    trusting = await serve(routes, web={"trusted_proxies": [ip_network("127.0.0.0/8")]})
    wary = await serve(routes)
    headers = ("X-Forwarded-For: 198.51.100.7, 203.0.113.9", "X-Forwarded-Proto: https", "X-Request-Id: abc")

    through = await trusting.get("/who", headers=headers)
    around = await wary.get("/who", headers=headers)

    assert through.body == b"203.0.113.9 https abc"
    assert around.body.startswith(b"127.0.0.1 http ")
    assert b"abc" not in around.body


async def test_an_address_behind_a_proxy_has_so_many_requests_at_once(serve: Serve) -> None:
    from ipaddress import ip_network

    fountain = Fountain()
    running = await serve(
        route("GET", "/events", lambda request: Live(fountain)),
        web={"trusted_proxies": [ip_network("127.0.0.1/32")], "requests_per_address": 1},
    )
    client = await running.connect()
    await client.send("GET /events HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
    await client.head()

    same = await running.get("/hello", headers=["X-Forwarded-For: 203.0.113.9"])
    other = await running.get("/hello", headers=["X-Forwarded-For: 203.0.113.10"])

    assert (same.status, other.status) == (429, 200)


async def test_what_a_request_was_answered_with_is_told(serve: Serve) -> None:
    told: list[tuple[str, int]] = []

    def observe(call: Any, status: int, seconds: float) -> None:
        told.append((call.head.path, status))

    running = await serve(web={"observe": observe})
    client = await running.connect()
    await client.get("/hello")
    await client.get("/nowhere")
    await client.get("/hello")

    assert told[:2] == [("/hello", 200), ("/nowhere", 404)]


async def test_pages_of_other_origins_are_let_in_as_configured(serve: Serve) -> None:
    running = await serve(settings=Settings(cors_origins=("https://app.example.org",)))

    answer = await running.get("/hello", headers=["Origin: https://app.example.org"])

    assert answer.headers["access-control-allow-origin"] == "https://app.example.org"
