"""The small door without a framework keeps HTTP/1.1 and RFC 6455, so that it may stand in for the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import msgspec
import pytest
import trio
from trio.testing import MockClock
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    TextMessage,
)
from wsproto.events import Request as Handshake

from manor.live.frames import sse_frame, websocket_frame
from manor.routing import (
    Closing,
    Conversation,
    Later,
    Live,
    Outlet,
    Reply,
    Request,
    Stream,
    Upgrade,
    WebSocket,
    Wire,
    Write,
)
from tests.contracts.plain_door import PlainDoor, in_memory, listening
from tests.core.dispatching import dispatcher, route

Connect = Callable[[], trio.abc.Stream]


class Note(msgspec.Struct):
    text: str


class Echoes:
    """A source: what is `said` is heard by whoever is attached."""

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        self._say, self._said = trio.open_memory_channel[str | Closing](10)

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        self.outlets.append(outlet)

    def detach(self, outlet: Outlet) -> None:
        if outlet in self.outlets:
            self.outlets.remove(outlet)

    async def say(self, word: str | Closing) -> None:
        await self._say.send(word)

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        async for word in self._said:
            if isinstance(word, Closing):
                return word
            if outlet.wire is Wire.FRAME:
                await write(websocket_frame(word.encode()))
            else:
                frame = sse_frame("", word.encode())
                await write(b"%x\r\n%s\r\n" % (len(frame), frame))
        return Closing(1000, "")


ECHOES: list[Echoes] = []
SLOTS: list[Later] = []


def hear(request: Request) -> Live:
    ECHOES.append(Echoes())
    return Live(ECHOES[-1], on_message=ECHOES[-1].say, message_limit=100)


def publish(request: Request[bytes]) -> Later:
    SLOTS.append(Later().map(lambda value: Note(f"{request.body.decode()} {value}")))
    return SLOTS[-1]


async def count(write: Write) -> None:
    for number in range(3):
        await write(b"%d " % number)
        await write(b"")


async def break_off(write: Write) -> None:
    await write(b"half")
    raise ZeroDivisionError


async def talk(conversation: Conversation) -> None:
    while True:
        message = await conversation.receive()
        if message == "bye":
            await conversation.close(Closing(4000, "as you wish"))
            return
        if message == "break":
            raise ZeroDivisionError
        await conversation.send(message)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    ECHOES.clear()
    SLOTS.clear()
    made = dispatcher(
        route("GET /hello", lambda request: Reply(b"hello", headers={"Set-Cookie": "a=1\nb=2"})),
        route("POST /echo", lambda request: Reply(request.body), body=bytes, body_limit=100_000),
        route("POST /none", lambda request: None),
        route("POST /publish", publish, body=bytes),
        route("GET /count", lambda request: Stream(count)),
        route("GET /half", lambda request: Stream(break_off)),
        route("GET /live", hear, websocket=Upgrade.YES),
        route("GET /talk", lambda request: WebSocket(talk, ["chat", "plain"], 100), websocket=Upgrade.ONLY),
    )
    async with in_memory(PlainDoor(made)) as connect:
        yield connect


class Client:
    """An HTTP/1.1 client with keep-alive."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._h11 = h11.Connection(h11.CLIENT)

    async def ask(self, line: str, body: bytes = b"", *headers: tuple[str, str]) -> tuple[int, dict[str, str], bytes]:
        await self.send(line, body, *headers)
        answer = await self.head()
        content = b"".join([part async for part in self.parts()])
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        fields = {name.decode(): value.decode() for name, value in answer.headers}
        return answer.status_code, fields, content

    async def send(self, line: str, body: bytes = b"", *headers: tuple[str, str]) -> None:
        method, target = line.split()
        length = [("Content-Length", str(len(body)))] if body else []
        request = h11.Request(method=method, target=target, headers=[("Host", "manor"), *length, *headers])
        data = self._h11.send(request) + self._h11.send(h11.Data(body)) + self._h11.send(h11.EndOfMessage())
        await self.stream.send_all(data)

    async def head(self) -> h11.Response:
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        assert isinstance(event, h11.Response), event
        return event

    async def parts(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._event(), h11.Data):
            yield bytes(event.data)
        assert isinstance(event, h11.EndOfMessage), event

    async def _event(self) -> Any:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(bytes(await self.stream.receive_some(65_536)))
        return event


