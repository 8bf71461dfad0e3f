"""Answers without a task: the same ones, for fewer requests than look like it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import trio

from manor.auth import ADMIN, Bearer
from manor.daemon import HeadLimits
from manor.daemon.at_once import read_plain_get, render_head
from manor.errors import NotFound
from manor.route_faults import route_faults
from manor.routing import Api, Door, Rate, Reply, Request, Route, Stream, Write
from tests.core.web.serving import API, PATIENCE, Count, Serve, route

HEAD = b"GET /quick/a?b=c HTTP/1.1\r\nHost: test\r\n"
LARGE = bytes(range(256)) * 20_000
OPEN = Api("open", API.dialect, places=())


@pytest.fixture
def is_fronted() -> bool:
    """These are hypercorn's own quick ways."""
    return False


def quick(path: str, handler: Any, **more: Any) -> Route:
    return Route("GET", path, handler, api=OPEN, access=route("GET", "/", handler).access, door=Door.AT_ONCE, **more)


def show(request: Request) -> Reply:
    said = [request.head.method, request.params["name"], request.head.query_string.decode(), request.head.scheme]
    return Reply(" ".join(said).encode(), content_type="text/plain", headers={"X-Own": "1"})


def large(request: Request) -> Reply:
    return Reply(LARGE, content_type="video/mp2t")


def broken(request: Request) -> Reply:
    raise OSError("the disk is gone")


# --- Which requests ------------------------------------------------------------------------------------------------


def test_a_plain_get_is_read() -> None:
    request = read_plain_get(HEAD + b"X-A:  b \r\nConnection: Keep-Alive\r\n\r\n", HeadLimits())

    assert request is not None
    assert (request.raw_path, request.query_string) == (b"/quick/a", b"b=c")
    assert request.headers == [(b"host", b"test"), (b"x-a", b"b"), (b"connection", b"Keep-Alive")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\r",
        HEAD + b"\r\n" + HEAD + b"\r\n",
        HEAD + b"\r\nbody",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Expect: 100-continue\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"Connection: keep-alive, close\r\n\r\n",
        HEAD + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        HEAD + b"Host: other\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
        HEAD.replace(b"1.1", b"1.0") + b"\r\n",
        HEAD.replace(b"1.1", b"2.0") + b"\r\n",
        HEAD.replace(b"/quick", b"http://test/quick") + b"\r\n",
        HEAD.replace(b"GET", b"HEAD") + b"\r\n",
        HEAD.replace(b"?", b" ") + b"\r\n",
        b"GET /quick/a HTTP/1.1\r\n\r\n",
        b"GET /quick/\x00 HTTP/1.1\r\nHost: test\r\n\r\n",
    ],
)
def test_every_other_request_takes_the_usual_way(data: bytes) -> None:
    assert read_plain_get(data, HeadLimits()) is None


def test_no_header_name_ends_a_line() -> None:
    with pytest.raises(ValueError, match="no header's name"):
        render_head(200, b"OK", [(b"x: 1\r\ny", b"2")])


@pytest.mark.parametrize(
    "wrong",
    [
        Route("POST", "/x", show, api=OPEN, access=quick("/", show).access, door=Door.AT_ONCE),
        Route("GET", "/x", show, api=OPEN, access=ADMIN, door=Door.AT_ONCE),
        quick("/x", trio.sleep),
        quick("/x", show, body=bytes),
        quick("/x", show, places=(Bearer(),)),
    ],
)
def test_a_route_that_cannot_be_answered_at_once_is_refused(wrong: Route) -> None:
    assert any("answered at once" in fault for fault in route_faults(wrong))


# --- The answers ---------------------------------------------------------------------------------------------------


