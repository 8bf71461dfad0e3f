"""The one client for requests to other servers.

It keeps nothing between two requests: no connection, no cookie. So a target that one caller may reach is never open
to another one, and nothing that a server said comes back to it later.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpcore
import msgspec
import trio

from manor.outgoing.bodies import Body
from manor.outgoing.connecting import CheckedBackend
from manor.outgoing.hops import REDIRECTS, Hop, first_hop
from manor.outgoing.refusals import OutgoingFailed, OutgoingRefused
from manor.outgoing.resolving import Resolve, ask_system, resolve_host
from manor.outgoing.targets import IpAddress, Targets
from manor.routing import Headers

MOST_AT_ONCE = 64
"""Requests that run at the same time."""

MOST_OF_ONE_ORIGIN = 8
"""Of those, requests to one origin: one that hangs leaves room for the others."""

MOST_LOOKUPS = 8
"""Threads that ask the system's resolver."""

CONNECT_SECONDS = 5.0
"""For a look-up, and once more for a connection; the request's own deadline may come sooner."""


@dataclass(frozen=True)
class Response:
    """What a server answered.

    Args:
        status: Any; only redirects that were followed are not seen.
        headers: As sent, by lower-case name.
        body: Unpacked.
    """

    status: int
    headers: Headers
    body: bytes


