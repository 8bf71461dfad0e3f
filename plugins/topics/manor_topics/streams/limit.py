"""How many streams somebody may have open at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manor import Address, Principal, RateLimiter
from manor_topics.domain import Topic
from manor_topics.payers import Payers

PER_ADDRESS = 20
"""Of those who come without a credential."""

RETRY_SECONDS = 30
"""A stream whose reader has vanished without a word is noticed by its pings, after about as long."""


class StreamLimit:
    """Counts open streams: a person's by their plan, a topic token's by the plan of who pays for the topic, those of
    strangers by their address.

    Args:
        limits: Where they are counted.
        payers: Knows plans.
    """

    def __init__(self, limits: RateLimiter, payers: Payers) -> None:
        self._limits = limits
        self._payers = payers

    async def hold(self, principals: Sequence[Principal], address: str, topic: Topic) -> Callable[[], None]:
        """Take a place for one stream, of however many topics.

        Args:
            principals: The credentials that open it; the first that has a person counts.
            address: Where it is heard.
            topic: One of those that are heard.

        Returns:
            Gives the place back; to be called once the stream is over.

        Raises:
            TooManyRequests: All places are taken.
        """
        if not principals:
            return self._limits.hold("streams", Address(address), PER_ADDRESS, retry_after=RETRY_SECONDS).release
        principal = next((each for each in principals if each.user_id is not None), principals[0])
        if principal.user_id is None:
            who, payer = principal.credential_id, await self._payers.find(topic)
        else:
            who, payer = principal.user_id, await self._payers.of_person(principal.user_id)
        most = self._payers.limit("streams", payer)
        return self._limits.hold("streams", str(who), most, retry_after=RETRY_SECONDS).release
