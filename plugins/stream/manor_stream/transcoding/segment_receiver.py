"""Takes the files that ffmpeg makes: over HTTP on this machine alone, so that none of them is ever on a disk.

Every user of the machine can connect to the port, and read the arguments of every process. So the secret that lets
ffmpeg in is in its environment, as the password of a proxy, which is what this server is to it. ffmpeg sends that once
it is asked for it (407; RFC 9110, section 11.7), and waits for the answer before it sends a file where the URL names a
user (Expect: 100-continue). ffmpeg 5.1 and 9.0 both do so.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import h11
import trio

from manor_stream.transcoding.playlists_in import MOST_BYTES as MOST_PLAYLIST_BYTES
from manor_stream.transcoding.uploads import PLAYLIST, Unwanted, Uploads

MOST_SEGMENT_BYTES = 64 * 1024 * 1024
MOST_HEAD_BYTES = 16 * 1024
MOST_CONNECTIONS = 128

SILENT_SECONDS = 60.0
"""ffmpeg sends a segment while it makes it: nothing comes while the publisher is silent."""

HEAD_SECONDS = 5.0
"""ffmpeg says what it brings as soon as it is connected; who does not keeps others out."""

READ_BYTES = 256 * 1024
SETTLE_SECONDS = 2.0

ACCEPT_SECONDS = 0.05
"""What ffmpeg connected last, before it ended, is accepted by then."""


USER = "ffmpeg"
HOST = "segments.invalid"
"""Is looked up by nobody: the proxy gets the whole URL (RFC 6761 keeps the name free)."""

_FILE = re.compile(rf"http://{re.escape(HOST)}(?::80)?/([^/?]*)/([^/?]*)")


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@dataclass(frozen=True)
class Destination:
    """Where one run of ffmpeg sends its files.

    Args:
        port: Of the server.
        secret: Known to that run alone.
    """

    port: int
    secret: str = field(repr=False)

    @property
    def url(self) -> str:
        """Begins the URL of each file; no slash at its end. Anybody may read it."""
        return f"http://{USER}@{HOST}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which ffmpeg finds the way."""
        return {"http_proxy": f"http://{USER}:{self.secret}@127.0.0.1:{self.port}"}

    @property
    def authorization(self) -> bytes:
        """How it shows that it knows the secret (RFC 7617)."""
        return b"Basic " + b64encode(f"{USER}:{self.secret}".encode())


class SegmentReceiver:
    """A small HTTP server that knows PUT, and takes it only from who knows a secret."""

    def __init__(self) -> None:
        # By the authorization that is sent along.
        self._expected: dict[bytes, Uploads] = {}
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
    def expecting(self, uploads: Uploads) -> Iterator[Destination]:
        """Take files for `uploads` while the block runs; gives where they are to be sent."""
        destination = Destination(self._port, secrets.token_urlsafe(24))
        self._expected[destination.authorization] = uploads
        try:
            yield destination
        finally:
            del self._expected[destination.authorization]

    async def settle(self) -> None:
        """Wait until what was being sent is here; not for long."""
        with trio.move_on_after(SETTLE_SECONDS):
            await trio.sleep(ACCEPT_SECONDS)
            while self._places.borrowed_tokens:
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
            self._changed.set()
            self._changed = trio.Event()

    async def _converse(self, stream: trio.SocketStream, connection: h11.Connection) -> None:
        while True:
            request = await self._next(stream, connection, HEAD_SECONDS)
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
        authorization = next((value for name, value in request.headers if name == b"proxy-authorization"), None)
        if authorization is None:
            raise _Refused(407)
        uploads = self._expected.get(authorization)
        if uploads is None:
            raise _Refused(403)
        variant, name = _file(request, uploads)
        most = MOST_PLAYLIST_BYTES if name == PLAYLIST else MOST_SEGMENT_BYTES
        uploads.take(variant, name, await self._body(stream, connection, most))

    async def _body(self, stream: trio.SocketStream, connection: h11.Connection, most: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while isinstance(event := await self._next(stream, connection, SILENT_SECONDS), h11.Data):
            size += len(event.data)
            if size > most:
                raise _Refused(413)
            chunks.append(bytes(event.data))
        return b"".join(chunks)

    async def _next(
        self, stream: trio.SocketStream, connection: h11.Connection, seconds: float
    ) -> h11.Event | type[h11.PAUSED]:
        until = trio.current_time() + seconds
        while True:
            event = connection.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value] # h11 does not say that its sentinels are types
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                await stream.send_all(go_on or b"")
            with trio.move_on_at(until) as patience:
                data = await stream.receive_some(READ_BYTES)
            if patience.cancelled_caught:
                raise trio.BrokenResourceError("nothing came for too long")
            connection.receive_data(data)


def _file(request: h11.Request, uploads: Uploads) -> tuple[int, str]:
    target = _FILE.fullmatch(request.target.decode("latin-1"))
    if target is None:
        raise _Refused(404)
    variant, name = target.groups()
    try:
        return uploads.check(variant, name), name
    except Unwanted:
        raise _Refused(404) from None


async def _answer(stream: trio.SocketStream, connection: h11.Connection, status: int) -> None:
    headers = [("Content-Length", "0")]
    if status == 407:
        headers.append(("Proxy-Authenticate", 'Basic realm="segments"'))
    if connection.their_state is not h11.DONE:
        headers.append(("Connection", "close"))
    answer = connection.send(h11.Response(status_code=status, headers=headers)) or b""
    answer += connection.send(h11.EndOfMessage()) or b""
    await stream.send_all(answer)