class Outgoing:
    """Asks other servers, on behalf of people who may not be trusted to choose them.

    A host is looked up once; every address that it has must be public, or allowed; the connection goes to an address
    that was looked at. The same holds for each redirect. No proxy is taken from the environment.

    Args:
        allow: `[server.outgoing] allow`.
        allowed: Addresses (URLs) from the configuration, which may be private.
        resolve: Looks hosts up, in a thread.
        tls: For https; the system's authorities when not given.

    Raises:
        ValueError: One of `allow` or `allowed` cannot be read.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        allowed: Iterable[str] = (),
        *,
        resolve: Resolve = ask_system,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._targets = Targets(allow, allowed)
        self._resolve = resolve
        self._tls = tls
        self._slots = _Slots()
        self._lookups = trio.CapacityLimiter(MOST_LOOKUPS)

    def allowing(self, urls: Iterable[str]) -> Outgoing:
        """A client for which the hosts and ports of these addresses, from the configuration, are allowed too.

        It shares this one's bounds.

        Raises:
            ValueError: One of them is not http or https.
        """
        other = Outgoing(resolve=self._resolve, tls=self._tls)
        other._targets = self._targets.including(urls)
        other._slots, other._lookups = self._slots, self._lookups
        return other

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        json: Any = None,
        timeout: float = 10.0,
        most_bytes: int = 1024 * 1024,
        redirects: int = 3,
        allow_private: bool = False,
    ) -> Response:
        """Ask, and read the answer whole.

        Args:
            method: GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.
            url: http or https; without a user or password.
            headers: More of them; those of the connection itself (`Host`, `Content-Length` …) cannot be set.
            content: The body.
            json: A body in place of `content`: anything that msgspec encodes.
            timeout: Seconds for everything, redirects and waiting for a turn included.
            most_bytes: How long the body of the answer may be, unpacked.
            redirects: How many are followed; with 0 the redirect itself is the answer. To another origin go neither
                credentials nor a body.
            allow_private: The address stands in the configuration and may be private; where it redirects may not.

        Raises:
            OutgoingRefused: Nothing was sent to a target that is not allowed.
            OutgoingFailed: No answer, or none that can be taken.
        """
        extra = dict(headers or {})
        if json is not None:
            content = msgspec.json.encode(json)
            if not any(name.lower() == "content-type" for name in extra):
                extra["content-type"] = "application/json"
        hop = first_hop(method, url, extra, content)
        targets = self._targets.including([str(hop.url)]) if allow_private else self._targets
        with trio.move_on_after(timeout):
            return await self._follow(hop, targets, most_bytes=most_bytes, redirects=redirects)
        raise OutgoingFailed(f"{hop.host}: no answer within {timeout:g} s")

    def check(self, url: str) -> None:
        """See, before anything is asked, whether an address can be asked at all; where names lead is seen later.

        Raises:
            OutgoingRefused: It never will be, as the configuration is.
        """
        hop = first_hop("GET", url, {}, b"")
        if not self._targets.may_permit(hop.host, hop.port):
            raise OutgoingRefused(_not_public(hop.host, hop.port))

    async def _follow(self, hop: Hop, targets: Targets, *, most_bytes: int, redirects: int) -> Response:
        for left in range(redirects, -1, -1):
            answer = await self._ask(hop, targets, most_bytes=most_bytes, is_final=redirects == 0)
            if isinstance(answer, Response):
                return answer
            if left:
                hop = hop.redirected(answer.status, answer.location)
        raise OutgoingFailed(f"{hop.host}: more than {redirects} redirects")

    async def _ask(self, hop: Hop, targets: Targets, *, most_bytes: int, is_final: bool) -> Response | _Redirect:
        async with self._slots.hold(hop.origin):
            with trio.move_on_after(CONNECT_SECONDS) as patience:
                addresses = await self._addresses(hop, targets)
            if patience.cancelled_caught:
                raise OutgoingFailed(f"{hop.host}: its address was not found within {CONNECT_SECONDS:g} s")
            try:
                return await self._exchange(hop, addresses, most_bytes=most_bytes, is_final=is_final)
            except OutgoingFailed as failed:
                raise OutgoingFailed(f"{hop.host}: {failed}") from failed
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
                raise OutgoingFailed(f"{hop.host}: {_told(error)}") from error

    async def _addresses(self, hop: Hop, targets: Targets) -> list[IpAddress]:
        addresses = await resolve_host(self._resolve, hop.host, hop.port, threads=self._lookups)
        for address in addresses:
            if not targets.permit(hop.host, hop.port, address):
                raise OutgoingRefused(f"{hop.host}: {_not_public(str(address), hop.port)}")
        return addresses

    async def _exchange(
        self, hop: Hop, addresses: list[IpAddress], *, most_bytes: int, is_final: bool
    ) -> Response | _Redirect:
        # A pool of one connection, for one request: it does the choosing between plain and TLS.
        async with httpcore.AsyncConnectionPool(
            ssl_context=await self._tls_context() if hop.url.scheme == "https" else None,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=CheckedBackend(addresses),
        ) as pool:
            url = httpcore.URL(
                scheme=hop.url.raw_scheme, host=hop.url.raw_host, port=hop.url.port, target=hop.url.raw_path
            )
            # The whole has its deadline from the caller; only connecting has one of its own.
            async with pool.stream(
                hop.method,
                url,
                headers=hop.sent_headers(),
                content=_Content(hop.body) if hop.body else None,
                extensions={"timeout": {"connect": CONNECT_SECONDS}},
            ) as answer:
                headers = Headers([(name.lower(), value) for name, value in answer.headers])
                location = headers.get("location")
                if answer.status in REDIRECTS and location is not None and not is_final:
                    return _Redirect(answer.status, location)
                body = Body(headers.get("content-encoding") or "", most=most_bytes)
                return Response(answer.status, headers, await _read(answer, body))

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            # Reading the authorities takes tens of milliseconds.
            self._tls = await trio.to_thread.run_sync(ssl.create_default_context)
        return self._tls


@dataclass(frozen=True)
class _Redirect:
    status: int
    location: str


class _Content:
    """A request's body, for one request.

    Not httpcore's own, which is an async generator: of a server that answers before it has read all, it is left
    unfinished to the garbage collector.
    """

    def __init__(self, body: bytes) -> None:
        self._pieces = iter([body])

    def __aiter__(self) -> _Content:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


async def _read(answer: httpcore.Response, body: Body) -> bytes:
    failed: OutgoingFailed | None = None
    try:
        async for piece in answer.aiter_stream():
            if failed is None:
                try:
                    body.take(piece)
                except OutgoingFailed as error:
                    failed = error
                    # To break out here would leave httpcore's generators, one within the other, to the garbage
                    # collector. They end by themselves once there is no connection to read from.
                    await answer.extensions["network_stream"].aclose()
    except httpcore.NetworkError:
        if failed is None:
            raise
    if failed is not None:
        raise failed
    return body.finish()


class _Slots:
    """Bounds how many requests run at once: in all, and to one origin."""

    def __init__(self) -> None:
        self._all = trio.CapacityLimiter(MOST_AT_ONCE)
        self._of: dict[tuple[str, str, int], trio.CapacityLimiter] = {}
        self._users: Counter[tuple[str, str, int]] = Counter()

    @asynccontextmanager
    async def hold(self, origin: tuple[str, str, int]) -> AsyncIterator[None]:
        """Wait for a turn and have it."""
        self._users[origin] += 1
        try:
            # First the origin's: who waits for a slow server takes no room from the others.
            async with self._of.setdefault(origin, trio.CapacityLimiter(MOST_OF_ONE_ORIGIN)), self._all:
                yield
        finally:
            self._users[origin] -= 1
            if not self._users[origin]:
                del self._users[origin], self._of[origin]


def _not_public(address: str, port: int) -> str:
    return f"{address} port {port} is not public; [server.outgoing] allow can name it"


def _told(error: Exception) -> str:
    match error:
        case httpcore.ConnectTimeout():
            return "no connection in time"
        case httpcore.ConnectError():
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, ssl.SSLError):
                cause = cause.__cause__ or cause.__context__
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"its certificate cannot be trusted: {cause.verify_message}"
            return "no connection" if cause is None else f"no TLS: {cause.reason}"
        case httpcore.ProtocolError():
            return "the answer is not HTTP"
        case _:
            return "the connection broke"
