"""Taking files from ffmpeg, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import trio
import trio.testing

from manor_stream.transcoding import segment_receiver
from manor_stream.transcoding.playlists_in import MOST_BYTES, Listed
from manor_stream.transcoding.segment_receiver import Destination, SegmentReceiver
from manor_stream.transcoding.uploads import Uploads
from tests.stream_broadcast import until

PLAYLIST = b"#EXTM3U\n#EXTINF:2.0,\nstream-5e55-0.ts\n"


class Receiving:
    """A receiver that waits for the files of one session."""

    def __init__(self) -> None:
        self.receiver = SegmentReceiver()
        self.segments: list[tuple[str, bytes]] = []
        self.uploads = Uploads(1, "5e55", self._take)
        self.destination = Destination(0, "")

    def _take(self, variant: int, listed: Listed, data: bytes) -> None:
        self.segments.append((listed.name, data))

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.destination.port)

    async def send(self, request: bytes, *, whole: bool = True) -> bytes:
        """The answer to these bytes, until the server closes."""
        stream = await self.connect()
        async with stream:
            try:
                await stream.send_all(request)
                if whole:
                    await stream.send_eof()
            except trio.BrokenResourceError:
                pass
            answer = b""
            try:
                async for data in stream:
                    answer += data
            except trio.BrokenResourceError:
                pass
            return answer

    def head(self, path: str, framing: str, *, method: str = "PUT", authorization: bytes | None = None) -> bytes:
        target = path if "://" in path else f"http://segments.invalid:80{path}"
        shown = (self.destination.authorization if authorization is None else authorization).decode()
        return f"{method} {target} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: {shown}\r\n{framing}\r\n\r\n".encode()

    async def put(self, name: str, body: bytes, authorization: bytes | None = None) -> int:
        framing = f"Content-Length: {len(body)}\r\nConnection: close"
        answer = await self.send(self.head(f"/{name}", framing, authorization=authorization) + body)
        return int(answer.split()[1])


@pytest.fixture
async def receiving(nursery: trio.Nursery) -> AsyncIterator[Receiving]:
    opened = Receiving()
    await nursery.start(opened.receiver.run)
    with opened.receiver.expecting(opened.uploads) as destination:
        opened.destination = destination
        yield opened
    nursery.cancel_scope.cancel()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


async def test_a_segment_and_its_playlist_come_together(receiving: Receiving) -> None:
    assert await receiving.put("0/stream-5e55-0.ts", b"video") == 201
    assert await receiving.put("0/stream.m3u8", PLAYLIST) == 201
    assert receiving.segments == [("stream-5e55-0.ts", b"video")]


async def test_bodies_come_in_chunks_and_one_connection_brings_several(receiving: Receiving) -> None:
    head = receiving.head("/0/stream-5e55-0.ts", "Transfer-Encoding: chunked")
    second = receiving.head("/0/stream.m3u8", f"Content-Length: {len(PLAYLIST)}")
    answer = await receiving.send(head + chunked(b"vid", b"eo") + b"0\r\n\r\n" + second + PLAYLIST)

    assert answer.count(b"201") == 2
    assert receiving.segments == [("stream-5e55-0.ts", b"video")]


@pytest.mark.parametrize("how_much", [0, 1, 40, 120])
async def test_what_breaks_off_is_forgotten(receiving: Receiving, how_much: int) -> None:
    head = receiving.head("/0/stream-5e55-0.ts", "Transfer-Encoding: chunked")
    await receiving.send((head + chunked(b"half of a segment", b"and more"))[: len(head) + how_much])
    await receiving.put("0/stream.m3u8", PLAYLIST)

    assert receiving.segments == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/1/stream.m3u8", 404),
        ("PUT", "/0/stream-5e55-0.m4s", 404),
        ("PUT", "/0/../stream.m3u8", 404),
        ("PUT", "/0/stream.m3u8?", 404),
        ("PUT", "http://127.0.0.1/0/stream.m3u8", 404),
        ("PUT", "https://segments.invalid/0/stream.m3u8", 404),
        ("PUT", "/stream.m3u8", 404),
        ("PUT", "/", 404),
        ("GET", "/0/stream.m3u8", 405),
        ("DELETE", "/0/stream-5e55-0.ts", 405),
    ],
)
async def test_nothing_else_is_served(receiving: Receiving, method: str, path: str, status: int) -> None:
    answer = await receiving.send(receiving.head(path, "Content-Length: 0", method=method))

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert receiving.segments == []


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\x02\0\1\0\1", b"hello\r\n\r\n", b"PUT\r\n\r\n", b"A" * 100_000, b"\0" * 5000]
)
async def test_what_is_no_request_ends_the_connection(receiving: Receiving, request_: bytes) -> None:
    await receiving.send(request_)

    assert await receiving.put("0/stream.m3u8", PLAYLIST) == 201


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_playlist_has_a_bound(receiving: Receiving, is_chunked: bool) -> None:
    body = bytes(MOST_BYTES + 1)
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
    head = receiving.head("/0/stream.m3u8", framing)
    answer = await receiving.send(head + (chunked(body) + b"0\r\n\r\n" if is_chunked else body))

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_after_the_session_its_files_are_not_waited_for(receiving: Receiving) -> None:
    with receiving.receiver.expecting(Uploads(1, "0the7", receiving._take)) as destination:
        assert await receiving.put("0/stream.m3u8", PLAYLIST, destination.authorization) == 201

    assert await receiving.put("0/stream.m3u8", PLAYLIST, destination.authorization) == 403


async def test_secrets_are_never_the_same(receiving: Receiving) -> None:
    secrets = set()
    for _ in range(20):
        with receiving.receiver.expecting(receiving.uploads) as destination:
            secrets.add(destination.secret)
            assert destination.secret not in destination.url
            assert destination.secret not in repr(destination)

    assert len(secrets) == 20
    assert all(len(secret) >= 32 for secret in secrets)


@pytest.mark.parametrize("authorization", [b"Basic", b"Basic ZmZtcGVnOg==", Destination(0, "x" * 32).authorization])
async def test_who_does_not_know_the_secret_is_not_heard(receiving: Receiving, authorization: bytes) -> None:
    # Answered before the body comes: nothing of it is kept.
    head = receiving.head("/0/stream.m3u8", f"Content-Length: {len(PLAYLIST)}", authorization=authorization)

    assert (await receiving.send(head)).startswith(b"HTTP/1.1 403 ")


async def test_who_shows_no_secret_is_asked_for_it_before_a_file_is_sent(receiving: Receiving) -> None:
    answer = await receiving.send(
        b"PUT http://segments.invalid/0/stream.m3u8 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Expect: 100-continue\r\n\r\n",
        whole=False,
    )

    assert answer.startswith(b"HTTP/1.1 407 ")
    assert b'Proxy-Authenticate: Basic realm="segments"\r\n' in answer
    assert b"Connection: close\r\n" in answer


async def test_who_says_nothing_is_hung_up_on(receiving: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_receiver, "HEAD_SECONDS", 0.1)
    with trio.fail_after(5):
        assert await receiving.send(b"PUT http://", whole=False) == b""


async def test_who_says_it_byte_by_byte_is_hung_up_on(
    receiving: Receiving, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_receiver, "HEAD_SECONDS", 0.2)

    async def say(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            for each in receiving.head("/0/stream.m3u8", "Content-Length: 0"):
                await stream.send_all(bytes([each]))
                await trio.sleep(0.05)

    async with await receiving.connect() as stream:
        nursery.start_soon(say, stream)
        with trio.fail_after(3), suppress(trio.BrokenResourceError):
            assert await stream.receive_some() == b""


async def test_only_this_machine_can_send(receiving: Receiving) -> None:
    assert receiving.destination.port > 0
    with pytest.raises(OSError, match=r"refused|all attempts"):
        await trio.open_tcp_stream("::1", receiving.destination.port)


async def test_what_was_on_its_way_is_waited_for(receiving: Receiving, nursery: trio.Nursery) -> None:
    stream = await receiving.connect()
    head = receiving.head("/0/stream.m3u8", f"Content-Length: {len(PLAYLIST)}")
    await stream.send_all(head + PLAYLIST[:5])
    await until(lambda: receiving.receiver._places.borrowed_tokens)
    settled = trio.Event()

    async def settle() -> None:
        await receiving.receiver.settle()
        settled.set()

    nursery.start_soon(settle)
    await trio.testing.wait_all_tasks_blocked()
    assert not settled.is_set()
    await stream.send_all(PLAYLIST[5:])
    await stream.aclose()
    with trio.fail_after(1):
        await settled.wait()
    assert receiving.receiver._places.borrowed_tokens == 0


async def test_what_was_sent_last_is_waited_for_though_nobody_has_looked_at_it(receiving: Receiving) -> None:
    for name, body in (("stream-5e55-0.ts", b"video"), ("stream.m3u8", PLAYLIST)):
        # Without a moment in which it could be accepted.
        with socket.create_connection(("127.0.0.1", receiving.destination.port)) as sender:
            sender.sendall(receiving.head(f"/0/{name}", f"Content-Length: {len(body)}\r\nConnection: close") + body)
    assert receiving.segments == []
    await receiving.receiver.settle()

    assert receiving.segments == [("stream-5e55-0.ts", b"video")]


async def test_who_only_connects_holds_up_the_end_for_a_moment_alone(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_receiver, "SETTLE_SECONDS", 0.2)
    async with await receiving.connect():
        with trio.fail_after(2):
            await receiving.receiver.settle()


async def test_more_connections_than_there_may_be_are_closed(receiving: Receiving) -> None:
    assert segment_receiver.MOST_CONNECTIONS >= 64
    receiving.receiver._places.total_tokens = 1
    async with await receiving.connect() as first:
        await first.send_all(b"PUT")
        await until(lambda: receiving.receiver._places.borrowed_tokens)
        assert await receiving.send(b"", whole=False) == b""
