"""How a WebSocket is opened, or not."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

import structlog

from manor.dispatch import Call
from manor.errors import BadRequest, InternalError
from manor.front.replies import render_head
from manor.routing import Head, Live, Reply, Stream, WebSocket

log = structlog.get_logger("manor.front")

_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_EARLY_FRAMES = "A WebSocket's frames came before its handshake was answered"


def accepting(head: Head, headers: Mapping[str, str], subprotocol: str | None = None) -> bytes:
    """The answer that opens a WebSocket (RFC 6455 section 4.2.2).

    Args:
        head: The handshake, which has a key.
        headers: More of them.
        subprotocol: Which one is agreed to.
    """
    key = (head.headers.get("sec-websocket-key") or "").encode("latin-1")
    accepted = hashlib.sha1(key + _ACCEPT, usedforsecurity=False).digest()
    own = {
        "upgrade": "WebSocket",
        "connection": "Upgrade",
        "sec-websocket-accept": base64.b64encode(accepted).decode("ascii"),
    }
    if subprotocol is not None:
        own["sec-websocket-protocol"] = subprotocol
    return render_head(101, "", {**own, **headers})


def agreed(offered: Sequence[str], head: Head) -> str | None:
    """The first of our subprotocols that the client asks for."""
    wanted = {word.strip() for value in head.headers.get_all("sec-websocket-protocol") for word in value.split(",")}
    return next((protocol for protocol in offered if protocol in wanted), None)


def opened(call: Call, answer: Live | WebSocket) -> bytes:
    """The answer to a handshake that is taken."""
    if isinstance(answer, Live):
        return accepting(call.head, answer.headers)
    return accepting(call.head, call.headers(), agreed(answer.subprotocols, call.head))


def too_early(call: Call) -> Reply:
    """The refusal of a client that does not wait for the answer to its handshake."""
    return call.refuse(BadRequest(_EARLY_FRAMES))


def unfit(call: Call, answer: Stream | Live | WebSocket) -> Reply | None:
    """The refusal of a handshake whose handler answered with what is no WebSocket; None for any other."""
    if not isinstance(answer, Stream):
        return None
    log.error("a handshake was answered with a stream", path=call.shown_path, owner=call.owner)
    return call.refuse(InternalError("Internal server error"))
