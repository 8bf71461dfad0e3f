"""A real stream process, with the core's end of its socket here and real clients' sockets there."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from manor.relay.far import FarEnd
from manor.relay.frames import Kind, Terms
from manor.relay.lines import MOST_BYTES
from manor.relay.link import MOST_WAITING, Link

DEADLINE = 60


@dataclass
class Client:
    """A client's socket, whose other end the process has."""

    socket: socket.socket
    end: FarEnd
    news: list[str] = field(default_factory=list)

    async def reads(self, count: int) -> bytes:
        data = b""
        with trio.fail_after(DEADLINE):
            while len(data) < count:
                await trio.lowlevel.wait_readable(self.socket)
                more = self.socket.recv(count - len(data))
                assert more, f"closed after {len(data)} bytes"
                data += more
        return data

    async def reads_to_the_end(self) -> bytes:
        data = b""
        with trio.fail_after(DEADLINE):
            while True:
                await trio.lowlevel.wait_readable(self.socket)
                try:
                    more = self.socket.recv(65_536)
                except ConnectionResetError:
                    return data
                if not more:
                    return data
                data += more


class Ears:
    """Told of what a client says."""

    def __init__(self) -> None:
        self.heard: Callable[[], None] | None = None


class Room:
    """One process, and whoever it serves."""

    def __init__(self, link: Link, process: subprocess.Popen[bytes]) -> None:
        self.link = link
        self.process = process
        self.clients: list[Client] = []
        self.said = 0

    def client(self, *, is_watched: bool = True, write_seconds: float = 30.0, buffer: int = 0) -> Client:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        if buffer:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        news: list[str] = []
        end = self.link.take(
            theirs.fileno(), Terms(write_seconds, is_watched=is_watched), lambda: news.append("left"), Ears()
        )
        assert end is not None
        end.on_too_slow = lambda: news.append("too slow")
        theirs.close()
        self.clients.append(Client(ours, end, news))
        return self.clients[-1]

    def group(self, *clients: Client) -> int:
        number = self.link.group(self._is_said)
        for client in clients:
            self.link.join(client.end, number)
        return number

    async def done(self) -> None:
        """The process has done what it was told, and what it told before has come."""
        with trio.fail_after(DEADLINE):
            await self.link.answers()

    def _is_said(self) -> None:
        self.said += 1


def begun() -> Room:
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "manor.relay", str(theirs.fileno()), ""], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    return Room(Link(ours), process)


@asynccontextmanager
async def started() -> AsyncIterator[Room]:
    room = begun()
    link, process = room.link, room.process
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            with trio.fail_after(DEADLINE):
                await link.ready.wait()
            yield room
            link.close()
        assert await trio.to_thread.run_sync(process.wait, DEADLINE) == 0, "it ends in good order when its core does"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for client in room.clients:
            client.socket.close()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with started() as room:
        yield room


async def test_what_is_said_once_reaches_all_in_order_with_what_one_alone_is_given(room: Room) -> None:
    ann, bob, eve = room.client(), room.client(), room.client()
    hall, attic = room.group(ann, bob), room.group(eve)

    room.link.say(hall, b"one ", goes_on=False)
    bob.end.tell(Kind.GIVE, b"only-you ")
    room.link.say(hall, b"two ", goes_on=True)
    room.link.say(hall, b"three", goes_on=False)
    room.link.say(attic, b"up here", goes_on=False)

    assert await ann.reads(13) == b"one two three"
    assert await bob.reads(22) == b"one only-you two three"
    assert await eve.reads(7) == b"up here"
    await room.done()
    assert room.said == 4


async def test_who_has_left_a_group_hears_nothing_more_of_it(room: Room) -> None:
    ann, bob = room.client(), room.client()
    hall = room.group(ann, bob)

    room.link.say(hall, b"one ", goes_on=False)
    ann.end.tell(Kind.LEAVE)
    room.link.say(hall, b"two", goes_on=False)
    ann.end.tell(Kind.GIVE, b"bye")
    ann.end.close(Kind.CUT)

    assert await ann.reads_to_the_end() == b"one bye"
    assert await bob.reads(7) == b"one two"
    assert room.link.lines == 1


async def test_a_client_that_leaves_is_told_of_whether_it_is_watched_or_read(room: Room) -> None:
    watched, read, half = room.client(), room.client(is_watched=False), room.client()
    watched.socket.close()
    half.socket.shutdown(socket.SHUT_WR)
    read.socket.send(b"bye")

    with trio.fail_after(DEADLINE):
        assert await read.end.read() == b"bye"
        read.socket.close()
        assert await read.end.read() == b""
    await room.done()
    assert [client.news for client in (watched, read, half)] == [["left"]] * 3
    assert room.link.lines == 0