async def test_the_answer_is_the_same_without_a_task_and_with_one(serve: Serve) -> None:
    noted = Count()
    running = await serve(
        quick("/quick/{name}", show), web={"observe": lambda call, status, seconds: noted.set(noted.value + status)}
    )
    client = await running.connect()

    first = await client.get("/quick/a?b=c")
    # An empty body is one to be read: this request has a task.
    second = await client.get("/quick/a?b=c", headers=["Content-Length: 0"])

    assert first.status == second.status == 200
    assert first.body == second.body == b"GET a b=c http"
    assert list(first.headers) == list(second.headers)
    assert first.headers["x-own"] == "1"
    assert "date" in first.headers
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    await noted.reaches(400)


async def test_a_plain_get_has_no_task_of_its_own(serve: Serve) -> None:
    tasks: list[trio.lowlevel.Task] = []

    def note(request: Request) -> Reply:
        tasks.append(trio.lowlevel.current_task())
        return Reply()

    running = await serve(quick("/quick", note))
    client = await running.connect()

    await client.get("/quick")
    await client.get("/quick")
    await client.get("/quick", headers=["Content-Length: 0"])

    assert tasks[0] is tasks[1] is not tasks[2]


async def test_requests_that_are_not_plain_are_answered_as_ever(serve: Serve) -> None:
    running = await serve(quick("/quick/{name}", show))
    client = await running.connect()

    await client.send(HEAD[:20])
    await trio.testing.wait_all_tasks_blocked(0.01)
    await client.send(HEAD[20:] + b"\r\n")
    halves = await client.answer()
    await client.send((HEAD + b"\r\n") * 3)
    pipelined = [await client.answer() for _ in range(3)]
    head = await client.get("/quick/a", method="HEAD")
    escaped = await client.get("/%71uick/a")
    wrong_method = await client.get("/quick/a", method="DELETE")
    options = await client.get("/quick/a", method="OPTIONS")
    neighbour = await client.get("/quickly")
    old = await running.raw("GET /quick/a HTTP/1.0\r\n\r\n")
    last = await running.raw(HEAD + b"Connection: close\r\n\r\n")
    folded = await running.raw(HEAD + b" folded\r\n\r\n")

    assert halves.body == b"GET a b=c http"
    assert [answer.body for answer in pipelined] == [b"GET a b=c http"] * 3
    assert (head.status, head.headers["content-length"]) == (200, "12")
    assert escaped.body == b"GET a  http"
    assert [wrong_method.status, options.status, neighbour.status] == [405, 204, 404]
    assert old.endswith(b"GET a  http")
    assert last.endswith(b"GET a b=c http")
    assert folded.startswith(b"HTTP/1.1 400 ")


async def test_refusals_and_faults_are_worded_and_the_connection_goes_on(serve: Serve) -> None:
    async def write_nothing(write: Write) -> None:
        """A stream's body."""

    def missing(request: Request) -> Reply:
        raise NotFound("There is no such thing")

    running = await serve(
        quick("/quick/limited", lambda request: Reply(b"once"), rate=Rate(1)),
        quick("/quick/missing", missing),
        quick("/quick/broken", broken),
        quick("/quick/stream", lambda request: Stream(write_nothing)),
    )
    client = await running.connect()

    answers = [await client.get(f"/quick/{name}") for name in ("limited", "limited", "missing", "broken", "stream")]

    assert [answer.status for answer in answers] == [200, 429, 404, 500, 500]
    assert answers[2].body == b'{"detail":"There is no such thing"}'
    assert b"disk" not in answers[3].body
    assert (await client.get("/hello")).body == b"hello"


async def test_an_answer_that_cannot_be_sent_ends_its_connection_only(serve: Serve) -> None:
    running = await serve(
        quick("/quick/bad", lambda request: Reply(headers={"X: 1\r\nY": "2"})), quick("/quick/{name}", show)
    )

    assert await running.raw("GET /quick/bad HTTP/1.1\r\nHost: test\r\n\r\n") == b""
    assert (await running.get("/quick/a")).status == 200


async def test_values_cannot_end_their_line(serve: Serve) -> None:
    running = await serve(quick("/quick", lambda request: Reply(headers={"X-A": "1\r\nX-B: 2"})))

    answer = await running.get("/quick")

    assert answer.headers["x-a"] == "1  X-B: 2"


