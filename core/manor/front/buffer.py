"""What has come of a client and is not served yet. Pure."""

from __future__ import annotations

from manor.front.framing import END_OF_HEAD, HeadLimits
from manor.front.http1 import ParsedHead, parse_head

MOST_KEPT = 512
LONGEST_KEPT = 1024
"""Heads that are known by their bytes, and bytes of the longest: half a megabyte at most."""


class Heads:
    """Heads that were read, by their bytes: who asks again and again asks with the same one.

    Of these `end` says nothing: it is where they stood first.
    """

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[bytes, ParsedHead] = {}

    def keep(self, sent: bytes, parsed: ParsedHead) -> None:
        """Know it from now on, without the blank line at its end."""
        if len(sent) <= LONGEST_KEPT:
            if len(self.known) >= MOST_KEPT:
                self.known.clear()
            self.known[sent] = parsed


class Buffer:
    """The bytes of a connection, from the next request's first one on.

    Args:
        limits: How large a request's head may be.
        heads: What all connections of a door have been asked with.

    Attributes:
        owes: Whether a request is answered of whose body something is still to come.
    """

    __slots__ = ("_body_at", "_data", "_heads", "_limits", "_place", "_seen", "owes")

    def __init__(self, limits: HeadLimits, heads: Heads) -> None:
        self._limits = limits
        self._heads = heads
        self._data = b""
        self._place = 0
        self._seen = 0
        self._body_at = 0
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
            is_first: Whether nothing was asked before: most streams are a connection's first request and its last, and
                their heads are not kept.

        Raises:
            HeadFault: It is refused.
        """
        if self.is_empty:
            return None
        end = self._data.find(END_OF_HEAD, self._place)
        sent = self._data[self._place : end] if end >= 0 else b""
        parsed = self._heads.known.get(sent)
        if parsed is not None:
            self._body_at = end + len(END_OF_HEAD)
            return parsed
        parsed = parse_head(self._data, self._limits, self._place, self._seen)
        if parsed is not None:
            self._body_at, self._seen = parsed.end, 0
            if not is_first:
                self._heads.keep(sent, parsed)
        return parsed

    def body(self, parsed: ParsedHead) -> bytes | None:
        """The body if all of it has come: the next request begins behind it. None where the client owes the rest."""
        behind = self._body_at + parsed.length
        self.owes = behind > len(self._data)
        if self.owes:
            return None
        self._place = behind
        return self._data[self._body_at : behind]

    @property
    def begun_body(self) -> bytes:
        """What has come of a body that is not whole."""
        return self._data[self._body_at :]
