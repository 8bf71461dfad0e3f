"""Segments on their way to S3, and a gate before the server that tests may close."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from manor import Principal
from manor.testing import Client, House, open_test_house
from manor_stream.hls.window import Segment, Variant, Window
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from manor_stream.logbook import LogLine
from manor_stream.parts import Shared
from manor_stream.shipping.shipment import Patience
from tests.s3_server import S3Server
from tests.stream_broadcast import shared_of, until

AT = datetime(2030, 1, 2, 12, tzinfo=UTC)

OPEN, SHUT, SILENT, FULL = "open", "shut", "silent", "full"
"""What a gate does: lets requests through, closes connections, answers nothing, or says 503."""

_HEAD_END = b"\r\n\r\n"


@dataclass
class Hold:
    """Requests that are kept waiting.

    Args:
        method: Of those.
        part: Stands in their first line, or in the body of those that are no uploads.
        arrived: Set once there is one.
        go_on: Lets them through.
        answer: Sent instead of the server's own, which has done what it was asked to; b"" for its own.
    """

    method: str
    part: bytes
    arrived: trio.Event = field(default_factory=trio.Event)
    go_on: trio.Event = field(default_factory=trio.Event)
    answer: bytes = b""


@dataclass
class Gate:
    """Stands before the S3 server.

    Args:
        server: What is behind it.
        port: Where it stands.
        mode: What it does with requests; see `OPEN`.
        refusals: So many requests are answered with 503 before it does so.
        delay: Seconds that each request waits.
        holds: Which requests wait until they are told to go on.
        asked: Method and path of all requests, in the order in which they were answered.
        heads: The heads of those that were let through, by method and path.
        bodies: Their bodies.
        turned_away: How many were not let through.
        uploads_at_once: How many uploads waited at the same time, at most.
        uploads: How many wait now.
        waiting: How many requests wait now.
    """

    server: S3Server
    port: int
    mode: str = OPEN
    refusals: int = 0
    delay: float = 0.0
    holds: list[Hold] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    heads: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    turned_away: int = 0
    uploads_at_once: int = 0
    uploads: int = 0
    waiting: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, bucket: str) -> list[str]:
        """Keys in the order in which they were put."""
        prefix = f"PUT /{bucket}/"
        return [line.removeprefix(prefix) for line in self.asked if line.startswith(prefix)]

    def hold(self, method: str, part: str) -> Hold:
        """Have such requests wait from now on."""
        self.holds.append(Hold(method, part.encode()))
        return self.holds[-1]

    def answer(self, method: str, part: str, answer: bytes) -> Hold:
        """Have such requests done, and answered so."""
        hold = self.hold(method, part)
        hold.answer = answer
        hold.go_on.set()
        return hold

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while _HEAD_END not in request:
                piece = await stream.receive_some()
                if not piece:
                    return
                request += bytes(piece)
            is_upload = request.startswith(b"PUT ")
            self.waiting += 1
            self.uploads += is_upload
            self.uploads_at_once = max(self.uploads_at_once, self.uploads)
            try:
                await self._answer(stream, request)
            except trio.BrokenResourceError:
                pass
            finally:
                self.waiting -= 1
                self.uploads -= is_upload

    async def _answer(self, stream: trio.SocketStream, request: bytes) -> None:
        if request.startswith(b"POST "):
            request = await _whole(stream, request)
        raw, _, begun = request.partition(_HEAD_END)
        head, body = raw.decode(), bytearray(begun)
        line = head.partition(" HTTP/")[0]
        await trio.sleep(self.delay)
        held = [hold for hold in self.holds if line.startswith(f"{hold.method} ") and hold.part in request]
        for hold in held:
            hold.arrived.set()
            await hold.go_on.wait()
        if self.mode == SILENT:
            async for _ in stream:
                pass  # until the client goes
            return
        if self.mode == SHUT:
            self.turned_away += 1
            return
        if self.mode == FULL or self.refusals:
            self.turned_away += 1
            self.refusals = max(0, self.refusals - 1)
            await stream.send_all(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
            return
        behind = await trio.open_tcp_stream("127.0.0.1", int(self.server.url.rpartition(":")[2]))
        async with behind, trio.open_nursery() as nursery:
            await behind.send_all(request)
            nursery.start_soon(_pump, stream, behind, body)
            answer = b"".join([bytes(piece) async for piece in behind])
            nursery.cancel_scope.cancel()
        self.asked.append(line)
        self.heads[line] = head.lower()
        self.bodies[line] = bytes(body)
        await stream.send_all(next((hold.answer for hold in held if hold.answer), answer))


async def _whole(stream: trio.SocketStream, request: bytes) -> bytes:
    head, _, body = request.partition(_HEAD_END)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0:
        piece = bytes(await stream.receive_some(left))
        request += piece
        left -= len(piece) or left
    return request


async def _pump(source: trio.SocketStream, sink: trio.SocketStream, copy: bytearray) -> None:
    try:
        async for piece in source:
            copy += piece
            await sink.send_all(piece)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


@asynccontextmanager
async def gate_before(server: S3Server) -> AsyncIterator[Gate]:
    """Stand before the server for a while."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        gate = Gate(server, listeners[0].socket.getsockname()[1])
        nursery.start_soon(trio.serve_listeners, gate.serve, listeners)
        yield gate
        nursery.cancel_scope.cancel()


