"""Asking a house without a socket: the way of every request, from its head to the finished answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from manor.errors import TooLarge
from manor.incoming import Incoming, too_large
from manor.routing import Head, Headers, Live, Reply, Stream, WebSocket
from manor.testing.streams import Socket, SseStream, opened_socket, opened_sse

if TYPE_CHECKING:
    from manor.auth import Principal
    from manor.dispatch import Call, Dispatcher

Query = Mapping[str, str | int] | Sequence[tuple[str, str | int]]


class AnswerHeaders(Mapping[str, str]):
    """An answer's headers, found whatever their case."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __iter__(self) -> Any:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return repr(self._headers)


@dataclass(frozen=True)
class Answer:
    """A finished answer, as a client has it.

    Args:
        status: The HTTP status.
        headers: By name, whatever the case.
        body: Whole.
    """

    status: int
    headers: AnswerHeaders
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body, read as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class NotAStream(AssertionError):
    """`sse` or `websocket` was answered with something else; `answer` is what came."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"no stream was opened: {answer.status} {answer.body[:500]!r}")
        self.answer = answer


@dataclass(frozen=True)
class Client:
    """Sends requests to a house, in this process; each gives the answer that a client on the network would get.

    Calling it makes another client: `client(principals=[Principal("api_key", user_id=…)])` is believed to be that.

    Args:
        dispatcher: The house's.
        principals: What stands in for credentials; None has the credentials of the request looked at.
        headers: Sent with every request.
        address: Where requests come from.
    """

    dispatcher: Dispatcher
    principals: tuple[Principal, ...] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"

    def __call__(
        self,
        *,
        principals: Sequence[Principal] | None = None,
        headers: Mapping[str, str] | None = None,
        address: str | None = None,
    ) -> Client:
        """Another client; what is left out stays as it is here."""
        return replace(
            self,
            principals=self.principals if principals is None else tuple(principals),
            headers={**self.headers, **(headers or {})},
            address=self.address if address is None else address,
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = msgspec.UNSET,
        body: bytes | AsyncIterable[bytes] = b"",
        query: Query = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request.

        Args:
            method: Upper case.
            path: As people write it; it may carry a query.
            json: The body as anything that JSON has, structs too; sends `Content-Type: application/json`.
            body: The body as bytes, in place of `json`; or in pieces, as a client sends it whose length is not known.
            query: The query's parameters, in place of those in `path`.
            headers: Further headers.

        Raises:
            AssertionError: It was answered with a stream of events: `sse` and `websocket` are for those.
        """
        sent = dict(headers or {})
        if json is not msgspec.UNSET:
            body = msgspec.json.encode(json)
            sent = {"Content-Type": "application/json", **sent}
        call = self.dispatcher.begin(self._head(method, path, query, sent), self.principals)
        match await _finished(call, body):
            case Reply() as reply:
                return _answer(reply, is_head=method == "HEAD")
            case Stream() as stream:
                written = bytearray()

                async def write(data: bytes) -> None:
                    written.extend(data)

                await stream.run(write)
                length = {} if stream.length is None else {"Content-Length": str(stream.length)}
                headers_ = AnswerHeaders({"Content-Type": stream.content_type, **length, **stream.headers})
                return Answer(stream.status, headers_, bytes(written))
            case _:
                raise AssertionError(f"{method} {path} opens a stream: take client.sse or client.websocket")

    async def get(self, path: str, **options: Any) -> Answer:
        """`request("GET", …)`."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        """`request("POST", …)`."""
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> Answer:
        """`request("PUT", …)`."""
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> Answer:
        """`request("PATCH", …)`."""
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """`request("DELETE", …)`."""
        return await self.request("DELETE", path, **options)

    @asynccontextmanager
    async def sse(
        self, path: str, *, query: Query = (), headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[SseStream]:
        """Open an event stream: `async with client.sse("/doors/events") as events: event = await anext(events)`.

        Raises:
            NotAStream: It was answered with something else.
        """
        call = self.dispatcher.begin(self._head("GET", path, query, headers or {}), self.principals)
        finished = await _finished(call, b"")
        if not isinstance(finished, Live):
            raise NotAStream(_answer(finished))
        sent = AnswerHeaders({"Content-Type": finished.content_type, **finished.headers})
        async with opened_sse(finished, sent, call.principals) as stream:
            yield stream

    @asynccontextmanager
    async def websocket(
        self, path: str, *, query: Query = (), headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Socket]:
        """Open a WebSocket: `async with client.websocket("/doors/ws") as socket: message = await anext(socket)`.

        Raises:
            NotAStream: The handshake was answered with something else.
        """
        handshake = {"Connection": "Upgrade", "Upgrade": "websocket", **(headers or {})}
        call = self.dispatcher.begin(self._head("GET", path, query, handshake, upgrade=True), self.principals)
        finished = await _finished(call, b"")
        if not isinstance(finished, Live | WebSocket):
            raise NotAStream(_answer(finished))
        async with opened_socket(finished, call.principals) as socket:
            yield socket

    def _head(self, method: str, path: str, query: Query, headers: Mapping[str, str], *, upgrade: bool = False) -> Head:
        plain, _, in_path = path.partition("?")
        pairs = tuple(query.items()) if isinstance(query, Mapping) else tuple(query)
        sent = {"Host": "localhost", **self.headers, **headers}
        return Head(
            method=method,
            raw_path=quote(plain, safe="/%:@!$&'()*+,;=~").encode(),
            query_string=(urlencode(pairs) or in_path).encode(),
            headers=Headers([(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()]),
            address=self.address,
            upgrade=upgrade,
        )


async def _finished(call: Call, body: bytes | AsyncIterable[bytes]) -> Reply | Stream | Live | WebSocket:
    """What a door does with a request."""
    if (reply := await call.admit()) is not None:
        return reply
    if call.is_streamed:
        return await _streamed(call, body)
    if not isinstance(body, bytes):
        body = b"".join([piece async for piece in body])
    if call.body_limit and len(body) > call.body_limit:
        return call.refuse(TooLarge(f"The body is over {call.body_limit} bytes"))
    return await call.answer(body if call.body_limit else b"")


async def _streamed(call: Call, body: bytes | AsyncIterable[bytes]) -> Reply | Stream | Live | WebSocket:
    announced = len(body) if isinstance(body, bytes) else None
    if announced is not None and announced > call.body_limit:
        return call.refuse(too_large(call.body_limit))
    pieces = _Pieces(body) if isinstance(body, bytes) else aiter(body)
    return await call.answer(Incoming(pieces, limit=call.body_limit, announced=announced))


class _Pieces:
    """A body in pieces; no generator, which somebody would have to close who stops in the midst of it."""

    def __init__(self, body: bytes) -> None:
        self._left = memoryview(body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        piece, self._left = self._left[:65_536], self._left[65_536:]
        return bytes(piece)


def _answer(finished: Reply | Stream | Live | WebSocket, *, is_head: bool = False) -> Answer:
    match finished:
        case Reply():
            kind = {"Content-Type": finished.content_type} if finished.content_type else {}
            return Answer(
                finished.status, AnswerHeaders({**kind, **finished.headers}), b"" if is_head else finished.body
            )
        case Stream(status=status, headers=headers):
            return Answer(status, AnswerHeaders(headers))
        case Live(headers=headers):
            return Answer(200, AnswerHeaders(headers))
        case WebSocket():
            return Answer(101, AnswerHeaders({}))
