"""How much one client may say, and how many connections one may have."""

from __future__ import annotations

from contextlib import ExitStack

from manor import Address, Rate, RateLimiter
from manor_stream.chat.clients import Client

SPEAKING = Rate(36, burst=5)
"""Of one socket, and of one user whatever their sockets: five at once, then three in five seconds (Owncast's)."""

SPEAKING_FROM_ONE_ADDRESS = Rate(108, burst=15)
"""Three people's worth: names are free."""

FRAMES = Rate(600, burst=100)
"""Of one socket, read or not."""

CONNECTIONS_OF_A_USER = 16
CONNECTIONS_OF_AN_ADDRESS = 48


class Pace:
    """Counts.

    Args:
        limits: The house's.
    """

    def __init__(self, limits: RateLimiter) -> None:
        self._limits = limits

    def allows(self, client: Client) -> bool:
        """Whether what a client says is taken."""
        address = Address(client.address)
        return (
            self._take("stream chat: a socket", str(client.id), SPEAKING)
            and (client.user is None or self._take("stream chat: a user", client.user.id, SPEAKING))
            and self._take("stream chat: an address", address, SPEAKING_FROM_ONE_ADDRESS)
        )

    def is_flooding(self, client: Client) -> bool:
        """Whether a client sends more than anybody has a reason to, whatever it is."""
        return not self._take("stream chat: frames", str(client.id), FRAMES)

    def hold_places(self, address: str, user_id: str | None, places: ExitStack) -> None:
        """Take the places of a connection.

        Args:
            address: Where it comes from.
            user_id: Whose it is, if that is known.
            places: Gives them back.

        Raises:
            TooManyRequests: All are taken.
        """
        name = "chat connections"
        places.callback(self._limits.hold(name, Address(address), CONNECTIONS_OF_AN_ADDRESS).release)
        if user_id is not None:
            places.callback(self._limits.hold(name, user_id, CONNECTIONS_OF_A_USER).release)

    def _take(self, bucket: str, who: str | Address, rate: Rate) -> bool:
        return self._limits.take(bucket, who, rate).allowed
