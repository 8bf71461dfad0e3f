"""Clients that are slow, silent, gone or too many, over a real port. Each fault was seen in the stack once."""

from __future__ import annotations

import socket as stdlib_socket
from pathlib import Path
from typing import Any

import pytest
import trio
from wsproto.events import AcceptConnection

from manor.routing import Closing, Live, Outlet, Reply, Request, Stream, Upgrade, Write
from manor.web import BodyTimes
from tests.core.web.serving import PATIENCE, Client, Count, Fountain, Running, Serve, route


async def closes(client: Client, *, after: float, slack: float = 2.0) -> bytes:
    """What the client got until the server closed, which it must not do before `after` seconds."""
    start = trio.current_time()
    said = await client.rest(after + slack)
    assert trio.current_time() - start >= after * 0.9
    return said


async def sluggish(running: Running) -> Client:
    """A client whose receive buffer is as small as the kernel allows, and which never reads."""
    sock = trio.socket.socket()
    sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_RCVBUF, 1)
    host, _, port = running.address.rpartition(":")
    await sock.connect((host, int(port)))
    client = Client(trio.SocketStream(sock))
    running.clients.append(client)
    return client


class Flood:
    """A source that never stops writing."""

    outlet: Outlet

    def __init__(self) -> None:
        self.chunks = Count()
        self.is_left = trio.Event()

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        self.outlet = outlet

    def detach(self, outlet: Outlet) -> None:
        self.is_left.set()

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        while True:
            self.chunks.increase()
            await write(b"x" * 65_536)


def flood(chunks: Count) -> Any:
    async def write_on(write: Write) -> None:
        await write(b"begin")
        while True:
            chunks.increase()
            await write(b"x" * 65_536)

    return route("GET", "/flood", lambda request: Stream(write_on))


# --- Idle connections ----------------------------------------------------------------------------------------------


async def test_an_idle_connection_closes_after_keep_alive(serve: Serve) -> None:
    running = await serve(connection={"keep_alive": 0.2})
    client = await running.connect()

    await client.get("/hello")

    assert await closes(client, after=0.2) == b""


