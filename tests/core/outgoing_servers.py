"""Servers on loopback that answer as they are told, and count who came."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

CERTIFICATES = Path(__file__).parent / "web" / "certificates"

Answer = Callable[[trio.abc.Stream], Awaitable[None]]


def plain(body: bytes = b"fine", *, status: str = "200 OK", headers: str = "") -> Answer:
    """An answer of a well-meaning server."""

    async def answer(stream: trio.abc.Stream) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await stream.send_all(head.encode("latin-1") + body)

    return answer


def redirect(location: str, *, status: str = "302 Found") -> Answer:
    """An answer that sends the client elsewhere."""
    return plain(b"over there", status=status, headers=f"Location: {location}\r\n")


@dataclass
class Server:
    """What came to a server."""

    port: int
    answers: list[Answer]
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        """As `[server.outgoing] allow` names it."""
        return f"127.0.0.1:{self.port}"

    async def serve(self, tls: ssl.SSLContext | None, connection: trio.SocketStream) -> None:
        self.connections += 1
        stream: trio.abc.Stream = connection
        if tls is not None:
            stream = trio.SSLStream(connection, tls, server_side=True, https_compatible=True)
        async with connection:
            try:
                request = b""
                while not _is_whole(request):
                    piece = await stream.receive_some()
                    if not piece:
                        return
                    request += bytes(piece)
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await answer(stream)
            except trio.BrokenResourceError:
                pass


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)


@asynccontextmanager
async def open_server(*answers: Answer, tls: bool = False, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """A server whose answers are these in turn, the last one again and again."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        server = Server(listener.socket.getsockname()[1], list(answers))
        context: ssl.SSLContext | None = None
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATES / "first.cert.pem", CERTIFICATES / "first.key.pem")
            context.sni_callback = lambda _, name, __: server.names.append(name)
        nursery.start_soon(partial(trio.serve_listeners, partial(server.serve, context), [listener]))
        yield server
        nursery.cancel_scope.cancel()


def trusting() -> ssl.SSLContext:
    """A client's context for which the tests' certificate is good."""
    return ssl.create_default_context(cafile=str(CERTIFICATES / "first.cert.pem"))
