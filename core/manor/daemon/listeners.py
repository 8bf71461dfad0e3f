"""Where the daemon listens: TCP, Unix sockets, and sockets that systemd or a parent opened."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from manor.config import FdBind, TcpBind, UnixBind, parse_bind
from manor.errors import ManorError

FIRST_PASSED = 3
"""The first descriptor of socket activation (sd_listen_fds(3))."""


class CannotListen(ManorError):
    """An address is taken, forbidden, or not of this machine."""


@dataclass
class Listeners:
    """Open sockets, in the order of the configuration. They are bound; `listen` opens them to clients."""

    sockets: list[socket.socket]
    paths: list[Path]

    def listen(self, backlog: int) -> list[trio.SocketListener]:
        """Begin to take connections."""
        for opened in self.sockets:
            if not opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                opened.listen(backlog)
        return [trio.SocketListener(trio.socket.from_stdlib_socket(opened)) for opened in self.sockets]

    def addresses(self) -> list[str]:
        """What each of them is bound to: `127.0.0.1:8080`, `[::1]:8080`, `unix:/path`."""
        return [_address(opened) for opened in self.sockets]

    def close(self) -> None:
        """Close the sockets and remove what is left of Unix ones."""
        for opened in self.sockets:
            opened.close()
        for path in self.paths:
            path.unlink(missing_ok=True)


def open_listeners(binds: Iterable[str], passed: Sequence[int] = ()) -> Listeners:
    """Bind every address; nothing is taken from clients yet.

    Args:
        binds: As `[server] bind` writes them.
        passed: Descriptors of socket activation; when there are any, they stand in place of `binds`.

    Raises:
        CannotListen: One of them cannot be had; the others are closed again.
    """
    listeners = Listeners([], [])
    try:
        for bind in [f"fd://{number}" for number in passed] or binds:
            _open(bind, listeners)
    except OSError as error:
        listeners.close()
        raise CannotListen(f"cannot listen on {bind}: {error.strerror or error}") from error
    return listeners


def passed_descriptors(environ: MutableMapping[str, str], pid: int) -> list[int]:
    """The sockets that systemd opened for this process; the variables are taken away, lest a child believes them."""
    count, owner = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or owner != str(pid):
        return []
    return list(range(FIRST_PASSED, FIRST_PASSED + int(count)))


def _open(bind: str, listeners: Listeners) -> None:
    match parse_bind(bind):
        case TcpBind(host, port):
            listeners.sockets.extend(_tcp(host, port))
        case UnixBind(path):
            listeners.sockets.append(_unix(Path(path)))
            listeners.paths.append(Path(path))
        case FdBind(fd):
            listeners.sockets.append(_inherited(fd))


def _tcp(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in found:
            bound = socket.socket(family, kind, protocol)
            opened.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # `[::]` takes IPv4 too, whatever the machine's default; a name gives both versions by itself.
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, len(found) > 1)
            bound.bind(address)
            bound.setblocking(False)
    except OSError:
        for bound in opened:
            bound.close()
        raise
    return opened


def _unix(path: Path) -> socket.socket:
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _is_answered(path):
        path.unlink()  # left by a process that was killed
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o660)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


def _inherited(fd: int) -> socket.socket:
    inherited = socket.socket(fileno=os.dup(fd)) if fd < FIRST_PASSED else socket.socket(fileno=fd)
    if inherited.type != socket.SOCK_STREAM:
        inherited.detach()
        raise OSError("the descriptor is not a stream socket")
    inherited.setblocking(False)
    inherited.set_inheritable(False)
    return inherited


def _address(bound: socket.socket) -> str:
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if bound.family == socket.AF_INET6 else name[0]
    return f"{host}:{name[1]}"