async def test_a_connection_is_kept_for_the_next_request(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()

    answers = [await client.get("/hello") for _ in range(3)]
    await client.send("GET /hello HTTP/1.1\r\nHost: test\r\n\r\n" * 3)
    pipelined = [await client.answer() for _ in range(3)]

    assert [answer.body for answer in answers + pipelined] == [b"hello"] * 6


async def test_connection_close_is_honoured(serve: Serve) -> None:
    running = await serve()

    said = await running.raw("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")

    assert said.endswith(b"\r\n\r\nhello")


async def test_http_1_0_is_answered_and_closed(serve: Serve) -> None:
    running = await serve()

    said = await running.raw("GET /hello HTTP/1.0\r\n\r\n")

    assert said.endswith(b"\r\n\r\nhello")


async def test_a_connection_has_so_many_requests(serve: Serve) -> None:
    running = await serve(connection={"keep_alive_max_requests": 2})
    client = await running.connect()

    kept = await client.get("/hello")
    last = await client.get("/hello")

    assert ("connection" in kept.headers, last.headers["connection"]) == (False, "close")
    assert await client.rest() == b""


# --- Slow clients --------------------------------------------------------------------------------------------------


async def test_a_client_that_says_nothing_is_closed_after_the_header_time(serve: Serve) -> None:
    running = await serve(connection={"header": 0.2})

    assert await closes(await running.connect(), after=0.2) == b""


async def test_a_head_that_drips_is_closed_after_the_header_time(serve: Serve) -> None:
    running = await serve(connection={"header": 0.3})
    client = await running.connect()
    await client.get("/hello")
    start = trio.current_time()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def drip() -> None:
            try:
                await client.send("GET /hello HTTP/1.1\r\nHost: test\r\nX-A: ")
                while True:
                    await client.send("b")
                    await trio.sleep(0.02)
            except trio.BrokenResourceError:
                pass

        await client.rest(3)
        nursery.cancel_scope.cancel()

    assert 0.25 <= trio.current_time() - start < 2


async def test_a_body_that_stops_is_a_408_and_a_closed_connection(serve: Serve) -> None:
    running = await serve(web={"body_times": BodyTimes(idle=0.2)}, connection={"linger": 0.3})
    client = await running.connect()
    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhal")

    answer = await client.answer()

    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert b"in time" in answer.body
    assert await client.rest(1) == b""


async def test_a_body_that_drips_is_a_408_too(serve: Serve) -> None:
    running = await serve(web={"body_times": BodyTimes(idle=0.3, slowest=500)})
    client = await running.connect()
    await client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n")

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def drip() -> None:
            try:
                while True:
                    await client.send("b")
                    await trio.sleep(0.02)
            except trio.BrokenResourceError:
                pass

        answer = await client.answer()
        nursery.cancel_scope.cancel()

    assert answer.status == 408


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_a_client_that_stops_reading_is_cut_after_the_write_time(serve: Serve, tmp_path: Path, kind: str) -> None:
    chunks = Count()
    address = {"bind": f"unix:{tmp_path}/http.sock"} if kind == "unix" else {}
    running = await serve(flood(chunks), connection={"write": 0.2}, **address)
    client = Client(await trio.open_unix_socket(f"{tmp_path}/http.sock")) if kind == "unix" else await sluggish(running)
    running.clients.append(client)

    await client.send("GET /flood HTTP/1.1\r\nHost: test\r\n\r\n")

    await chunks.passes(1)
    with trio.fail_after(1):
        await running.connections.reaches(0)


@pytest.mark.parametrize("kind", ["events", "websocket"])
async def test_a_subscriber_that_reads_nothing_is_dropped_as_soon_as_its_source_says_so(
    serve: Serve, kind: str
) -> None:
    source = Flood()
    running = await serve(
        route("GET", "/events", lambda request: Live(source), websocket=Upgrade.YES), connection={"write": 60}
    )
    client = await sluggish(running)
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    more = upgrade + key if kind == "websocket" else ""
    await client.send(f"GET /events HTTP/1.1\r\nHost: test\r\n{more}\r\n")
    await source.chunks.passes(1)

    source.outlet.gone()

    with trio.fail_after(PATIENCE):
        await source.is_left.wait()
    await running.connections.reaches(0)
    assert b"xxxxxxxx" in await client.rest(), "what the kernel had taken by then arrives"


async def test_a_long_answer_is_not_cut_while_its_client_reads(serve: Serve) -> None:
    body = b"x" * 8_000_000
    running = await serve(
        route("GET", "/long", lambda request: Reply(body, content_type="text/plain")), connection={"write": 0.2}
    )
    client = await running.connect()
    await client.send("GET /long HTTP/1.1\r\nHost: test\r\n\r\n")

    await client.head()
    for _ in range(20):
        await client.exactly(400_000)
        await trio.sleep(0.02)


# --- Too many ------------------------------------------------------------------------------------------------------


async def test_an_address_has_so_many_connections(serve: Serve) -> None:
    running = await serve(limits={"connections_per_address": 2})
    kept = [await running.connect() for _ in range(2)]
    for client in kept:
        await client.get("/hello")

    refused = await (await running.connect()).rest()
    await trio.aclose_forcefully(kept[0].stream)
    await running.connections.reaches(1)

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert (await running.get("/hello")).status == 200


async def test_the_server_has_so_many_connections(serve: Serve) -> None:
    running = await serve(limits={"connections": 1, "connections_per_address": 0})
    await (await running.connect()).get("/hello")

    assert (await (await running.connect()).rest()).startswith(b"HTTP/1.1 503 ")


async def test_connections_of_a_trusted_proxy_are_not_counted_per_address(serve: Serve) -> None:
    from ipaddress import ip_network

    running = await serve(limits={"connections_per_address": 1, "trusted_proxies": [ip_network("127.0.0.1/32")]})

    clients = [await running.connect() for _ in range(3)]

    assert [(await client.get("/hello")).status for client in clients] == [200] * 3


# --- Gone ----------------------------------------------------------------------------------------------------------


async def test_a_handler_of_a_client_that_left_does_not_keep_the_connection(serve: Serve) -> None:
    started = trio.Event()

    async def ponder(request: Request[Any, Any]) -> None:
        started.set()
        await trio.sleep_forever()

    running = await serve(route("GET", "/ponder", ponder))
    client = await running.connect()
    await client.send("GET /ponder HTTP/1.1\r\nHost: test\r\n\r\n")
    await started.wait()

    await client.stream.aclose()

    await running.connections.reaches(0)


async def test_a_client_that_pipelines_behind_a_stream_and_leaves_is_let_go(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)))
    client = await running.connect()
    await client.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n")
    await client.head()
    await fountain.count(1)

    await client.stream.aclose()
    fountain.tell(b"data: are you there?\n\n")
    fountain.tell(b"data: still there?\n\n")
    await running.connections.reaches(0)

    assert fountain.attached == []


