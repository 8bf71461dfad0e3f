"""Following topics of a running daemon from a shell, for as long as they are heard."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import trio
import trio_websocket

from manor.cli import Failure, NoPermission, Unavailable, refusal
from manor.cli.address import Address

SILENCE = 90.0
"""Seconds without a frame after which a connection is dead: a server pings every 25."""

LONGEST_WAIT = 30.0
CONNECT_SECONDS = 30.0
_FRAME_LIMIT = 1 << 20
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_ENDINGS: dict[int, tuple[type[Failure], str]] = {
    4401: (NoPermission, "the credential was revoked"),
    4403: (NoPermission, "the topic may not be read any longer"),
    4404: (Failure, "the topic is gone"),
}

Frame = Mapping[str, Any]


@dataclass
class Following:
    """One topic, and how far it was heard."""

    topic: str
    since: str = ""
    cursor: dict[str, str] = field(default_factory=dict)
    was_connected: bool = False

    def __post_init__(self) -> None:
        if self.since:
            self.cursor = {"since": self.since}

    def hear(self, frame: Frame) -> None:
        """Note where a new connection has to go on."""
        match frame:
            case {"type": "message", "id": str(id_)}:
                self.cursor = {"since_id": id_}
            case {"type": "ready", "timestamp": str(timestamp)} if not self.cursor:
                # Nothing was heard yet, so there is no id to go on from: go on from when listening began.
                self.cursor = {"since": timestamp}

    def resource(self, prefix: str) -> str:
        """The path and query of the topic's WebSocket."""
        query = f"?{urlencode(self.cursor)}" if self.cursor else ""
        return f"{prefix}/{quote(self.topic, safe='')}/ws{query}"


async def follow(
    address: Address, following: Following, tell: Callable[[Frame], None], *, first_wait: float = 1.0
) -> None:
    """Hear a topic until something ends it for good; a lost connection is made again and goes on where it was.

    Args:
        address: The daemon.
        following: The topic and where to begin.
        tell: Called with every frame, the pings left out.
        first_wait: Seconds before a lost connection is made again; doubled each time that fails, at most 30.

    Raises:
        Failure: The daemon cannot be reached at all (69), refused (1, 77), or ended the topic.
    """
    wait = first_wait
    while True:
        try:
            async with _connected(address, following) as socket:
                following.was_connected = True
                wait = first_wait
                await _hear(socket, following, tell)
        except trio_websocket.ConnectionRejected as refused:
            if refused.status_code not in _TRY_AGAIN:
                raise refusal(refused.status_code, _detail_of(refused)) from refused
        except trio_websocket.ConnectionClosed as closed:
            _see_whether_it_is_over(following.topic, closed)
        except (trio_websocket.HandshakeError, trio.TooSlowError, trio.BrokenResourceError, OSError) as error:
            if not following.was_connected:
                why = str(error.__cause__ or error) or "no answer in time"
                raise Unavailable(f"{address} cannot be reached: {why}") from error
        await trio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


async def _hear(socket: Any, following: Following, tell: Callable[[Frame], None]) -> None:
    while True:
        with trio.fail_after(SILENCE):
            frame = json.loads(await socket.get_message())
        if frame.get("type") == "ping":
            continue
        # Told first: a message that could not be printed is heard again.
        tell(frame)
        following.hear(frame)


@asynccontextmanager
async def _connected(address: Address, following: Following) -> AsyncIterator[Any]:
    """An open WebSocket; what goes wrong in it leaves as itself and not in a nursery's group."""
    try:
        # The stream is ours: the library leaves it open when the other side closes or refuses.
        async with await _opened(address) as stream, trio.open_nursery() as nursery:
            with trio.fail_after(CONNECT_SECONDS):
                resource = following.resource(address.prefix)
                socket = await trio_websocket.wrap_client_stream(
                    nursery, stream, address.authority, resource, max_message_size=_FRAME_LIMIT
                )
            yield socket
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _opened(address: Address) -> Any:
    with trio.fail_after(CONNECT_SECONDS):
        if address.unix is not None:
            return await trio.open_unix_socket(address.unix)
        if not address.is_tls:
            return await trio.open_tcp_stream(address.host, address.port)
        return await trio.open_ssl_over_tcp_stream(
            address.host, address.port, ssl_context=ssl.create_default_context(), https_compatible=True
        )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _detail_of(refused: Any) -> str:
    """The sentence in a refused handshake's body."""
    try:
        return str(json.loads(refused.body)["detail"])
    except (TypeError, ValueError, KeyError):
        return f"the daemon answered {refused.status_code}"


def _see_whether_it_is_over(topic: str, closed: Any) -> None:
    code = getattr(closed.reason, "code", 0)
    if code in _ENDINGS:
        failure, why = _ENDINGS[code]
        raise failure(f"{topic}: {why}")
