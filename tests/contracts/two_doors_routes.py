"""Routes with every kind of answer and of body that there is, for doors to serve."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import trio

from manor.auth import PUBLIC, Kinds
from manor.errors import Conflict
from manor.live import Entry
from manor.routing import (
    Api,
    Closing,
    Conversation,
    Door,
    Incoming,
    Later,
    Live,
    Outlet,
    Rate,
    RateHeaders,
    Reply,
    Request,
    Route,
    Stream,
    Upgrade,
    WebSocket,
    Write,
)
from tests.contracts.two_doors import PROBE_PATH, PROBED
from tests.core.web.serving import API, echo, route

LARGE = bytes(range(256)) * 2_000
RATED = Api("rated", rate_headers=RateHeaders.UNIX)
COUNTED = Api("counted", anonymous_rate=Rate(2), rate_headers=RateHeaders.SECONDS)
CLOSED = Api("closed", kinds=frozenset(("key",)), cors=False)
OPEN = Api("open", API.dialect, places=())


class Ring(msgspec.Struct):
    door: str
    count: int = 1


class Wanted(msgspec.Struct):
    door: str = "front"
    most: int = 10
    tags: list[str] = msgspec.field(default_factory=list)


# --- Whole answers -------------------------------------------------------------------------------------------------


def seen(request: Request[Any, Any]) -> Reply:
    """What a handler sees of a request."""
    head = request.head
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in head.headers]
    told = [
        head.method,
        head.raw_path.decode(),
        head.query_string.decode("latin-1"),
        dict(request.params),
        head.upgrade,
    ]
    return Reply(json.dumps([*told, headers, len(request.body or b"")]).encode())


def who(request: Request[Any, Any]) -> Reply:
    """Who asks, as a proxy that is trusted has it."""
    head = request.head
    # Behind no proxy the peer is another one at each door, and speaks another scheme.
    told = [head.address, head.scheme] if "x-forwarded-for" in head.headers else []
    return Reply(json.dumps([*told, head.request_id]).encode())


REPLIES = {
    "cookies": Reply(b"two", headers={"Set-Cookie": "a=1; Path=/\nb=2; Path=/; HttpOnly"}),
    "odd": Reply(
        b"", headers={"X-Split": "a\r\nSet-Cookie: b=c", "X-Name": "Zo\u00eb \u2603", "X-Empty": "", "X-B": " b "}
    ),
    "untyped": Reply(b"\x00\x01", content_type=""),
    "empty": Reply(),
    "204": Reply(b"not sent", 204),
    "304": Reply(b"not sent", 304, headers={"ETag": '"a"'}),
    "404": Reply(b"no", 404, "text/plain"),
    "418": Reply(b"a teapot", 418, "text/plain"),
    "599": Reply(b"nobody knows", 599, "text/plain"),
    "large": Reply(LARGE, content_type="application/octet-stream"),
    "redirect": Reply(status=303, content_type="", headers={"Location": "/hello?a=%20"}),
    "own-id": Reply(b"", headers={"X-Request-Id": "mine", "Cache-Control": "no-store"}),
}


def reply(request: Request[Any, Any]) -> Reply:
    return REPLIES[request.params["kind"]]


def refuse(request: Request[Any, Any]) -> Reply:
    raise Conflict("it rings", headers={"X-Known-As": "doorbell", "Retry-After": "7"})


def fail(request: Request[Any, Any]) -> Reply:
    raise RuntimeError("a secret")


async def never(request: Request[Any, Any]) -> None:
    await trio.sleep_forever()


async def soon(request: Request[Any, Any]) -> Ring:
    await trio.lowlevel.checkpoint()
    return Ring("soon")


def later(bring: Callable[[Later], None]) -> Callable[[Request[Any, Any]], Later]:
    """A handler whose answer comes when the loop has gone round."""

    def handler(request: Request[Any, Any]) -> Later:
        answer = Later()
        trio.lowlevel.current_trio_token().run_sync_soon(bring, answer)
        return answer

    return handler


def at_once(request: Request[Any, Any]) -> Later:
    answer = Later().map(lambda value: Ring(value, 2))
    answer.set("at once")
    return answer


async def total(request: Request[Incoming, Any]) -> Reply:
    size = 0
    async for piece in request.body:
        size += len(piece)
    return Reply(b"%d of %s" % (size, str(request.body.announced).encode()), content_type="text/plain")


# --- Answers that are written bit by bit ---------------------------------------------------------------------------


async def _write_three(write: Write) -> None:
    for piece in (b"one ", b"", b"two ", b"three"):
        await write(piece)


async def _break_off(write: Write) -> None:
    await write(b"half")
    raise OSError("the disk is gone")


async def _break_at_once(write: Write) -> None:
    raise OSError("the disk was never there")


async def _write_nothing(write: Write) -> None:
    """A stream of nothing."""


async def _write_large(write: Write) -> None:
    for start in range(0, len(LARGE), 100_000):
        await write(LARGE[start : start + 100_000])


STREAMS = {
    "three": Stream(_write_three, content_type="text/plain", headers={"X-Bits": "3"}),
    "sized": Stream(_write_three, status=203, content_type="text/plain", length=13),
    "nothing": Stream(_write_nothing),
    "no-bytes": Stream(_write_nothing, length=0),
    "large": Stream(_write_large),
    "breaks": Stream(_break_off, content_type="text/plain"),
    "sized-breaks": Stream(_break_off, length=100),
    "breaks-at-once": Stream(_break_at_once),
}


class Song:
    """A source that says three things and ends."""

    ended = Closing(4001, "the song is over")

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Nothing is kept: all is said in `pump`."""

    def detach(self, outlet: Outlet) -> None:
        """The same."""

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        for number, text in enumerate((b'{"a":1}', b"{}", b'{"long":"%s"}' % (b"x" * 70_000)), 1):
            await write(Entry(number, "verse", text, id=str(number)).frame(outlet.wire))
        return self.ended


