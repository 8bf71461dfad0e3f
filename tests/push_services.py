"""Push services on loopback, and those who are pushed to: real HTTP, strict about what they are sent.

A browser here decrypts by itself, as RFC 8291 has it, and its push service checks who signed, as RFC 8292 has it. What
a real one would refuse is refused, and noted in `complaints`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manor import Clock


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Awaitable[Told]]


@dataclass
class PushService:
    """Takes what it is sent, and answers as it is told; then as a real one would.

    Args:
        port: On 127.0.0.1.
        answers: What the next requests are answered with, whatever they are.
        asked: All that came.
    """

    port: int
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    came: trio.Event = field(default_factory=trio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until(self, count: int) -> None:
        """Wait for so many requests."""
        while len(self.asked) < count:
            self.came = trio.Event()
            await self.came.wait()

    async def answer(self, asked: Asked) -> Told:
        return Told(404)

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                asked = await _received(stream)
                self.asked.append(asked)
                self.came.set()
                answer = self.answers.pop(0) if self.answers else self.answer
                told = await answer(asked)
                head = {"Content-Length": str(len(told.body)), **told.headers}
                lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
                await stream.send_all(f"HTTP/1.1 {told.status} X\r\n{lines}\r\n".encode() + told.body)
            except trio.BrokenResourceError:
                pass


@dataclass
class Browser:
    """Somebody's browser: it has keys, and shows what it is sent."""

    service: WebPushService
    name: str = "ada"
    private: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def endpoint(self) -> str:
        return f"{self.service.url}/push/{self.name}"

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def subscription(self) -> str:
        """As `JSON.stringify` gives it."""
        keys = {"p256dh": encoded(self.public), "auth": encoded(self.secret)}
        return json.dumps({"endpoint": self.endpoint, "expirationTime": None, "keys": keys})

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What it was sent, decrypted."""
        mine = [asked for asked in self.service.taken if asked.path == f"/push/{self.name}"]
        return [json.loads(decrypted(asked.body, self.private, self.secret)) for asked in mine]


@dataclass
class WebPushService(PushService):
    """A push service for browsers: it takes what one server signs.

    Args:
        clock: Says what has expired.
        most_bytes: More is 413.
        dead: Names of browsers that have unsubscribed.
    """

    clock: Clock = field(kw_only=True)
    most_bytes: int = 4096
    dead: set[str] = field(default_factory=set)
    taken: list[Asked] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    key: str = ""

    async def answer(self, asked: Asked) -> Told:
        name = asked.path.removeprefix("/push/")
        if name in self.dead:
            return Told(410, b"push subscription has unsubscribed or expired")
        if trouble := self._trouble(asked):
            self.complaints.append(trouble)
            return Told(400, trouble.encode())
        if len(asked.body) > self.most_bytes:
            return Told(413)
        self.taken.append(asked)
        return Told(201)

    def _trouble(self, asked: Asked) -> str:
        headers = asked.headers
        if (asked.method, headers.get("content-encoding")) != ("POST", "aes128gcm"):
            return "not a push"
        if not headers.get("ttl", "").isdigit() or headers.get("urgency") not in ("very-low", "low", "normal", "high"):
            return "TTL or Urgency"
        if not 0 < len(headers.get("topic", "x")) <= 32:
            return "Topic"
        scheme, _, parameters = headers.get("authorization", "").partition(" ")
        given = dict(each.strip().split("=", 1) for each in parameters.split(","))
        head, claims, mark = given["t"].split(".")
        signed = decoded(mark)
        numbers = int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:], "big")
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(given["k"]))
        key.verify(encode_dss_signature(*numbers), f"{head}.{claims}".encode(), ECDSA(SHA256()))
        said = json.loads(decoded(claims))
        self.claims.append(said)
        self.key = given["k"]
        left = said["exp"] - self.clock.now().timestamp()
        if scheme != "vapid" or json.loads(decoded(head))["alg"] != "ES256" or len(signed) != 64:
            return "not VAPID"
        return "" if said["aud"] == self.url and 0 < left <= 24 * 3600 else "aud or exp"


@dataclass
class ExpoService(PushService):
    """Expo's API: tickets for messages, receipts for tickets.

    Args:
        access_token: What it asks for; "" for nothing.
        dead: Push tokens that it knows to be dead at once.
        errors: By push token, what its ticket says instead.
        receipts: By ticket, what became of it.
    """

    access_token: str = ""
    dead: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, asked: Asked) -> Told:
        wanted = f"Bearer {self.access_token}" if self.access_token else None
        if asked.method != "POST" or asked.headers.get("content-type") != "application/json":
            return self._complain("not JSON")
        if asked.headers.get("authorization") != wanted:
            return Told(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "token"}]}')
        if asked.path == "/--/api/v2/push/getReceipts":
            known = {id_: self.receipts[id_] for id_ in asked.json()["ids"] if id_ in self.receipts}
            return Told(200, json.dumps({"data": known}).encode())
        if asked.path != "/--/api/v2/push/send":
            return self._complain("no such path")
        sent = asked.json()
        if not isinstance(sent, list) or len(sent) > 100:
            return self._complain("not 1 to 100 messages")
        apps = {message["to"].partition("/")[2] for message in sent}
        if len(apps) > 1:
            return Told(400, b'{"errors": [{"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "message": "two apps"}]}')
        return Told(200, json.dumps({"data": [self._ticket(message) for message in sent]}).encode())

    def _ticket(self, message: dict[str, Any]) -> dict[str, Any]:
        to = message["to"]
        if len(json.dumps(message, ensure_ascii=False).encode()) > 4096:
            return _error("too big", "MessageTooBig")
        if to in self.dead:
            return _error(f'"{to}" is not a registered push notification recipient', "DeviceNotRegistered")
        if to in self.errors:
            return _error("no", self.errors[to])
        self.taken.append(message)
        return {"status": "ok", "id": f"ticket-{len(self.taken)}"}

    def _complain(self, what: str) -> Told:
        self.complaints.append(what)
        return Told(400, json.dumps({"errors": [{"code": "VALIDATION_ERROR", "message": what}]}).encode())


@asynccontextmanager
async def serving(make: Callable[[int], PushService]) -> AsyncIterator[Any]:
    """A service that answers until the end of the block."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        service = make(listener.socket.getsockname()[1])
        nursery.start_soon(partial(trio.serve_listeners, service.serve, [listener]))
        yield service
        nursery.cancel_scope.cancel()