async def test_a_client_is_read_only_when_the_core_asks(room: Room) -> None:
    ann = room.client(is_watched=False)
    ann.socket.send(b"one")
    await room.done()
    with trio.fail_after(DEADLINE):
        assert await ann.end.read() == b"one"
        ann.socket.send(b"two")
        assert await ann.end.read() == b"two"
        with trio.move_on_after(0.05):
            await ann.end.read()
        ann.socket.send(b"three")
        assert await ann.end.read() == b"three", "what comes after a read was cancelled is there for the next"


async def test_a_laggard_is_given_up_behind_a_whole_piece_and_holds_nobody_up(room: Room) -> None:
    slow, quick = room.client(buffer=4096), room.client()
    hall = room.group(slow, quick)
    pieces = [bytes([65 + number]) * 65_536 for number in range(22)]
    for piece in pieces:
        room.link.say(hall, piece, goes_on=False)
        assert await quick.reads(len(piece)) == piece

    await room.done()
    assert slow.news == ["too slow"]
    slow.end.tell(Kind.GIVE, b"too slow, sorry")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow.end.drained)
        heard = await slow.reads(len(pieces[0]) + 15)
    assert heard == pieces[0] + b"too slow, sorry"


async def test_who_keeps_up_is_not_too_slow_for_one_large_batch(room: Room) -> None:
    ann = room.client(buffer=4096)
    hall = room.group(ann)
    pieces = [b"x" * 65_536] * (2 * MOST_BYTES // 65_536)
    for piece in pieces:
        room.link.say(hall, piece, goes_on=True)
    room.link.say(hall, b"end", goes_on=False)
    await room.done()
    assert len(await ann.reads(2 * MOST_BYTES + 3)) == 2 * MOST_BYTES + 3
    assert ann.news == []


async def test_what_waits_is_forgotten_when_a_line_breaks_off_and_a_sync_is_answered_all_the_same(room: Room) -> None:
    ann = room.client(buffer=4096)
    hall = room.group(ann)
    for letter in (b"a", b"b", b"c"):
        room.link.say(hall, letter * 60_000, goes_on=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ann.end.drained)
        await room.done()
        ann.end.tell(Kind.BREAK_OFF)
        ann.end.tell(Kind.GIVE, b"end")
        assert await ann.reads(60_003) == b"a" * 60_000 + b"end"
    with trio.fail_after(DEADLINE):
        await ann.end.drained()


async def test_who_takes_nothing_for_his_time_is_cut_off(room: Room) -> None:
    ann, bob = room.client(buffer=4096, write_seconds=0.05), room.client(buffer=4096)
    for client in (ann, bob):
        client.end.tell(Kind.GIVE, b"x" * 100_000)
    with trio.fail_after(DEADLINE):
        await ann.end.drained()
    assert ann.news == ["left"]
    await room.done()
    assert bob.news == []


async def test_a_process_that_reads_nothing_is_given_up_before_too_much_waits_for_it() -> None:
    room = begun()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.link.run)
        with trio.fail_after(DEADLINE):
            await room.link.ready.wait()
        ann = room.client()
        hall = room.group(ann)
        await room.done()
        room.process.send_signal(signal.SIGSTOP)
        piece = b"x" * 65_536
        for _ in range(MOST_WAITING // len(piece)):
            room.link.say(hall, piece, goes_on=False)
        assert room.link.fault == ""
        for _ in range(10):
            room.link.say(hall, piece, goes_on=False)
    assert room.link.fault == "it does not read what it is told"
    assert ann.news == ["left"]
    room.process.kill()
    room.process.wait()
    ann.socket.close()


async def test_no_more_lines_are_taken_than_a_process_may_have_files() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        link = Link(ours, most_lines=0)
        link.ready.set()
        assert link.take(theirs.fileno(), Terms(1.0, is_watched=True), lambda: None, Ears()) is None
        link.close()


async def test_a_process_that_is_killed_ends_all_of_its_lines() -> None:
    room = begun()
    process = room.process
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.link.run)
        with trio.fail_after(DEADLINE):
            await room.link.ready.wait()
        ann, bob = room.client(), room.client(is_watched=False)
        nursery.start_soon(bob.end.read)
        nursery.start_soon(bob.end.drained)
        await room.done()
        process.send_signal(signal.SIGTERM)
        await room.done()
        assert ann.news == [], "it heeds its core alone"
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert (ann.news, bob.news) == (["left"], ["left"])
    assert room.link.take(ann.socket.fileno(), Terms(1.0, is_watched=True), lambda: None, Ears()) is None
    for client in (ann, bob):
        assert await client.reads_to_the_end() == b""
        client.socket.close()
