"""Which addresses a request may reach: public ones, and those that the admin allows. Pure; no look-ups here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}

FIRST_FREE_PORT = 1024
"""Below it only the ports of HTTP are reached: a request that somebody else words must not talk to a mail server."""

_LOCALHOST: tuple[IpAddress, ...] = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Python's own lists of what is not global grew from release to release; these are refused whatever it says.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4, given up by RFC 7526
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among them, which hides an IPv4 address
        "2001:db8::/32",
        "3fff::/20",
    )
)


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the internet at large.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4) is as public as that one. Teredo is never.
    """
    if address.is_multicast or any(address in network for network in _NEVER):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None and not is_public(address.sixtofour):
        return False
    return address in _GLOBAL_UNICAST and address.is_global


class Targets:
    """What may be reached besides the public addresses.

    Args:
        allow: As in `[server.outgoing] allow`: networks, addresses, or `HOST:PORT`. A host that is a name may lead
            wherever its name leads.
        urls: Addresses from the configuration, such as an OpenID issuer: their hosts and ports are allowed.

    Raises:
        ValueError: One of them is none of these.
    """

    def __init__(self, allow: Iterable[str] = (), urls: Iterable[str] = ()) -> None:
        networks: list[Network] = []
        places: set[tuple[str, int]] = set()
        for text in allow:
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError:
                host, _, port = text.rpartition(":")
                places.add((_folded(host), int(port)))
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
                raise ValueError(f"expected an address as https://id.example.org, got {url!r}")
            places.add((_folded(parts.hostname), parts.port or DEFAULT_PORTS[parts.scheme]))
        self._networks = tuple(networks)
        self._places = frozenset(places)

    def including(self, urls: Iterable[str]) -> Targets:
        """These and the hosts and ports of further addresses."""
        more = Targets((), urls)
        more._networks = self._networks
        more._places |= self._places
        return more

    def permit(self, host: str, port: int, address: IpAddress) -> bool:
        """Whether a connection may be made.

        Args:
            host: As the URL says.
            port: Where to.
            address: One that the host resolved to.
        """
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if (_folded(host), port) in self._places or (str(address), port) in self._places:
            return True
        if any(address in network for network in self._networks):
            return True
        return (port in DEFAULT_PORTS.values() or port >= FIRST_FREE_PORT) and is_public(address)

    def may_permit(self, host: str, port: int) -> bool:
        """Whether a connection may be made, as far as that is known without a look-up.

        Of addresses and of `localhost` (RFC 6761, 6.3) it is known; any other name may lead anywhere.
        """
        folded = _folded(host)
        known = _LOCALHOST
        if folded != "localhost" and not folded.endswith(".localhost"):
            try:
                known = (ipaddress.ip_address(folded),)
            except ValueError:
                return True
        return any(self.permit(host, port, address) for address in known)


def _folded(host: str) -> str:
    host = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host
