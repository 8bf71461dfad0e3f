"""What clients say: maps in JSON text or in binary MessagePack."""

from __future__ import annotations

from typing import Annotated, Any

import msgpack
import msgspec
from msgspec import Meta

LONGEST = 65_536
"""Bytes of one request."""

_MOST = 2**53
"""As far as every client counts."""


class Unreadable(Exception):
    """A frame that is no map of a request."""


class SocketRequest(msgspec.Struct, frozen=True):
    """One request; `seq` counts a client's requests and comes back in the reply."""

    action: str = ""
    seq: Annotated[int, Meta(ge=-_MOST, le=_MOST)] = 0
    data: dict[str, Any] | None = None

    def text(self, name: str) -> str | None:
        """A member of the data that must be text; None where it is not."""
        value = (self.data or {}).get(name)
        return value if isinstance(value, str) else None


def read_request(message: str | bytes) -> SocketRequest:
    """A request as a frame has it.

    Raises:
        Unreadable: It is neither JSON nor MessagePack, or not the map that it should be.
    """
    try:
        if isinstance(message, str):
            return msgspec.json.decode(message, type=SocketRequest)
        # The lengths that it claims are held against its own length: nothing large is made of a small frame.
        return msgspec.convert(msgpack.unpackb(message), SocketRequest)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise Unreadable(str(error)) from error