class Fright:
    """A source that breaks after its first word."""

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Nothing is kept."""

    def detach(self, outlet: Outlet) -> None:
        """The same."""

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        await write(Entry(1, "boo", b"{}").frame(outlet.wire))
        raise RuntimeError("a secret")


class Listening:
    """A source that says back what its client says."""

    def __init__(self) -> None:
        self._words, self._heard = trio.open_memory_channel[str](10)

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Nothing is kept."""

    def detach(self, outlet: Outlet) -> None:
        """The same."""

    async def hear(self, text: str) -> None:
        if text == "break":
            raise RuntimeError("a secret")
        await self._words.send(text)

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        async for text in self._heard:
            if text == "enough":
                return Closing(4002, "enough")
            await write(Entry(1, "heard", json.dumps({"text": text}).encode()).frame(outlet.wire))
        raise AssertionError("its channel is never closed")


def listen(request: Request[Any, Any]) -> Live:
    listening = Listening()
    return Live(listening, on_message=listening.hear, message_limit=200)


async def talk(conversation: Conversation) -> None:
    """Says back what it hears; some words mean more."""
    while True:
        match await conversation.receive():
            case "now":
                if not conversation.send_now(b"at once"):
                    await conversation.send("at once")
            case "leave":
                return
            case "close":
                await conversation.close(Closing(4000, "as you wish"))
            case "break":
                raise RuntimeError("a secret")
            case "large":
                await conversation.send("x" * 70_000)
            case message:
                await conversation.send(message)


def _routes() -> tuple[Route, ...]:
    """In the order of the cases."""
    ring = Ring("front")
    return (
        route("GET", PROBE_PATH, lambda request: Reply(PROBED, content_type="text/plain")),
        *[route(method, "/seen/{name}", seen) for method in ("GET", "DELETE", "PATCH")],
        *[route(method, "/seen/{name}", seen, body=bytes) for method in ("POST", "PUT")],
        route("GET", "/who", who),
        route("GET", "/reply/{kind}", reply),
        route("GET", "/struct", lambda request: ring, status=201),
        route("GET", "/list", lambda request: [ring, ring]),
        route("GET", "/none", lambda request: None),
        route("GET", "/soon", soon),
        route("GET", "/refuses", refuse),
        route("GET", "/fails", fail),
        route("GET", "/never", never, deadline=0.02),
        route("GET", "/later/comes", later(lambda answer: answer.set(ring))),
        route("GET", "/later/refuses", later(lambda answer: answer.fail(Conflict("too late")))),
        route("GET", "/later/fails", later(lambda answer: answer.fail(RuntimeError("a secret")))),
        route("GET", "/later/never", lambda request: Later(), deadline=0.02),
        route("POST", "/later/at-once", at_once, body=bytes),
        route("POST", "/ring", lambda request: request.body, body=Ring),
        route("POST", "/maybe", lambda request: request.body, body=Ring | None),
        route("POST", "/small", echo, body=bytes, body_limit=10),
        route("POST", "/bodiless", lambda request: Reply(b"read nothing")),
        route("POST", "/total", total, body=Incoming, body_limit=200_000),
        route("POST", "/unread", lambda request: Reply(b"read nothing"), body=Incoming, body_limit=200_000),
        route("GET", "/query", lambda request: request.query, query=Wanted),
        route("GET", "/rated", lambda request: Reply(b"one"), rate=Rate(1)),
        Route("GET", "/rated/told", lambda request: Reply(b"two"), api=RATED, access=PUBLIC, rate=Rate(2)),
        Route("GET", "/counted", lambda request: Reply(b"three"), api=COUNTED, access=PUBLIC),
        Route("POST", "/closed", echo, api=CLOSED, access=Kinds("key"), body=bytes, body_limit=10),
        Route("GET", "/quick/{kind}", reply, api=OPEN, access=PUBLIC, door=Door.AT_ONCE),
        route("POST", "/bare", echo, body=bytes, body_limit=10, door=Door.BARE),
        route("GET", "/stream/{kind}", lambda request: STREAMS[request.params["kind"]]),
        route("GET", "/song", lambda request: Live(Song(), headers={"X-Own": "1"}), websocket=Upgrade.YES),
        route("GET", "/fright", lambda request: Live(Fright()), websocket=Upgrade.YES),
        route("GET", "/listen", listen, websocket=Upgrade.ONLY),
        route("GET", "/talk", lambda request: WebSocket(talk, ("new", "old"), 100), websocket=Upgrade.ONLY),
        route(
            "GET",
            "/maybe-talk",
            lambda request: WebSocket(talk) if request.head.upgrade else None,
            websocket=Upgrade.YES,
        ),
    )


ROUTES = _routes()
