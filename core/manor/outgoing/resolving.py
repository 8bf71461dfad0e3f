"""From a host's name to addresses: once, and off the loop, because the system's resolver blocks."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence

import trio

from manor.outgoing.refusals import OutgoingFailed
from manor.outgoing.targets import IpAddress

Resolve = Callable[[str, int], Sequence[str]]
"""Takes a host and a port and returns addresses as text; may block; raises `OSError` or `UnicodeError`."""

MOST_ADDRESSES = 64
"""More in one answer are nobody's honest service."""


def ask_system(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a host, best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


async def resolve_host(resolve: Resolve, host: str, port: int, *, threads: trio.CapacityLimiter) -> list[IpAddress]:
    """All addresses of a host, each once.

    A look-up that is cancelled goes on in its thread until the resolver's own deadline; `threads` bounds how many do.

    Raises:
        OutgoingFailed: It has none, or an answer makes no sense.
    """
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        texts = await trio.to_thread.run_sync(resolve, host, port, abandon_on_cancel=True, limiter=threads)
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]
    except (OSError, ValueError) as error:
        raise OutgoingFailed(f"{host}: its address cannot be found") from error
    if not 0 < len(addresses) <= MOST_ADDRESSES:
        raise OutgoingFailed(f"{host}: it has {len(addresses)} addresses")
    return addresses
