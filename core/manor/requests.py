"""A request as every door makes it: its head, its headers, and the whole that a handler sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import UUID

from typing_extensions import TypeVar

from manor.auth import Principal

B = TypeVar("B", default=None)
Q = TypeVar("Q", default=None)


# Names that headers are asked for by are constants of the code, and spelt as bytes once.
_KEYS: dict[str, bytes] = {}
_MOST_KEYS = 1000


def _key(name: str) -> bytes:
    key = name.lower().encode("latin-1")
    if len(_KEYS) < _MOST_KEYS:
        _KEYS[name] = key
    return key


class Headers:
    """A request's headers as sent: Latin-1 text by lower-case name, the first of a name wins."""

    __slots__ = ("_first", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._first = dict(reversed(raw))

    def get(self, name: str) -> str | None:
        """The header's value, or None. Bytes above 127 come as Latin-1, as HTTP says."""
        value = self._first.get(_KEYS.get(name) or _key(name))
        return None if value is None else value.decode("latin-1")

    def get_all(self, name: str) -> list[str]:
        """The values of all header lines of that name, in their order."""
        wanted = _KEYS.get(name) or _key(name)
        if wanted not in self._first:
            return []
        return [value.decode("latin-1") for sent, value in self.raw if sent == wanted]

    @property
    def first(self) -> Mapping[bytes, bytes]:
        """The first line of each name, as sent: for those who look at many."""
        return self._first

    def is_repeated(self) -> bool:
        """Whether some name has more than one line."""
        return len(self._first) < len(self.raw)

    def has_none_of(self, names: frozenset[bytes]) -> bool:
        """Whether no header has one of these names, in lower case."""
        return names.isdisjoint(self._first)

    def __contains__(self, name: str) -> bool:
        return (_KEYS.get(name) or _key(name)) in self._first

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.raw)


# Heads and requests are not frozen, and neither is changed by anybody: one of each is made for every request, and a
# frozen one takes three times as long.
@dataclass(slots=True)
class Head:
    """A request before its body: what every door can say at once.

    Args:
        method: Upper case.
        raw_path: As on the request line, still percent-encoded, without the query.
        query_string: What stands behind `?`.
        headers: See `Headers`; names are lower case in `raw`.
        address: Who asks: the peer's address, or the forwarded one when the peer is a trusted proxy; "" for a Unix
            socket without a proxy.
        scheme: `http` or `https`.
        upgrade: Whether this is a WebSocket handshake.
        request_id: Made by the door, or taken from a trusted proxy's `X-Request-Id`.
    """

    method: str
    raw_path: bytes
    query_string: bytes = b""
    headers: Headers = field(default_factory=lambda: Headers(()))
    address: str = "127.0.0.1"
    scheme: str = "http"
    upgrade: bool = False
    request_id: str = ""
    _path: str | None = field(default=None, init=False, repr=False, compare=False)
    _parameters: tuple[tuple[str, str], ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def path(self) -> str:
        """The path decoded, for logs and errors; routes are matched segment by segment, before decoding."""
        path = self._path
        if path is None:
            path = self._path = unquote_to_bytes(self.raw_path).decode("utf-8", "replace")
        return path

    @property
    def way_back(self) -> str:
        """Where somebody goes on who has to sign in first: here, or, when a form was sent, the page that it was on."""
        if self.method in ("GET", "HEAD"):
            query = b"?" + self.query_string if self.query_string else b""
            return (self.raw_path + query).decode("latin-1")
        _, _, page = (self.headers.get("referer") or "").partition("://")
        _, slash, local = page.partition("/")
        return f"/{local}" if slash else self.raw_path.decode("latin-1")

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query's parameters in order; blank values are kept."""
        if not self.query_string:
            return ()
        parameters = self._parameters
        if parameters is None:
            text = self.query_string.decode("utf-8", "replace")
            parameters = self._parameters = tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
        return parameters

    def parameter(self, name: str) -> str | None:
        """The first query parameter of that name."""
        if not self.query_string:
            return None
        return next((value for key, value in self.parameters if key == name), None)


@dataclass(slots=True)
class Request(Generic[B, Q]):
    """One request, whole, as a handler sees it.

    Args:
        head: Method, path, headers, address.
        params: The path's parameters by name, decoded.
        body: What the route's `body` says: a struct, raw bytes, or None.
        query: The route's `query` struct, or None.
        principals: All credentials that came with it, each of them valid.
    """

    head: Head
    params: Mapping[str, str]
    body: B
    query: Q
    principals: tuple[Principal, ...] = ()

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return self.head.headers

    @property
    def person(self) -> Principal | None:
        """The first credential with a user behind it."""
        return next((principal for principal in self.principals if principal.user_id is not None), None)

    @property
    def user_id(self) -> UUID | None:
        """Who asks, or None for nobody that we know."""
        person = self.person
        return person.user_id if person else None
