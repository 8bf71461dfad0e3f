"""Who may take part: those who are shut out, and those who keep order. In memory, as it is on disk."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from manor import Transaction
from manor_stream.chat import store
from manor_stream.events import ChatAddressBanned, ChatNameChanged, ChatUserModerated

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_network(text: str) -> Network | None:
    """An address or a network as an administrator writes it; None for anything else.

    An IPv6 address stands for its /64, which is what one subscriber is given; one that is an IPv4 address mapped into
    IPv6 is that one, and so are networks of them.
    """
    text = text.strip().partition("%")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        try:
            return _unmapped(ipaddress.ip_network(text, strict=False))
        except ValueError:
            return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return ipaddress.ip_network(f"{address}/{64 if address.version == 6 else 32}", strict=False)


def _unmapped(network: Network) -> Network:
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")


def as_written(network: Network) -> str:
    """The network as lists have it: a single address without its length."""
    single = network.version == 4 and network.prefixlen == 32
    return str(network.network_address) if single else str(network)


class Standing:
    """Asked for every connection and every act of a moderator; events keep it right.

    Attributes:
        moderators: Their names by their ids.
    """

    def __init__(self) -> None:
        self.moderators: dict[str, str] = {}
        self._disabled: set[str] = set()
        self._banned: set[Network] = set()

    def read(self, transaction: Transaction) -> tuple[Sequence[store.Person], Sequence[store.Person], Sequence[str]]:
        """What is on disk, for `take`."""
        connection = transaction.connection
        banned = [row.address for row in store.banned(connection)]
        return store.disabled_people(connection), store.moderators(connection), banned

    def take(self, disabled: Sequence[store.Person], moderators: Sequence[store.Person], banned: Sequence[str]) -> None:
        """Begin with this."""
        self._disabled = {person.user.id for person in disabled}
        self.moderators = {person.user.id: person.user.display_name for person in moderators}
        self._banned = {network for address in banned if (network := read_network(address)) is not None}

    def is_disabled(self, user_id: str) -> bool:
        """Whether somebody may not write."""
        return user_id in self._disabled

    def is_moderator(self, user_id: str) -> bool:
        """Whether somebody keeps order now: never one who may not write."""
        return user_id in self.moderators and user_id not in self._disabled

    def is_banned(self, address: str) -> bool:
        """Whether an address is shut out."""
        if not self._banned:
            return False
        network = read_network(address)
        return network is not None and any(_holds(wider, network) for wider in self._banned)

    # --- INLINE --------------------------------------------------------------------------------------------------

    def moderated(self, event: ChatUserModerated) -> None:
        """An administrator has decided something about somebody."""
        user = event.user
        (self._disabled.discard if event.is_enabled else self._disabled.add)(user.id)
        self.moderators.pop(user.id, None)
        if store.MODERATOR in user.scopes:
            self.moderators[user.id] = user.display_name

    def renamed(self, event: ChatNameChanged) -> None:
        """A moderator's new name is the one that nobody else may have."""
        if event.user.id in self.moderators:
            self.moderators[event.user.id] = event.new_name

    def address_banned(self, event: ChatAddressBanned) -> None:
        """Somebody was shut out, or let in again."""
        network = read_network(event.address)
        if network is not None:
            (self._banned.add if event.is_banned else self._banned.discard)(network)


def _holds(wider: Network, network: Network) -> bool:
    if isinstance(wider, ipaddress.IPv4Network):
        return isinstance(network, ipaddress.IPv4Network) and network.subnet_of(wider)
    return isinstance(network, ipaddress.IPv6Network) and network.subnet_of(wider)
