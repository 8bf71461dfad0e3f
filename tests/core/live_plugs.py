"""Outlets with sockets of their own, for tests of direct delivery."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import trio
import trio.testing
from wsproto.frame_protocol import FrameProtocol, Opcode

from manor.auth import Principal
from manor.live import Entry, Feed
from manor.routing import Closing, Wire

settled = trio.testing.wait_all_tasks_blocked


class Plug:
    """An outlet on one end of a socket pair; the other end is read by hand.

    Attributes:
        sends: What the service tried to send itself; the very bytes that it had.
        writes: What the pump had to write.
    """

    def __init__(self, wire: Wire = Wire.FRAME, *, buffer: int = 0) -> None:
        self.wire = wire
        self.principals: tuple[Principal, ...] = ()
        self.send: Callable[[bytes], int] | None = self._send
        self.sends: list[bytes] = []
        self.writes: list[bytes] = []
        self.closing: Closing | None = None
        self.on_send: Callable[[], object] = lambda: None
        self.is_open = False
        self._ours, self._theirs = socket.socketpair()
        if buffer:
            self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self._read = bytearray()
        self._rest = b""

    def control(self, data: bytes) -> None:
        raise AssertionError("nothing is controlled here")

    def gone(self) -> None:
        """A write here can be cancelled, so there is nothing to drop."""

    def _send(self, data: bytes) -> int:
        assert self.is_open, "written to after it left"
        assert not self._rest, "written to in the middle of a frame"
        self.sends.append(data)
        try:
            taken = self._ours.send(data)
        except OSError:
            taken = 0
        self._rest = data[taken:] if taken else b""
        self.on_send()
        return taken

    async def write(self, data: bytes) -> None:
        if self._rest:
            assert data in (self._rest, self._rest[: len(data)]), "something else than the rest of the frame"
        self.writes.append(data)
        self._rest = b""
        await trio.SocketStream(trio.socket.from_stdlib_socket(self._ours)).send_all(data)

    async def listen(
        self, feed: Feed, cursor: int | None = None, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        feed.attach(self, cursor)
        task_status.started()
        await self.pump(feed)

    async def pump(self, feed: Feed) -> None:
        self.is_open = True
        try:
            self.closing = await feed.pump(self, self.write)
        finally:
            self.is_open = False
            feed.detach(self)

    def hang_up(self) -> None:
        """The client vanishes."""
        self._theirs.close()

    async def read(self) -> bytes:
        """All that has come, and comes when it is read."""
        while True:
            await settled()
            try:
                data = self._theirs.recv(1 << 20)
            except BlockingIOError:
                return bytes(self._read)
            if not data:
                return bytes(self._read)
            self._read += data

    async def heard(self) -> list[str]:
        """The messages so far; there must be no half of one. A ping of the protocol's is `ping`."""
        return [*frames_of(await self.read())]

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def frames_of(data: bytes, *, may_be_torn: bool = False) -> Iterator[str]:
    """What whole frames say; the last of them may be broken off if that is expected."""
    reader = FrameProtocol(client=True, extensions=[])
    reader.receive_bytes(data)
    whole = 0
    text = ""
    for frame in reader.received_frames():
        if frame.opcode is Opcode.PING:
            yield "ping"
            whole += 2
            continue
        assert isinstance(frame.payload, str)
        text += frame.payload
        if frame.message_finished:
            whole += len(said(0, text).frame(Wire.FRAME))
            yield text
            text = ""
    assert whole == len(data) or may_be_torn, "a frame is broken off"


def said(position: int, text: str) -> Entry:
    return Entry(position, "message", text.encode(), text=text.encode())


class Quiet:
    """A voice that leaves out some words, and counts what it says."""

    name = "quiet"

    def __init__(self, *left_out: str) -> None:
        self.left_out = left_out
        self.said = 0

    def wants(self, entry: Entry) -> bool:
        return entry.data.decode() not in self.left_out

    def say(self, entry: Entry, *, is_websocket: bool) -> bytes:
        self.said += 1
        return entry.data.upper()
