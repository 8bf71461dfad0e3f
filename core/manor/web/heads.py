"""What a request says before its body, with proxies taken out of the way."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from manor.config import Network
from manor.routing import Head, Headers

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PORT = re.compile(r"^(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]+)?$")
_UNIX = ""

_ID_BYTES = 13
_IDS_AT_ONCE = 256
_new_ids: list[str] = []

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The reverse proxies whose word counts.

    Whoever connects over a Unix socket is one: the socket's permissions say who may.

    Args:
        networks: Their addresses.
    """

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        """Whether a peer is one of them; "" is a Unix socket's."""
        return address == _UNIX or (bool(self._networks) and self._contains(_address(address)))

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """Who asks, given what the peer says about it.

        Args:
            peer: The connection's other end.
            forwarded: The values of all `X-Forwarded-For` headers, in order. Each proxy adds its client's address at
                the right, so the rightmost that is no proxy of ours is the last that anyone we trust has seen.
        """
        if not forwarded or not self.trusts(peer):
            return peer
        client = peer
        for text in reversed(",".join(forwarded).split(",")):
            address = _address(text.strip())
            if address is None:
                break
            client = str(address)
            if not self._contains(address):
                break
        return client

    def _contains(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def read_head(scope: Mapping[str, Any], proxies: Proxies) -> Head:
    """Make the head of an ASGI scope of type `http` or `websocket`."""
    return make_head(
        scope.get("method", "GET"),
        origin_path(scope["raw_path"]),
        scope["query_string"],
        read_headers(scope["headers"]),
        peer=scope["client"][0] if scope.get("client") else _UNIX,
        proxies=proxies,
        scheme="https" if scope["scheme"] in ("https", "wss") else "http",
        upgrade=scope["type"] == "websocket",
    )


def make_head(
    method: str,
    path: bytes,
    query: bytes,
    headers: Headers,
    *,
    peer: str,
    proxies: Proxies,
    scheme: str = "http",
    upgrade: bool = False,
) -> Head:
    """Make a request's head of what stands in it, and of what a trusted proxy says.

    Args:
        method: Upper case, as sent.
        path: In origin form; see `origin_path`.
        query: What stands behind `?`.
        headers: See `read_headers`.
        peer: The connection's other end, "" for a Unix socket's.
        proxies: Whose word counts.
        scheme: Of the connection itself.
        upgrade: Whether it is a WebSocket handshake.
    """
    address, request_id = peer, ""
    if proxies.trusts(peer):
        forwarded = [value.decode("latin-1") for name, value in headers.raw if name == b"x-forwarded-for"]
        address = proxies.client(peer, forwarded)
        scheme = _forwarded_scheme(headers, scheme)
        request_id = headers.get("x-request-id") or ""
    if not request_id or not _ID.fullmatch(request_id):
        request_id = _new_ids.pop() if _new_ids else _another_id()
    return Head(method, path, query, headers, address, scheme, upgrade, request_id)


def _another_id() -> str:
    """Make the ids of many requests at once: asking the system for chance costs as much as all else of a head."""
    digits = secrets.token_hex(_ID_BYTES * _IDS_AT_ONCE)
    size = 2 * _ID_BYTES
    _new_ids.extend(digits[start : start + size] for start in range(0, len(digits), size))
    return _new_ids.pop()


def origin_path(raw_path: bytes) -> bytes:
    """The path of the absolute form too, which every server has to take (RFC 9112 section 3.2.2)."""
    if raw_path.startswith((b"/", b"*")):
        return raw_path
    _, slash, path = raw_path.partition(b"://")[2].partition(b"/")
    return slash + path or b"/"


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """A request's headers as everybody asks for them, of what was sent, with lower-case names."""
    return Headers(_joined_cookies(raw))


def _joined_cookies(raw: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """HTTP/2 may split a Cookie header into several, which are one again for those who read it (RFC 9113, 8.2.3)."""
    cookies = [value for name, value in raw if name == b"cookie"]
    if len(cookies) < 2:
        return raw
    return [*((name, value) for name, value in raw if name != b"cookie"), (b"cookie", b"; ".join(cookies))]


def _forwarded_scheme(headers: Headers, scheme: str) -> str:
    value = (headers.get("x-forwarded-proto") or "").rpartition(",")[2].strip().lower()
    return value if value in ("http", "https") else scheme


def _address(text: str) -> Address | None:
    match = _PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(match[1] or match[2] if match else text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