def saying(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Always the same answer."""

    async def answer(asked: Asked) -> Told:
        return Told(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def hanging(asked: Asked) -> Told:
    """An answer that never comes."""
    await trio.sleep_forever()


# --- RFC 8188 and 8291, as a browser does them -----------------------------------------------------------------------


def decrypted(body: bytes, private: EllipticCurvePrivateKey, secret: bytes) -> bytes:
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, record = body[21 : 21 + length], body[21 + length :]
    assert len(record) <= size
    own = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))
    material = _expanded(_mac(secret, shared), b"WebPush: info\0" + own + sender)
    pseudo = _mac(salt, material)
    key = _expanded(pseudo, b"Content-Encoding: aes128gcm\0")[:16]
    nonce = _expanded(pseudo, b"Content-Encoding: nonce\0")[:12]
    text, mark, padding = AESGCM(key).decrypt(nonce, record, None).rpartition(b"\x02")
    assert mark
    assert not padding.strip(b"\0")
    return text


def private_key(text: str) -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(decoded(text), "big"), SECP256R1())


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _expanded(key: bytes, info: bytes) -> bytes:
    return _mac(key, info + b"\x01")


def _error(message: str, error: str) -> dict[str, Any]:
    return {"status": "error", "message": message, "details": {"error": error}}


async def _received(stream: trio.SocketStream) -> Asked:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.receive_some()
        if not piece:
            raise trio.BrokenResourceError
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive_some()
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body)