async def test_a_connection_serves_one_request_after_another(connect: Connect) -> None:
    client = Client(connect())
    status, headers, body = await client.ask("GET /hello")
    assert (status, body, headers["x-request-id"] != "") == (200, b"hello", True)
    assert (await client.ask("POST /echo", b"x" * 70_000))[2] == b"x" * 70_000
    assert (await client.ask("POST /none"))[0] == 204
    assert (await client.ask("POST /none", b"thrown away"))[0] == 204
    assert (await client.ask("HEAD /hello"))[:3:2] == (200, b"")
    assert (await client.ask("GET /nothing"))[0] == 404
    assert (await client.ask("PUT /hello", b"also thrown away"))[0] == 405
    assert (await client.ask("GET /count"))[2] == b"0 1 2 "
    assert (await client.ask("GET /hello", b"", ("Connection", "close")))[1]["connection"] == "close"
    assert await client.stream.receive_some() == b""


async def test_pipelined_requests_are_handled_together_and_answered_in_order(connect: Connect) -> None:
    stream = connect()
    request = b"POST /publish HTTP/1.1\r\nHost: manor\r\nContent-Length: 1\r\n\r\n%d"
    await stream.send_all(b"".join(request % number for number in range(3)))
    await trio.testing.wait_all_tasks_blocked()
    assert len(SLOTS) == 3
    for number in (2, 0, 1):
        SLOTS[number].set("stored")
    received = b""
    while received.count(b"stored") < 3:
        received += await stream.receive_some()
    assert [received.index(b'{"text":"%d stored"}' % number) for number in range(3)] == sorted(
        received.index(b'{"text":"%d stored"}' % number) for number in range(3)
    )


