"""Addresses as the configuration writes them: where to listen, whom to trust, what may be reached."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,62})?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62})?)*\.?")
_MAILBOX = re.compile(r'[^\s<>(),;:"\[\]\\@]+@[^\s<>(),;:"\[\]\\@]+')


@dataclass(frozen=True)
class TcpBind:
    """Listen on a host and port; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True)
class UnixBind:
    """Listen on a Unix socket."""

    path: str


@dataclass(frozen=True)
class FdBind:
    """Listen on a socket that was opened for us."""

    fd: int


Bind = TcpBind | UnixBind | FdBind


def parse_bind(text: str) -> Bind:
    """Read one `server.bind`: `127.0.0.1:8080`, `[::1]:8080`, `unix:/path` or `fd://3`.

    Raises:
        ValueError: It is none of these.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or path.startswith("//"):
            raise ValueError(f"expected unix:/path, got {text!r}")
        return UnixBind(path)
    if text.startswith("fd://"):
        number = text.removeprefix("fd://")
        if not re.fullmatch(r"[0-9]{1,4}", number):
            raise ValueError(f"expected fd://NUMBER, got {text!r}")
        return FdBind(int(number))
    host, port = _host_and_port(text, "HOST:PORT, [IPV6]:PORT, unix:/path or fd://NUMBER", least_port=0)
    return TcpBind(host, port)


def _host_and_port(text: str, expected: str, *, least_port: int) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]+)):([0-9]+)", text)
    if match is None:
        raise ValueError(f"expected {expected}, got {text!r}")
    six, host, port = match.groups()
    if six is not None:
        try:
            ipaddress.IPv6Address(six)
        except ValueError:
            raise ValueError(f"expected an IPv6 address in the brackets, got {text!r}") from None
    elif not _is_host(host):
        raise ValueError(f"expected {expected}, got {text!r}")
    if len(port) > 5 or not least_port <= int(port) <= 65535:
        raise ValueError(f"expected a port from {least_port} to 65535, got {port}")
    return six or host, int(port)


def _is_host(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            ipaddress.IPv4Address(text)
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(text) is not None


def parse_network(text: str) -> Network:
    """Read an address or network: `10.0.0.0/8`, `192.0.2.1`, `fd00::/8`.

    Raises:
        ValueError: It is neither, or has bits set to the right of its mask.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"expected an address or a network as 10.0.0.0/8, got {text!r}") from None
    raise ValueError(f"expected a network, got the address {text!r} within one; did you mean {str(loose)!r}?")


def check_target(text: str) -> None:
    """See that this is one of `server.outgoing.allow`: a network, an address, or `HOST:PORT`.

    Raises:
        ValueError: It is none of these.
    """
    try:
        parse_network(text)
    except ValueError:
        if "/" in text:
            raise
        _host_and_port(text, "HOST:PORT, an address or a network as 10.0.0.0/8", least_port=1)


def check_sender(text: str) -> None:
    """See that mail may come from this: an address, or a name and `<ADDRESS>`; "" passes.

    Raises:
        ValueError: It is neither.
    """
    # Imported for this alone: every command reads a configuration, and few have a sender.
    from email.utils import parseaddr

    if text and (not text.isprintable() or not _MAILBOX.fullmatch(parseaddr(text)[1])):
        raise ValueError(f"expected an address as Manor <manor@example.org>, got {text!r}")


def check_url(text: str) -> None:
    """See that this is an http(s) address as people type it, without a trailing slash; "" passes.

    Raises:
        ValueError: It is not.
    """
    if not text:
        return
    expected = "expected an address as https://manor.example.org"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{expected}, got {text!r}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{expected}, got {text!r}")
    if "@" in parts.netloc or re.search(r"[\s\\]", text) or port == 0:
        raise ValueError(f"{expected}, got {text!r}")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError(f"{expected} without a query or fragment, got {text!r}")
    if text.endswith("/"):
        raise ValueError(f"{expected} without a trailing slash, got {text!r}")


def check_root_url(text: str) -> None:
    """See that this is an http(s) address without a path; "" passes.

    Raises:
        ValueError: It is not.
    """
    check_url(text)
    parts = urlsplit(text)
    if parts.path:
        raise ValueError(f"expected an address without a path, {parts.scheme}://{parts.netloc}, got {text!r}")


def check_origin(text: str) -> None:
    """See that this is an origin as browsers send it, or `*`.

    Raises:
        ValueError: It is neither.
    """
    if not text:
        raise ValueError("expected an origin as https://app.example.org, got ''")
    if text != "*":
        check_root_url(text)