def keys_in(server: S3Server, bucket: str) -> list[str]:
    """All keys of a bucket, seen past the code under test."""
    _, body = server.fetch("GET", f"/{bucket}", [("list-type", "2")])
    return re.findall(r"<Key>([^<]+)</Key>", body.decode())


def variants(count: int) -> list[Variant]:
    """Qualities that a broadcast may have."""
    return [Variant(f"quality {number}", 100_000, 160, 90, 24, "") for number in range(count)]


@dataclass
class Broadcast:
    """Adds segments to a window as a broadcast would.

    Args:
        window: The window.
        count: How many variants there are.
        session: Stands in the segments' names.
        seconds: How long a segment plays.
        added: How many segments each variant has.
    """

    window: Window
    count: int = 1
    session: str = "one"
    seconds: float = 2.0
    added: int = 0

    def begin(self, *, length: int = 3) -> Broadcast:
        self.window.begin(variants(self.count), seconds=self.seconds, length=length)
        return self

    def add(self, number: int = 1) -> list[str]:
        """Add segments to all variants; gives their names."""
        names = []
        for _ in range(number):
            names.append(f"stream-{self.session}-{self.added}.ts")
            for variant in range(self.count):
                data = f"{variant} {names[-1]}".encode()
                self.window.add(variant, Segment(names[-1], data, self.seconds, AT))
            self.added += 1
        return names

    def end(self) -> str:
        """End it with a clip; gives the clip's name."""
        name = f"offline-{self.session}.ts"
        self.window.end([Segment(name, b"clip", 4.0, AT, is_discontinuous=True)] * self.count)
        return name


def settings_for(url: str, server: S3Server, bucket: str, **more: Any) -> dict[str, Any]:
    """What the setter of S3 takes."""
    return {
        "enabled": True,
        "endpoint": url,
        "accessKey": server.access_key,
        "secret": server.secret_key,
        "bucket": bucket,
        "region": "us-east-1",
        **more,
    }


QUICK = Patience(first_wait=0.01, upload=5.0, again=0.1, clearing=0.1, reading=0.05)

FOR_ALL_PAGES = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
"""What a bucket answers a browser that may read; the server here wants signatures of everybody."""


@dataclass
class Studio:
    """A house that ships, and what is around it."""

    house: House
    shared: Shared
    gate: Gate
    server: S3Server
    bucket: str

    @property
    def admin(self) -> Client:
        return Client(self.house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))

    @property
    def lines(self) -> list[LogLine]:
        return self.shared.logbook.newest_first()

    @property
    def warnings(self) -> list[str]:
        return [line.message for line in self.shared.logbook.newest_first(only_warnings=True)]

    async def set_s3(self, **more: Any) -> None:
        """Through the API, as an admin does."""
        value = settings_for(self.gate.url, self.server, self.bucket, **more)
        answer = await self.admin.request("POST", "/api/admin/config/s3", json={"value": value})
        assert answer.status == 200, answer.body

    async def playlists(self) -> list[str]:
        """What the master playlist names."""
        answer = await Client(self.house.dispatcher).request("GET", "/hls/stream.m3u8")
        return [line for line in answer.body.decode().splitlines() if not line.startswith("#")]

    async def local_status(self, variant: int = 0) -> int:
        return (await Client(self.house.dispatcher).request("GET", f"/hls/{variant}/stream.m3u8")).status

    def is_sent_away(self, variant: int = 0) -> bool:
        return self.shared.shipping.base_url(variant) is not None

    @property
    def keys(self) -> list[str]:
        return keys_in(self.server, self.bucket)

    def body(self, key: str) -> bytes:
        return self.server.fetch("GET", f"/{self.bucket}/{key}")[1]

    def broadcast(self, count: int = 1, **more: Any) -> Broadcast:
        return Broadcast(self.shared.window, count, **more).begin()

    async def shipped(self, broadcast: Broadcast, number: int = 1) -> None:
        """Add segments one by one, each when the one before is there."""
        for _ in range(number):
            broadcast.add()
            await self.caught_up(broadcast.count)

    async def listed_there(self) -> None:
        """Wait until the newest playlist is there, whatever else goes on."""
        await until(lambda: self._has(0))

    async def caught_up(self, count: int = 1) -> None:
        await until(lambda: all(map(self._has, range(count))) and not self.gate.waiting)
        # The answer to the last upload comes back after the file is there.
        await trio.testing.wait_all_tasks_blocked()

    def _has(self, variant: int) -> bool:
        line = f"PUT /{self.bucket}/hls/{variant}/stream.m3u8"
        return self.gate.bodies.get(line) == self.shared.window.playlist(variant)


@asynccontextmanager
async def open_studio(
    folder: Path, server: S3Server, *, allow: Sequence[str] = ("127.0.0.0/8",)
) -> AsyncIterator[Studio]:
    """A house that may ask these private addresses, with a gate before the server and a bucket in it."""
    config = {"server": {"outgoing": {"allow": list(allow)}}, "plugins": {"stream": {"rtmp_bind": ""}}}
    async with gate_before(server) as gate, open_test_house(folder, plugins=["stream"], config=config) as house:
        shared = shared_of(house)
        shared.shipping.patience = QUICK
        gate.answer("GET", "/stream.m3u8 HTTP", FOR_ALL_PAGES)
        yield Studio(house, shared, gate, server, server.new_bucket())
