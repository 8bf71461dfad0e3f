"""Takes the files that ffmpeg makes: over HTTP on this machine alone, so that none of them is ever on a disk."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h11
import trio

from manor_stream.transcoding.playlists_in import MOST_BYTES as MOST_PLAYLIST_BYTES
from manor_stream.transcoding.uploads import PLAYLIST, Unwanted, Uploads

MOST_SEGMENT_BYTES = 64 * 1024 * 1024
MOST_HEAD_BYTES = 16 * 1024
MOST_CONNECTIONS = 128

SILENT_SECONDS = 60.0
"""ffmpeg sends a segment while it makes it: nothing comes while the publisher is silent."""

READ_BYTES = 256 * 1024
SETTLE_SECONDS = 2.0


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class SegmentReceiver:
    """A small HTTP server that knows PUT, and only below a path that nobody can guess."""

    def __init__(self) -> None:
        self._expected: dict[str, Uploads] = {}
        self._open: dict[str, int] = {}
        self._changed = trio.Event()
        self._places = trio.CapacityLimiter(MOST_CONNECTIONS)
        self._port = 0

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self._port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, listeners)
            task_status.started()

    @contextmanager
    def expecting(self, uploads: Uploads) -> Iterator[str]:
        """Take files for `uploads` while the block runs; gives the URL below which they are sent."""
        secret = secrets.token_urlsafe(24)
        self._expected[secret] = uploads
        try:
            yield f"http://127.0.0.1:{self._port}/{secret}"
        finally:
            del self._expected[secret]

    async def settle(self, url: str) -> None:
        """Wait until what was being sent below this URL is here; not for long."""
        secret = url.rpartition("/")[2]
        with trio.move_on_after(SETTLE_SECONDS):
            while self._open.get(secret):
                await self._changed.wait()

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            return
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD_BYTES)
        try:
            # Whoever breaks off, or what makes no sense, ends the connection: what was not whole is forgotten.
            with suppress(h11.ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
                await self._converse(stream, connection)
        finally:
            self._places.release()

    async def _converse(self, stream: trio.SocketStream, connection: h11.Connection) -> None:
        while True:
            request = await self._next(stream, connection)
            if not isinstance(request, h11.Request):
                return
            try:
                await self._take(stream, connection, request)
                status = 201
            except _Refused as refused:
                status = refused.status
            await _answer(stream, connection, status)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _take(self, stream: trio.SocketStream, connection: h11.Connection, request: h11.Request) -> None:
        if request.method != b"PUT":
            raise _Refused(405)
        secret, uploads, variant, name = self._target(request.target.decode("latin-1"))
        most = MOST_PLAYLIST_BYTES if name == PLAYLIST else MOST_SEGMENT_BYTES
        self._count(secret, 1)
        try:
            data = await self._body(stream, connection, most)
            uploads.take(variant, name, data)
        finally:
            self._count(secret, -1)

    def _target(self, target: str) -> tuple[str, Uploads, int, str]:
        parts = target.split("/")
        if len(parts) != 4 or parts[0]:
            raise _Refused(404)
        _, secret, variant, name = parts
        uploads = self._expected.get(secret)
        if uploads is None:
            raise _Refused(404)
        try:
            return secret, uploads, uploads.check(variant, name), name
        except Unwanted:
            raise _Refused(404) from None

    async def _body(self, stream: trio.SocketStream, connection: h11.Connection, most: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while isinstance(event := await self._next(stream, connection), h11.Data):
            size += len(event.data)
            if size > most:
                raise _Refused(413)
            chunks.append(bytes(event.data))
        return b"".join(chunks)

    async def _next(self, stream: trio.SocketStream, connection: h11.Connection) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = connection.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value] # h11 does not say that its sentinels are types
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                await stream.send_all(go_on or b"")
            with trio.move_on_after(SILENT_SECONDS) as patience:
                data = await stream.receive_some(READ_BYTES)
            if patience.cancelled_caught:
                raise trio.BrokenResourceError("nothing came for too long")
            connection.receive_data(data)

    def _count(self, secret: str, change: int) -> None:
        count = self._open.get(secret, 0) + change
        if count:
            self._open[secret] = count
        else:
            self._open.pop(secret, None)
        self._changed.set()
        self._changed = trio.Event()


async def _answer(stream: trio.SocketStream, connection: h11.Connection, status: int) -> None:
    headers = [("Content-Length", "0")]
    if connection.their_state is not h11.DONE:
        headers.append(("Connection", "close"))
    answer = connection.send(h11.Response(status_code=status, headers=headers)) or b""
    answer += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(answer)
