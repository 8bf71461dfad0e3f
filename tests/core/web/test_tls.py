"""TLS and HTTP/2: spoken without a proxy, renewed without a restart."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, WindowUpdated
from wsproto.events import AcceptConnection

from manor.auth import PUBLIC
from manor.daemon import Tls
from manor.incoming import BrokenOff
from manor.routing import GOING_AWAY, Api, Door, Incoming, Live, Reply, Request, Route, Upgrade
from tests.core.web.serving import PATIENCE, Client, Fountain, Running, Serve, SocketClient, route

CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.fixture
def is_fronted() -> bool:
    """TLS is hypercorn's, with or without the front door beside it."""
    return True


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    for kind in ("cert", "key"):
        shutil.copy(CERTIFICATES / f"first.{kind}.pem", tmp_path / f"{kind}.pem")
    return Tls(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


async def secure(running: Running, *alpn: str, certificate: str = "first") -> Client:
    client = await running.connect()
    context = ssl.create_default_context(cafile=str(CERTIFICATES / f"{certificate}.cert.pem"))
    context.set_alpn_protocols(alpn)
    stream = trio.SSLStream(client.stream, context, server_hostname=f"{certificate}.test", https_compatible=True)
    with trio.fail_after(PATIENCE):
        await stream.do_handshake()
    client.stream = stream
    return client


class Http2Client:
    """One HTTP/2 connection, for which h2 speaks."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.protocol = H2Connection(config=H2Configuration(header_encoding="utf-8"))
        self.protocol.initiate_connection()
        self.events: list[Any] = []

    async def flush(self) -> None:
        await self.client.send(self.protocol.data_to_send())

    async def ask(
        self, path: str, *, method: str = "GET", more: Sequence[tuple[str, str]] = (), ends: bool = True
    ) -> int:
        stream_id = self.protocol.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":authority", "first.test"), (":scheme", "https"), *more]
        self.protocol.send_headers(stream_id, headers, end_stream=ends)
        await self.flush()
        return stream_id

    async def body(self) -> DataReceived:
        """The next piece of a body that is not empty."""
        while not (event := await self.until(DataReceived)).data:
            pass
        assert isinstance(event, DataReceived)
        return event

    async def until(self, kind: type[Any]) -> Any:
        """The next event of that kind; those before it are kept in `events`."""
        with trio.fail_after(PATIENCE):
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if isinstance(event, kind):
                        return event
                data = await self.client.stream.receive_some(65536)
                assert data, "ended"
                self.events.extend(self.protocol.receive_data(bytes(data)))
                await self.flush()


async def http2(running: Running) -> Http2Client:
    client = await secure(running, "h2")
    assert client.stream.selected_alpn_protocol() == "h2"
    return Http2Client(client)


async def test_http_1_is_spoken_over_tls(serve: Serve, tls: Tls) -> None:
    running = await serve(route("GET", "/scheme", lambda request: Reply(request.head.scheme.encode())), tls=tls)
    client = await secure(running, "http/1.1")

    assert (await client.get("/scheme")).body == b"https"
    assert (await client.get("/hello")).body == b"hello"


async def test_a_websocket_is_spoken_over_tls(serve: Serve, tls: Tls) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/ws", lambda request: Live(fountain), websocket=Upgrade.ONLY), tls=tls)
    socket = SocketClient(await secure(running))

    assert isinstance(await socket.open("/ws"), AcceptConnection)
    fountain.tell(GOING_AWAY)

    assert (await socket.closing()).code == 1001


async def test_http_2_is_agreed_to_and_answers_several_at_once(serve: Serve, tls: Tls) -> None:
    asked, go_on = trio.Event(), trio.Event()

    async def wait(request: Request[Any, Any]) -> Reply:
        asked.set()
        await go_on.wait()
        return Reply(b"later")

    running = await serve(route("GET", "/wait", wait), tls=tls)
    client = await http2(running)

    slow = await client.ask("/wait")
    await asked.wait()
    fast = await client.ask("/hello")
    first = await client.body()
    go_on.set()
    second = await client.body()

    assert (first.stream_id, first.data) == (fast, b"hello")
    assert (second.stream_id, second.data) == (slow, b"later")


async def test_cookies_that_http_2_splits_are_one_again(serve: Serve, tls: Tls) -> None:
    running = await serve(
        route("GET", "/cookie", lambda request: Reply((request.headers.get("cookie") or "").encode())), tls=tls
    )
    client = await http2(running)

    await client.ask("/cookie", more=[("cookie", "a=1"), ("cookie", "b=2")])

    assert (await client.body()).data == b"a=1; b=2"


async def test_an_event_stream_over_http_2_ends_cleanly(serve: Serve, tls: Tls) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)), tls=tls)
    client = await http2(running)
    await client.ask("/events")

    await client.until(ResponseReceived)
    fountain.tell(b"data: one\n\n")
    event = await client.body()
    running.stop.set()
    await client.until(StreamEnded)
    await client.until(ConnectionTerminated)

    assert event.data == b"data: one\n\n"
    with trio.fail_after(2):
        await running.ended.wait()


async def test_a_stream_that_its_client_resets_is_detached(serve: Serve, tls: Tls) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)), tls=tls)
    client = await http2(running)
    stream_id = await client.ask("/events")
    await client.until(ResponseReceived)

    client.protocol.reset_stream(stream_id)
    await client.flush()

    await fountain.count(0)
    await client.ask("/hello")
    assert (await client.body()).data == b"hello"


async def test_a_body_that_goes_on_after_its_413_does_not_end_the_connection(serve: Serve, tls: Tls) -> None:
    running = await serve(tls=tls)
    client = await http2(running)
    stream_id = await client.ask("/echo", method="POST", more=[("content-length", "200000")], ends=False)
    response = await client.until(ResponseReceived)
    await client.until(StreamEnded)
    await client.ask("/hello")
    await client.until(StreamEnded)

    client.protocol.send_data(stream_id, b"x" * 10_000)
    await client.flush()
    await client.ask("/hello")

    assert dict(response.headers)[":status"] == "413"
    assert (await client.body()).data == b"hello"


async def test_a_body_over_http_2_is_read_as_it_comes_and_may_break_off(serve: Serve, tls: Tls) -> None:
    broken = trio.Event()

    async def measure(request: Request[Incoming]) -> Reply:
        size = 0
        try:
            async for piece in request.body:
                size += len(piece)
        except BrokenOff:
            broken.set()
            raise
        return Reply(b"%d" % size)

    running = await serve(route("POST", "/measure", measure, body=Incoming, body_limit=1_000_000), tls=tls)
    client = await http2(running)
    stream_id = await client.ask("/measure", method="POST", ends=False)
    left = 300_000
    while left:
        while not (window := min(left, client.protocol.local_flow_control_window(stream_id), 16_384)):
            await client.until(WindowUpdated)
        left -= window
        client.protocol.send_data(stream_id, bytes(window), end_stream=not left)
        await client.flush()
    assert (await client.body()).data == b"300000"

    half = await client.ask("/measure", method="POST", ends=False)
    client.protocol.send_data(half, b"half")
    client.protocol.reset_stream(half)
    await client.flush()

    with trio.fail_after(PATIENCE):
        await broken.wait()
    await client.ask("/hello")
    assert (await client.body()).data == b"hello"


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "hello", "400"),
        ("GET", "http://first.test/hello", "400"),
        ("POST", "/hel lo", "400"),
        ("HEAD", "/h\u00e9llo", "400"),
    ],
)
async def test_a_request_that_cannot_be_read_is_answered_and_harms_no_other_of_its_connection(
    serve: Serve, tls: Tls, method: str, path: str, status: str, ends: bool
) -> None:
    running = await serve(tls=tls)
    client = await http2(running)
    client.protocol.config.validate_outbound_headers = False

    await client.ask(path, method=method, ends=ends)
    refused = dict((await client.until(ResponseReceived)).headers)
    await client.until(StreamEnded if ends else StreamReset)
    await client.ask("/hello")

    assert (refused[":status"], refused["content-type"]) == (status, "application/json")
    assert dict((await client.until(ResponseReceived)).headers)[":status"] == "200"
    assert (await client.body()).data == b"hello"


@pytest.mark.parametrize("pseudo", [{":method": "CONNECT"}, {":path": ""}])
async def test_a_request_that_h2_itself_refuses_harms_no_other_connection(
    serve: Serve, tls: Tls, pseudo: dict[str, str]
) -> None:
    running = await serve(tls=tls)
    client = await http2(running)
    client.protocol.config.validate_outbound_headers = False
    headers = {":method": "GET", ":path": "/hello", ":authority": "first.test", ":scheme": "https"} | pseudo
    client.protocol.send_headers(1, list(headers.items()), end_stream=True)
    await client.flush()

    reset = await client.until((StreamReset, ConnectionTerminated))  # type: ignore[arg-type]  # either will do

    assert reset is not None
    other = await http2(running)
    await other.ask("/hello")
    assert (await other.body()).data == b"hello"


async def test_an_idle_http_2_connection_closes_after_keep_alive(serve: Serve, tls: Tls) -> None:
    running = await serve(tls=tls, connection={"keep_alive": 0.2, "ping": 60})
    client = await http2(running)
    await client.ask("/hello")
    await client.until(StreamEnded)

    await running.connections.reaches(0)


async def test_a_vanished_http_2_client_is_noticed(serve: Serve, tls: Tls) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/events", lambda request: Live(fountain)), tls=tls, connection={"ping": 0.05})
    client = await http2(running)
    await client.ask("/events")
    await fountain.count(1)

    await fountain.count(0)


async def test_a_client_that_does_not_finish_its_handshake_is_closed(serve: Serve, tls: Tls) -> None:
    running = await serve(tls=tls, connection={"header": 0.2})

    assert await (await running.connect()).rest(2) == b""


async def test_a_renewed_certificate_is_used_without_a_restart(serve: Serve, tls: Tls, tmp_path: Path) -> None:
    running = await serve(tls=tls)
    kept = await secure(running)

    for kind in ("cert", "key"):
        shutil.copy(CERTIFICATES / f"second.{kind}.pem", tmp_path / f"{kind}.pem")
    tls.reload()

    assert (await (await secure(running, certificate="second")).get("/hello")).status == 200
    assert (await kept.get("/hello")).status == 200


async def test_a_certificate_that_does_not_fit_its_key_leaves_the_old_one(
    serve: Serve, tls: Tls, tmp_path: Path
) -> None:
    running = await serve(tls=tls)
    shutil.copy(CERTIFICATES / "second.cert.pem", tmp_path / "cert.pem")

    with pytest.raises(ssl.SSLError):
        tls.reload()

    assert (await (await secure(running)).get("/hello")).status == 200


async def test_a_large_answer_at_once_comes_whole_over_tls(serve: Serve, tls: Tls) -> None:
    body = bytes(range(256)) * 20_000
    quick = Route(
        "GET", "/quick", lambda request: Reply(body), api=Api("open", places=()), access=PUBLIC, door=Door.AT_ONCE
    )
    running = await serve(quick, tls=tls)
    client = await secure(running, "http/1.1")

    assert [(await client.get("/quick")).body == body for _ in range(2)] == [True, True]