async def test_a_chunked_body_is_read_and_100_continue_is_said(connect: Connect) -> None:
    stream = connect()
    await stream.send_all(
        b"POST /echo HTTP/1.1\r\nHost: manor\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert await stream.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await stream.send_all(b"2\r\nhi\r\n0\r\n\r\n")
    assert (await stream.receive_some()).endswith(b"\r\n\r\nhi")


async def test_a_body_over_its_limit_is_413(connect: Connect) -> None:
    status, headers, _ = await Client(connect()).ask("POST /echo", b"x" * 100_001)
    assert (status, headers["connection"]) == (413, "close")


async def test_a_body_that_does_not_come_is_408(connect: Connect, autojump_clock: MockClock) -> None:
    stream = connect()
    await stream.send_all(b"POST /echo HTTP/1.1\r\nHost: manor\r\nContent-Length: 5\r\n\r\nhi")
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_does_not_come_ends_the_connection(connect: Connect, autojump_clock: MockClock) -> None:
    stream = connect()
    await stream.send_all(b"GET /hel")
    assert await stream.receive_some() == b""


async def test_what_is_no_http_is_400(connect: Connect) -> None:
    stream = connect()
    await stream.send_all(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await stream.receive_some()).startswith(b"HTTP/1.1 400 ")
    assert await stream.receive_some() == b""


async def test_an_event_stream_is_chunked_and_ends_cleanly(connect: Connect) -> None:
    client = Client(connect())
    await client.send("GET /live")
    answer = await client.head()
    assert (b"content-type", b"text/event-stream; charset=utf-8") in answer.headers
    parts = client.parts()
    await ECHOES[0].say("ding")
    assert await anext(parts) == b"data: ding\n\n"
    await ECHOES[0].say(Closing(1001, "bye"))
    assert [part async for part in parts] == []
    assert ECHOES[0].outlets == []


async def test_a_stream_that_breaks_is_cut_rather_than_ended(connect: Connect) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        await Client(connect()).ask("GET /half")


async def test_a_client_that_leaves_is_detached(connect: Connect) -> None:
    client = Client(connect())
    await client.send("GET /live")
    await client.head()
    assert len(ECHOES[0].outlets) == 1
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert ECHOES[0].outlets == []


class SocketClient:
    """A WebSocket client."""

    def __init__(self, stream: trio.abc.Stream, path: str, *protocols: str) -> None:
        self.stream = stream
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._handshake = Handshake("manor", path, subprotocols=list(protocols))
        self._events: list[Event] = []

    async def open(self) -> Event:
        await self.send(self._handshake)
        return await self.event()

    async def send(self, event: Event) -> None:
        await self.stream.send_all(self._connection.send(event))

    async def event(self) -> Event:
        while not self._events:
            data = bytes(await self.stream.receive_some())
            self._connection.receive_data(data or None)
            self._events += self._connection.events()
        return self._events.pop(0)


async def test_a_conversation_goes_both_ways(connect: Connect) -> None:
    client = SocketClient(connect(), "/talk", "plain", "other")
    accepted = await client.open()
    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == "plain"
    await client.send(TextMessage("hé", message_finished=False))
    await client.send(Ping(b"still there?"))
    await client.send(TextMessage("llo"))
    assert await client.event() == Pong(b"still there?")
    answer = await client.event()
    assert isinstance(answer, TextMessage)
    assert answer.data == "héllo"
    await client.send(BytesMessage(b"\x00"))
    answer = await client.event()
    assert isinstance(answer, BytesMessage)
    assert answer.data == b"\x00"
    await client.send(TextMessage("bye"))
    assert await client.event() == CloseConnection(4000, "as you wish")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (TextMessage("x" * 101), 1009),
        (TextMessage("break"), 1011),
        (CloseConnection(1000), 1000),
        (b"\x81\x02hi", 1002),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
    ],
)
async def test_a_conversation_ends_with_the_right_code(connect: Connect, sent: Message[Any] | bytes, code: int) -> None:
    client = SocketClient(connect(), "/talk")
    await client.open()
    if isinstance(sent, bytes):
        await client.stream.send_all(sent)
    else:
        await client.send(sent)
    closing = await client.event()
    assert isinstance(closing, CloseConnection)
    assert closing.code == code


async def test_a_subscription_is_a_websocket_too(connect: Connect) -> None:
    client = SocketClient(connect(), "/live")
    assert isinstance(await client.open(), AcceptConnection)
    await client.send(TextMessage("ding"))
    assert await client.event() == TextMessage("ding")
    await client.send(BytesMessage(b"\x00"))
    assert await client.event() == CloseConnection(1003, "only text is understood here")
    assert ECHOES[0].outlets == []


async def test_the_source_says_why_a_subscription_ends(connect: Connect) -> None:
    client = SocketClient(connect(), "/live")
    await client.open()
    await ECHOES[0].say(Closing(1013, "too slow"))
    assert await client.event() == CloseConnection(1013, "too slow")


async def test_a_refused_handshake_is_plain_http(connect: Connect) -> None:
    refused = await SocketClient(connect(), "/hello").open()
    assert isinstance(refused, RejectConnection)
    assert refused.status_code == 400
    assert (await Client(connect()).ask("GET /talk"))[0] == 426


async def test_a_real_port_is_served_as_well() -> None:
    async with listening(PlainDoor(dispatcher(route("GET /hello", lambda request: Reply(b"hello"))))) as port:
        client = Client(await trio.open_tcp_stream("127.0.0.1", port))
        assert (await client.ask("GET /hello"))[2] == b"hello"
        await client.stream.aclose()
