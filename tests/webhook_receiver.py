"""A receiver of webhooks on loopback: verifies what comes as Standard Webhooks says, and answers as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

FINE = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: str, headers: str = "", body: bytes = b"") -> bytes:
    """An answer as it goes over the wire."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Received:
    """A request that came."""

    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """What it says."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The text of its message."""
        told: str = self.data["data"]["message"]
        return told

    def is_signed_with(self, secret: str) -> bool:
        """Whether one of its signatures was made with this secret."""
        kind, _, key = secret.partition("_")
        assert kind == "whsec"
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mac = base64.b64encode(hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest()).decode()
        return f"v1,{mac}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """A server that hears what is posted to it.

    Args:
        url: Where it is.
        answers: What it answers, one after the other; then all is well. None for never.
    """

    url: str
    answers: list[bytes | None] = field(default_factory=list)
    came: int = 0

    def __post_init__(self) -> None:
        self._put, self._take = trio.open_memory_channel[Received](100)

    async def next(self) -> Received:
        """What came next."""
        with trio.fail_after(20):
            return await self._take.receive()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, one request."""
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive_some()
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            while len(body) < int(headers["content-length"]):
                body += await stream.receive_some()
            self.came += 1
            self._put.send_nowait(Received(headers, body))
            said = self.answers.pop(0) if self.answers else FINE
            if said is None:
                await trio.sleep_forever()
            else:
                await stream.send_all(said)


@asynccontextmanager
async def open_receiver(*answers: bytes | None) -> AsyncIterator[Receiver]:
    """A receiver that answers so."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        receiver = Receiver(f"http://127.0.0.1:{listener.socket.getsockname()[1]}/hook", list(answers))
        nursery.start_soon(trio.serve_listeners, receiver.serve, [listener])
        yield receiver
        nursery.cancel_scope.cancel()
