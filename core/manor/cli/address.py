"""Where the running daemon is, as seen from a shell on the same machine."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from manor.cli.failures import Failure, Misuse

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - bound there, reached over loopback


@dataclass(frozen=True)
class Address:
    """A daemon's HTTP door.

    Args:
        host: A name or address; of a Unix socket `localhost`.
        port: 0 for a Unix socket.
        is_tls: Whether it speaks HTTPS.
        unix: The Unix socket's path, or None.
        prefix: What stands before every path, without a trailing slash.
    """

    host: str
    port: int
    is_tls: bool = False
    unix: str | None = None
    prefix: str = ""

    def __str__(self) -> str:
        if self.unix is not None:
            return f"unix:{self.unix}"
        return f"{'https' if self.is_tls else 'http'}://{self.authority}{self.prefix}"

    @property
    def authority(self) -> str:
        """What goes into a `Host` header."""
        if self.unix is not None:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def connect(self, timeout: float) -> HTTPConnection:
        """A connection for plain requests; nothing is sent yet."""
        if self.unix is not None:
            return _UnixConnection(self.unix, timeout)
        kind = HTTPSConnection if self.is_tls else HTTPConnection
        return kind(self.host, self.port, timeout=timeout)


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def daemon_address(config: Path | None, url: str | None) -> Address:
    """Find the daemon: the URL that was given, else the first address that the configuration binds.

    Raises:
        Failure: The URL is none (exit 2), or the configuration only has sockets that systemd opens (exit 1).
        AdminFault: The configuration is wrong.
    """
    return _of_url(url) if url else _of_configuration(config)


def _of_url(url: str) -> Address:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misuse(f"--url: expected an address as http://127.0.0.1:8080, got {url!r}")
    is_tls = parts.scheme == "https"
    return Address(parts.hostname, port or (443 if is_tls else 80), is_tls, prefix=parts.path.rstrip("/"))


def _of_configuration(config: Path | None) -> Address:
    from manor.config import TcpBind, UnixBind, load, parse_bind

    server = load(config, os.environ).config.server
    for bind in map(parse_bind, server.bind):
        match bind:
            case UnixBind(path):
                return Address("localhost", 0, unix=path)
            case TcpBind(host, port) if port:
                return Address(_EVERYWHERE.get(host, host), port, is_tls=server.tls_cert is not None)
    if server.public_url:
        return _of_url(server.public_url)
    raise Failure("server.bind says only where systemd listens: say where with --url")
