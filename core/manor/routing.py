"""Routes, requests and answers: what a handler takes and gives, with no web framework in sight.

A handler takes a `Request` and returns an `Answer`. Doors (Quart behind hypercorn today) turn bytes into the
first and the second into bytes; none of them is known to a handler.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import msgspec

from manor.auth import Access, Bearer, Place, Principal
from manor.dialects import DETAIL, Dialect
from manor.incoming import Incoming as Incoming
from manor.requests import Head as Head
from manor.requests import Headers as Headers
from manor.requests import Request as Request

# --- What a handler may return -------------------------------------------------------------------------------------


# Not frozen, and never changed: two are made for every request, and a frozen one takes three times as long.
@dataclass(slots=True)
class Reply:
    """A complete answer. The door adds length, date and the API's own headers."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Later:
    """An answer that a callback brings: the handler has returned, and its work is on the way to disk.

    Exactly one of `set` and `fail` is called, on the loop. A door that pipelines takes `then`; others `await wait()`.
    """

    __slots__ = ("_callback", "_error", "_is_done", "_render", "_seal", "_value")

    def __init__(self) -> None:
        self._is_done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callback: Callable[[], None] | None = None
        self._render: Callable[[Any], Any] | None = None
        self._seal: Callable[[Later], Any] | None = None

    def set(self, value: Any) -> None:
        """The work is done; `value` is what it returned."""
        self._value, self._is_done = value, True
        if self._callback is not None:
            self._callback()

    def fail(self, error: BaseException) -> None:
        """The work failed; `error` is raised where the answer is taken."""
        self._error, self._is_done = error, True
        if self._callback is not None:
            self._callback()

    def map(self, render: Callable[[Any], Any]) -> Later:
        """Say how the value becomes an answer; called once, when the answer is taken."""
        assert self._render is None, "a Later is mapped once"
        self._render = render
        return self

    def seal(self, seal: Callable[[Later], Any]) -> Later:
        """Say what whoever takes the answer gets instead; `seal` takes it itself, with `unsealed`. For dispatch."""
        self._seal = seal
        return self

    @property
    def is_done(self) -> bool:
        """Whether the answer is here."""
        return self._is_done

    def then(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once the answer is here (at once if it is)."""
        self._callback = callback
        if self._is_done:
            callback()

    def take(self) -> Any:
        """The answer; raises what the work raised."""
        return self.unsealed() if self._seal is None else self._seal(self)

    def unsealed(self) -> Any:
        """The handler's own answer, whatever it was sealed with."""
        assert self._is_done, "taken before it was there"
        if self._error is not None:
            raise self._error
        return self._value if self._render is None else self._render(self._value)


Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class Stream:
    """A body that is written bit by bit, with back-pressure; chunked by the door where its length is not known.

    Args:
        run: Writes it.
        status: Of the answer.
        content_type: Of the answer.
        headers: More of them.
        length: Bytes that `run` writes, no more and no fewer; None where nobody knows.
    """

    run: Callable[[Write], Awaitable[None]]
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


class Wire(enum.Enum):
    """How frames travel to one outlet; a source encodes an entry once for each that is in use."""

    SSE = "sse"
    """An event as text/event-stream has it; the door frames it (ASGI, HTTP/2)."""

    SSE_CHUNK = "sse_chunk"
    """The same inside an HTTP/1.1 chunk: ready for a plain socket."""

    TEXT = "text"
    """A WebSocket message's text; the door frames it (ASGI, TLS)."""

    FRAME = "frame"
    """The same inside an RFC 6455 server frame: ready for a plain socket."""

    @property
    def is_websocket(self) -> bool:
        """Whether the outlet speaks WebSocket."""
        return self in (Wire.TEXT, Wire.FRAME)


@dataclass(frozen=True)
class Closing:
    """Why the server ends a stream: the WebSocket close code (RFC 6455 section 7.4) and a word for people."""

    code: int
    reason: str


GOING_AWAY = Closing(1001, "server is shutting down")
TOO_SLOW = Closing(1013, "too slow: resume from the last id")


class Outlet(Protocol):
    """One subscriber's end, made by the door. A source writes to it, whole frames only."""

    wire: Wire
    """How its frames look."""

    principals: tuple[Principal, ...]
    """The credentials that opened it, so that a revocation finds it."""

    send: Callable[[bytes], int] | None
    """Writes what the socket takes now, without waiting, and says how much; None when only `pump` can write.

    It never raises: a socket that is full or gone takes nothing. After a part of the bytes was taken, nothing may be
    written before the rest of them, which comes through `pump`'s `write`. While other bytes wait to leave, it takes
    nothing.
    """

    def control(self, data: bytes) -> None:
        """Queue a pong or close, to go between frames."""
        ...

    def gone(self) -> None:
        """The source ended it, and a write hangs all the same: drop the connection if nothing else ends that."""
        ...


class Source(Protocol):
    """What an outlet hears: a topic, a hundred topics, a chat socket's events."""

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Hear everything from here on; `cursor` says where a replay begins. Synchronous."""
        ...

    def detach(self, outlet: Outlet) -> None:
        """Hear no more. Synchronous; twice does no harm."""
        ...

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        """Write frames as they come until the source ends the outlet; says why it did. One frame a `write` on the
        `TEXT` wire, one or more on the others. The door detaches afterwards, however this ends.
        """
        ...


@dataclass(frozen=True)
class Live:
    """A subscription: served as SSE, or as WebSocket when the request upgrades.

    Args:
        source: What is heard.
        cursor: Where the replay begins, None for no replay.
        on_message: What to do with a text frame of a WebSocket client; None ignores them.
        message_limit: A client's longest frame in bytes; longer ones close the socket with 1009.
        headers: For the SSE answer, besides those that every event stream has.
        content_type: Of the answer over plain HTTP, where it is another stream than one of events: its source says
            everything in a voice of its own.
    """

    source: Source
    cursor: int | None = None
    on_message: Callable[[str], Awaitable[None]] | None = None
    message_limit: int = 4096
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream; charset=utf-8"


@runtime_checkable
class Conversation(Protocol):
    """An accepted WebSocket, both ways."""

    outlet: Outlet

    async def receive(self) -> str | bytes:
        """The next message; raises `ConversationOver` when the client is gone."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send one message, with back-pressure."""
        ...

    def send_now(self, *texts: bytes) -> bool:
        """Send text messages, in UTF-8, if that takes no waiting; False, and nothing of them is sent, if it does.

        What is sent so keeps its order with `send` only when no `send` is under way.
        """
        ...

    async def close(self, closing: Closing) -> None:
        """Say why, and end it."""
        ...


class ConversationOver(Exception):
    """The client ended the WebSocket, or the network did."""


@dataclass(frozen=True)
class WebSocket:
    """A conversation: the handshake is answered, then `run` has the socket until it returns."""

    run: Callable[[Conversation], Awaitable[None]]
    subprotocols: Sequence[str] = ()
    message_limit: int = 262_144


Answer = Reply | Later | Stream | Live | WebSocket | msgspec.Struct | Sequence[msgspec.Struct] | None
Handler = Callable[[Request[Any, Any]], Any]


# --- APIs and routes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """A token bucket: `per_minute` on average, `burst` at once (0: as many as a minute's)."""

    per_minute: int
    burst: int = 0


class RateHeaders(enum.Enum):
    """What answers say of the rate: `X-RateLimit-Limit`, `-Remaining` and `-Reset`."""

    NONE = "none"
    UNIX = "unix"
    """How many may come at once, and the Unix time at which as many may again."""
    SECONDS = "seconds"
    """How many may come in a second, and the seconds until the bucket is full (the Mattermost API)."""


@dataclass(frozen=True)
class Api:
    """What the routes of one API have in common.

    Args:
        name: For docs, logs and limits.
        dialect: How errors look.
        kinds: Credential kinds that open it; any other is 401.
        places: Where its clients put credentials.
        ignores_bad_credentials: On public routes: treat a bad credential as none (Owncast) instead of 401 (Notifer).
        challenge: `WWW-Authenticate` of its 401.
        anonymous_rate: Requests of one address without a credential; None for no limit.
        signed_in_rate: Requests of one credential; None for no limit.
        rate_headers: What answers say of the rates.
        headers: On every answer.
        live_headers: Gives others, asked anew for each answer: such as say what a reload changes.
        cors: Whether browsers of the configured origins may call it with a bearer credential.
        collapses_slashes: Whether a path below its prefixes means the same with a slash too many before a segment.
        prefixes: Paths without a route below these are answered in this API's dialect.
        credential_first: There, and on wrong methods, a missing credential is told before 404 and 405.
        bad_value_status: What a body that decodes and does not fit is answered with.
        unfit_credential_status: What a good credential that the route does not take is answered with: 403 or 401.
        missing_credential: The sentence of a 401 for a request that brings no credential.
        bad_credential: The sentence of a 401 for a credential that opens nothing here.
        hides_paths: Whether a path opens something by itself: logs show no more of it than the prefix.
    """

    name: str
    dialect: Dialect = DETAIL
    kinds: frozenset[str] = frozenset()
    places: tuple[Place, ...] = (Bearer(),)
    ignores_bad_credentials: bool = False
    challenge: str = "Bearer"
    anonymous_rate: Rate | None = None
    signed_in_rate: Rate | None = None
    rate_headers: RateHeaders = RateHeaders.NONE
    collapses_slashes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    live_headers: Callable[[], Mapping[str, str]] | None = None
    cors: bool = True
    prefixes: tuple[str, ...] = ()
    credential_first: bool = False
    bad_value_status: int = 422
    unfit_credential_status: int = 403
    missing_credential: str = "A credential is needed here"
    bad_credential: str = "The credential is unknown, expired or revoked"
    hides_paths: bool = False


class Upgrade(enum.Enum):
    """Whether a route is a WebSocket."""

    NO = "no"
    YES = "yes"
    """A plain request and a handshake are both served."""
    ONLY = "only"
    """Without an upgrade: 426."""


class Door(enum.Enum):
    """Which door serves a route."""

    FRAMED = "framed"
    """Through the web framework, as everything by default."""
    BARE = "bare"
    """Before the framework: for bodies served thousands of times a second. Same `Request`."""
    AT_ONCE = "at_once"
    """As `BARE`, and where the connection allows it without a task either (HLS segments): for a GET whose handler is a
    plain function that always returns a `Reply`, without credentials."""


@dataclass(frozen=True)
class Route:
    """One operation.

    Args:
        method: Upper case. HEAD and OPTIONS are answered without being routed.
        path: Literal segments and parameters, as in `/api/topics/{topic}`.
        handler: Takes a `Request`, returns an `Answer` or an awaitable of one. A plain function must not block.
        api: What it shares with its neighbours.
        access: Who may call it. There is no default: openness is said aloud (`PUBLIC`).
        body: A struct type (JSON), `bytes` (the raw body), `Incoming` (the same, read by the handler as it comes: then
            no framework is in between whatever `door` says), or None (whatever comes is not read); `Struct | None`
            and `bytes | None` may be left out.
        query: A struct type whose members are the query's parameters; lists take repeated ones.
        returns: The type of the answer, for OpenAPI.
        status: Of a struct that the handler returns.
        summary: One line for OpenAPI and `manor routes`; the handler's docstring when empty.
        websocket: See `Upgrade`.
        door: See `Door`.
        body_limit: Bytes; 0 for the server's limit.
        deadline: Seconds for the handler, which with `Incoming` reads the body within them; streams are exempt.
        places: Places for a credential besides the API's own.
        rate: A bucket besides the API's, for this route alone, by credential or address.
        values: Values of parameters that OpenAPI lists path by path.
        headers: Request headers that the handler reads, by name, with one sentence each; for OpenAPI.
        errors: Statuses that the handler's refusals have, besides those that follow from the fields above (400, 401,
            403, 404, 413, 422, 429); for OpenAPI.
        tag: What OpenAPI groups it under; the API's name when empty.
    """

    method: str
    path: str
    handler: Handler
    api: Api = field(kw_only=True)
    access: Access = field(kw_only=True)
    body: Any = field(default=None, kw_only=True)
    query: type[msgspec.Struct] | None = field(default=None, kw_only=True)
    returns: Any = field(default=None, kw_only=True)
    status: int = field(default=200, kw_only=True)
    summary: str = field(default="", kw_only=True)
    websocket: Upgrade = field(default=Upgrade.NO, kw_only=True)
    door: Door = field(default=Door.FRAMED, kw_only=True)
    body_limit: int = field(default=0, kw_only=True)
    deadline: float = field(default=60.0, kw_only=True)
    places: tuple[Place, ...] = field(default=(), kw_only=True)
    rate: Rate | None = field(default=None, kw_only=True)
    values: Mapping[str, Sequence[str]] = field(default_factory=dict, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    errors: tuple[int, ...] = field(default=(), kw_only=True)
    tag: str = field(default="", kw_only=True)
