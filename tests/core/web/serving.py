"""A server on a real port, and clients that speak bytes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import trio
import wsproto
from wsproto.events import CloseConnection, Event, RejectConnection, RejectData
from wsproto.extensions import PerMessageDeflate

from manor.auth import PUBLIC
from manor.clock import SetClock
from manor.daemon import Server
from manor.dialects import DETAIL
from manor.dispatch import Dispatcher, Settings
from manor.limits import RateLimiter
from manor.live.frames import chunk, websocket_frame
from manor.matching import OwnedRoute, RouteTable
from manor.routing import Api, Closing, Outlet, Reply, Request, Route, Wire, Write
from manor.web import Front

PATIENCE = 10
API = Api("test", DETAIL)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection to the server."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, data: bytes | str) -> None:
        await self.stream.send_all(data.encode() if isinstance(data, str) else data)

    async def more(self) -> bool:
        data = bytes(await self.stream.receive_some(65536))
        self.buffer += data
        return bool(data)

    async def until(self, mark: bytes) -> bytes:
        with trio.fail_after(PATIENCE):
            while mark not in self.buffer:
                assert await self.more(), f"ended before {mark!r}: {self.buffer!r}"
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    async def exactly(self, count: int) -> bytes:
        with trio.fail_after(PATIENCE):
            while len(self.buffer) < count:
                assert await self.more(), f"ended early: {self.buffer!r}"
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    async def rest(self, within: float = PATIENCE) -> bytes:
        """All that comes until the server closes; a reset counts as its end."""
        with trio.fail_after(within), contextlib.suppress(trio.BrokenResourceError):
            while await self.more():
                pass
        return self.buffer

    async def head(self) -> Answer:
        text = (await self.until(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = text.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(status_line.split(" ")[1]), headers, b"")

    async def answer(self, *, to: str = "GET") -> Answer:
        answer = await self.head()
        if to == "HEAD" or answer.status in (204, 304):
            return answer
        if "content-length" in answer.headers:
            return replace(answer, body=await self.exactly(int(answer.headers["content-length"])))
        body = b""
        while size := int(await self.until(b"\r\n"), 16):
            body += await self.exactly(size)
            await self.exactly(2)
        await self.exactly(2)
        return replace(answer, body=body)

    async def get(self, path: str, *, method: str = "GET", headers: Sequence[str] = ()) -> Answer:
        await self.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]))
        return await self.answer(to=method)


class SocketClient:
    """One WebSocket, for which wsproto speaks."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.waiting: list[Event] = []

    async def open(
        self, path: str, *, headers: Sequence[tuple[bytes, bytes]] = (), subprotocols: Sequence[str] = ()
    ) -> Event:
        request = wsproto.events.Request(
            host="test",
            target=path,
            extensions=[PerMessageDeflate()],
            extra_headers=list(headers),
            subprotocols=list(subprotocols),
        )
        await self.send(request)
        return await self.event()

    async def send(self, event: Event) -> None:
        await self.client.send(self.protocol.send(event))

    async def event(self) -> Event:
        with trio.fail_after(PATIENCE):
            while not self.waiting:
                data = bytes(await self.client.stream.receive_some(65536))
                self.protocol.receive_data(data or None)
                self.waiting.extend(self.protocol.events())
        return self.waiting.pop(0)

    async def refusal(self, path: str, *, headers: Sequence[tuple[bytes, bytes]] = ()) -> tuple[int, bytes]:
        event = await self.open(path, headers=headers)
        assert isinstance(event, RejectConnection), event
        body = b""
        while True:
            part = await self.event()
            assert isinstance(part, RejectData)
            body += part.data
            if part.body_finished:
                return event.status_code, body

    async def closing(self) -> CloseConnection:
        while True:
            event = await self.event()
            if isinstance(event, CloseConnection):
                return event


class Fountain:
    """A source that a test fills: frames go to every outlet; a `Closing` ends them all."""

    def __init__(self) -> None:
        self.attached: list[Outlet] = []
        self.cursors: list[int | None] = []
        self.changed = trio.Event()
        self._queues: dict[int, tuple[Any, Any]] = {}

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        self._queues[id(outlet)] = trio.open_memory_channel[bytes | Closing](math.inf)
        self.attached.append(outlet)
        self.cursors.append(cursor)
        self._change()

    def detach(self, outlet: Outlet) -> None:
        if outlet in self.attached:
            self.attached.remove(outlet)
            self._change()

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        async for item in self._queues[id(outlet)][1]:
            if isinstance(item, Closing):
                return item
            await write(framed(item, outlet.wire))
        raise AssertionError("never closed")

    def tell(self, item: bytes | Closing) -> None:
        for outlet in self.attached:
            self._queues[id(outlet)][0].send_nowait(item)

    async def count(self, wanted: int) -> None:
        """Wait until so many hear it."""
        with trio.fail_after(PATIENCE):
            while len(self.attached) != wanted:
                await self.changed.wait()

    def _change(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


def framed(item: bytes, wire: Wire) -> bytes:
    """What a source writes to an outlet that says this of itself."""
    match wire:
        case Wire.SSE_CHUNK:
            return chunk(item)
        case Wire.FRAME:
            return websocket_frame(item)
        case _:
            return item


class Count:
    """A number that can be waited for."""

    def __init__(self) -> None:
        self.value = 0
        self._changed = trio.Event()

    def set(self, value: int) -> None:
        self.value = value
        self._changed.set()
        self._changed = trio.Event()

    def increase(self) -> None:
        self.set(self.value + 1)

    async def passes(self, least: int) -> None:
        with trio.fail_after(PATIENCE):
            while self.value < least:
                await self._changed.wait()

    async def reaches(self, wanted: int) -> None:
        with trio.fail_after(PATIENCE):
            while self.value != wanted:
                await self._changed.wait()


@dataclass
class Running:
    """A server under test."""

    server: Server
    front: Front
    connections: Count
    address: str
    stop: trio.Event
    ended: trio.Event
    nursery: trio.Nursery
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        host, _, port = self.address.rpartition(":")
        stream = await trio.open_tcp_stream(host, int(port))
        client = Client(stream)
        self.clients.append(client)
        return client

    async def socket(self) -> SocketClient:
        return SocketClient(await self.connect())

    async def get(self, path: str, *, method: str = "GET", headers: Sequence[str] = ()) -> Answer:
        return await (await self.connect()).get(path, method=method, headers=headers)

    async def raw(self, data: bytes | str, *, within: float = PATIENCE) -> bytes:
        """All that the server says to these bytes until it closes."""
        client = await self.connect()
        await client.send(data)
        return await client.rest(within)


Serve = Callable[..., Awaitable[Running]]


def hello(request: Request[Any, Any]) -> Reply:
    return Reply(b"hello", content_type="text/plain")


def echo(request: Request[bytes, Any]) -> Reply:
    return Reply(request.body, content_type="application/octet-stream")


def route(method: str, path: str, handler: Any, **more: Any) -> Route:
    return Route(method, path, handler, api=API, access=PUBLIC, **more)


BASIC = (route("GET", "/hello", hello), route("POST", "/echo", echo, body=bytes, body_limit=100_000))


def make_dispatcher(routes: Sequence[Route], settings: Settings | None = None) -> Dispatcher:
    table = RouteTable([OwnedRoute("test", each) for each in routes])
    clock = SetClock(datetime(2026, 5, 1, tzinfo=UTC))
    return Dispatcher(table, limits=RateLimiter(), clock=clock, settings=settings)