async def test_no_content_has_no_body_and_no_length(serve: Serve) -> None:
    running = await serve(
        quick("/quick/204", lambda request: Reply(b"x", 204, "")), quick("/quick/304", lambda request: Reply(b"x", 304))
    )
    client = await running.connect()

    answers = [await client.get(f"/quick/{status}") for status in (204, 304)]

    assert [answer.status for answer in answers] == [204, 304]
    assert not any("content-length" in answer.headers for answer in answers)
    assert (await client.get("/hello")).body == b"hello"


async def test_a_large_answer_comes_whole(serve: Serve) -> None:
    running = await serve(quick("/quick", large))
    client = await running.connect()

    assert [(await client.get("/quick")).body == LARGE for _ in range(3)] == [True] * 3


async def test_a_large_answer_with_a_task_comes_whole(serve: Serve) -> None:
    running = await serve(route("GET", "/framed", large))
    client = await running.connect()

    assert [(await client.get("/framed")).body == LARGE for _ in range(3)] == [True] * 3


# --- Limits --------------------------------------------------------------------------------------------------------


async def test_a_client_that_takes_nothing_is_cut_after_the_write_time(serve: Serve) -> None:
    running = await serve(quick("/quick", large), connection={"write": 0.2})
    client = await running.connect()
    await client.send("GET /quick HTTP/1.1\r\nHost: test\r\n\r\n")

    await running.connections.reaches(1)
    await running.connections.reaches(0)


async def test_a_client_that_leaves_in_the_middle_is_let_go(serve: Serve) -> None:
    running = await serve(quick("/quick", large))
    client = await running.connect()
    await client.send("GET /quick HTTP/1.1\r\nHost: test\r\n\r\n")
    await client.head()

    await client.stream.aclose()

    await running.connections.reaches(0)


async def test_a_slow_client_keeps_nobody_waiting(serve: Serve) -> None:
    running = await serve(quick("/quick", large))
    slow = await running.connect()
    await slow.send("GET /quick HTTP/1.1\r\nHost: test\r\n\r\n")
    await slow.head()

    assert (await running.get("/quick")).body == LARGE
    assert await slow.exactly(len(LARGE)) == LARGE


async def test_a_connection_has_so_many_requests(serve: Serve) -> None:
    running = await serve(quick("/quick/{name}", show), connection={"keep_alive_max_requests": 2})
    client = await running.connect()

    answers = [await client.get("/quick/a") for _ in range(3)]

    assert ["connection" in answer.headers for answer in answers] == [False, False, True]
    assert await client.rest() == b""


async def test_an_idle_connection_closes_after_keep_alive(serve: Serve) -> None:
    running = await serve(quick("/quick/{name}", show), connection={"keep_alive": 0.1, "header": 60})
    client = await running.connect()

    await client.get("/quick/a")

    assert await client.rest() == b""


async def test_requests_of_an_address_behind_a_proxy_are_counted(serve: Serve) -> None:
    running = await serve(
        quick("/quick", large),
        web={"requests_per_address": 1, "trusted_proxies": [ip_network("127.0.0.1/32")]},
    )
    first, second = await running.connect(), await running.connect()
    ask = "GET /quick HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
    await first.send(ask)
    await first.head()

    await second.send(ask)
    refused = await second.answer()
    await first.exactly(len(LARGE))
    await second.send(ask)

    assert refused.status == 429
    assert (await second.answer()).status == 200


async def test_a_stop_lets_an_answer_be_read_to_its_end(serve: Serve) -> None:
    running = await serve(quick("/quick", large))
    client = await running.connect()
    await client.send("GET /quick HTTP/1.1\r\nHost: test\r\n\r\n")
    await client.head()

    running.stop.set()
    body = await client.exactly(len(LARGE))

    assert body == LARGE
    with trio.fail_after(PATIENCE):
        await running.ended.wait()
