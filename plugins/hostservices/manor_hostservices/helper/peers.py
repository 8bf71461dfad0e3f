"""Who is at the other end of a UNIX socket, as the kernel knows it."""

from __future__ import annotations

import pwd
import socket
import struct
from dataclasses import dataclass

import trio

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Peer:
    """The process that connected, as it was then.

    Args:
        pid: Its process id.
        uid: Its user's.
    """

    pid: int
    uid: int


def peer_of(stream: trio.SocketStream) -> Peer:
    """Ask the kernel (SO_PEERCRED, unix(7))."""
    data = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return Peer(pid, uid)


def trusted_peers(user: str = "manor") -> frozenset[int]:
    """User ids that may ask: root, and the daemon's user if there is one."""
    try:
        return frozenset({0, pwd.getpwnam(user).pw_uid})
    except KeyError:
        return frozenset({0})
