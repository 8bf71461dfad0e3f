"""What has come of a client and is not served yet. Pure."""

from __future__ import annotations

from manor.front.framing import HeadLimits
from manor.front.http1 import ParsedHead, parse_head


class Buffer:
    """The bytes of a connection, from the next request's first one on.

    Args:
        limits: How large a request's head may be.

    Attributes:
        owes: Whether a request is answered of whose body something is still to come.
    """

    __slots__ = ("_data", "_known", "_limits", "_place", "_seen", "owes")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._data = b""
        self._place = 0
        self._seen = 0
        self._known: tuple[bytes, ParsedHead] | None = None
        self.owes = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come behind what is served."""
        return self._place == len(self._data)

    @property
    def rest(self) -> bytes:
        """All that has come and is not served."""
        return self._data[self._place :]

    @property
    def asks_head(self) -> bool:
        """Whether what comes next begins as a HEAD request."""
        return self._data.startswith(b"HEAD ", self._place)

    def add(self, data: bytes) -> None:
        """More has come."""
        self._data = self._data + data if self._data else data

    def put(self, rest: bytes) -> None:
        """Somebody else has read up to here: only this is left."""
        self._data, self._place, self._seen, self.owes = rest, 0, 0, False

    def settle(self) -> bool:
        """Drop what is served, and wait for more; gives whether something is left."""
        if self._place:
            self._data, self._place = self._data[self._place :], 0
        self._seen = len(self._data)
        return bool(self._data)

    def head(self, *, is_first: bool) -> ParsedHead | None:
        """The next request's head; None while it is not whole.

        Args:
            is_first: Whether nothing was asked before. Who asks again and again asks with the same head, which is then
                kept, and is not read again.

        Raises:
            HeadFault: It is refused.
        """
        if self.is_empty:
            return None
        known = self._known
        if known is not None and self._data.startswith(known[0], self._place):
            same = known[1]
            same.end = self._place + len(known[0])
            return same
        parsed = parse_head(self._data, self._limits, self._place, self._seen)
        if parsed is not None:
            self._seen = 0
            if not is_first:
                self._known = self._data[self._place : parsed.end], parsed
        return parsed

    def body(self, parsed: ParsedHead) -> bytes | None:
        """The body if all of it has come: the next request begins behind it. None where the client owes the rest."""
        behind = parsed.end + parsed.length
        self.owes = behind > len(self._data)
        if self.owes:
            return None
        self._place = behind
        return self._data[parsed.end : behind]

    def begun_body(self, parsed: ParsedHead) -> bytes:
        """What has come of a body that is not whole."""
        return self._data[parsed.end :]

    def forget_head(self) -> None:
        """Do not keep the last request's head any longer."""
        self._known = None
