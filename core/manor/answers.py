"""What a handler returned, made ready for a door: status, headers and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from manor.bodies import encode
from manor.errors import Unavailable, UpgradeRequired
from manor.prepared import Prepared, merge_headers
from manor.routing import Head, Live, Reply, Stream, WebSocket, Write

Finished = Reply | Stream | Live | WebSocket
"""An answer that a door can send as it is."""

# Whoever stands between must neither keep nor compress it: both would hold events back.
_EVENT_STREAM = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


def finish(answer: Any, prepared: Prepared, head: Head, headers: Mapping[str, str]) -> Finished:
    """Make an answer final.

    Args:
        answer: What the handler returned, or what its `Later` brought.
        prepared: The route.
        head: The request.
        headers: Of every answer to this call.

    Raises:
        UpgradeRequired: A conversation for a client that did not ask for a WebSocket.
        TypeError: It is no answer at all.
    """
    match answer:
        case Reply():
            return with_headers(answer, headers)
        case None:
            status = prepared.route.status
            return Reply(b"", 204 if status == 200 else status, "", headers)
        case msgspec.Struct() | list() | tuple():
            return Reply(encode(answer), prepared.route.status, headers=headers)
        case Stream(length=int()) if head.method == "HEAD":
            return replace(answer, run=_write_nothing, headers=merge_headers(headers, answer.headers))
        case Stream() if head.method == "HEAD":
            return with_headers(Reply(b"", answer.status, answer.content_type, answer.headers), headers)
        case Stream():
            return replace(answer, headers=merge_headers(headers, answer.headers))
        case Live() if head.upgrade:
            return replace(answer, headers=headers)
        case Live():
            streaming = merge_headers(merge_headers(_EVENT_STREAM, headers), answer.headers)
            if head.method == "HEAD":
                return Reply(b"", 200, answer.content_type, streaming)
            return replace(answer, headers=streaming)
        case WebSocket() if head.upgrade:
            return answer
        case WebSocket():
            raise websocket_only()
        case _:
            raise TypeError(f"{prepared.name} returned {type(answer).__name__}, which is no answer")


async def _write_nothing(write: Write) -> None:
    """The answer to HEAD: only how long it would be."""


def with_headers(reply: Reply, headers: Mapping[str, str]) -> Reply:
    """The reply with the call's headers below its own."""
    return Reply(
        reply.body,
        reply.status,
        reply.content_type,
        merge_headers(headers, reply.headers) if reply.headers else headers,
    )


def websocket_only() -> UpgradeRequired:
    """The refusal of a plain request for a WebSocket."""
    return UpgradeRequired("This path is a WebSocket", headers={"Upgrade": "websocket"})


def too_slow() -> Unavailable:
    """The refusal of a request whose handler took longer than its deadline."""
    return Unavailable("The server took too long; try again", headers={"Retry-After": "5"})