async def test_garbage_ends_its_own_connection_only(serve: Serve) -> None:
    running = await serve()

    said = await running.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)))

    assert said.startswith(b"HTTP/1.1 400 ")
    assert (await running.get("/hello")).status == 200


# --- The stop ------------------------------------------------------------------------------------------------------


async def stopped(running: Running, *, within: float) -> None:
    running.stop.set()
    with trio.fail_after(within):
        await running.ended.wait()


async def test_a_stop_closes_idle_connections_at_once(serve: Serve) -> None:
    running = await serve()
    clients = [await running.connect() for _ in range(3)]
    for client in clients[:2]:
        await client.get("/hello")

    await stopped(running, within=1)

    assert [await client.rest() for client in clients] == [b""] * 3


async def test_a_stop_lets_requests_finish_and_takes_no_new_ones(serve: Serve) -> None:
    started, go_on = trio.Event(), trio.Event()

    async def ponder(request: Request[Any, Any]) -> Reply:
        started.set()
        await go_on.wait()
        return Reply(b"done")

    running = await serve(route("GET", "/ponder", ponder))
    client = await running.connect()
    await client.send("GET /ponder HTTP/1.1\r\nHost: test\r\n\r\n")
    await started.wait()

    running.stop.set()
    await trio.testing.wait_all_tasks_blocked(0.01)
    with pytest.raises(OSError, match="connect"):
        await running.connect()
    go_on.set()

    assert (await client.rest()).endswith(b"\r\n\r\ndone")
    await stopped(running, within=1)


async def test_a_stop_ends_streams_cleanly_and_sockets_with_1001(serve: Serve) -> None:
    fountain = Fountain()
    live = [
        route("GET", path, lambda request: Live(fountain), websocket=upgrade)
        for path, upgrade in (("/events", Upgrade.NO), ("/ws", Upgrade.ONLY))
    ]
    running = await serve(*live, limits={"connections_per_address": 0})
    streams = [await running.connect() for _ in range(10)]
    for stream in streams:
        await stream.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
        await stream.head()
    socket = await running.socket()
    assert isinstance(await socket.open("/ws"), AcceptConnection)

    running.stop.set()

    assert [await stream.rest() for stream in streams] == [b"0\r\n\r\n"] * 10
    closed = await socket.closing()
    assert (closed.code, closed.reason) == (1001, "server is shutting down")
    await socket.send(closed.response())
    await stopped(running, within=2)


async def test_a_client_that_never_reads_does_not_hold_up_the_stop(serve: Serve) -> None:
    chunks = Count()
    running = await serve(flood(chunks), limits={"graceful_timeout": 0.2})
    client = await sluggish(running)
    await client.send("GET /flood HTTP/1.1\r\nHost: test\r\n\r\n")
    await chunks.passes(1)

    await stopped(running, within=2)
