"""How many invites people have us send: by who asks, and to whom. In memory."""

from __future__ import annotations

import math
from uuid import UUID

from manor import Rate, RateLimiter, TooManyRequests, fold_email

TO_ONE_ADDRESS = 10
BY_ONE_PERSON = 300
"""An hour."""


class Postage:
    """Counts letters that went out; asked on the loop alone, so never inside a transaction.

    Args:
        limits: The house's.
    """

    def __init__(self, limits: RateLimiter) -> None:
        self._limits = limits

    def check(self, email: str, sender_id: UUID) -> None:
        """See that one more letter may go. What is refused for another reason costs nothing.

        Raises:
            TooManyRequests: The address, or who asks, has had theirs.
        """
        for name, who, most, whose in self._buckets(email, sender_id):
            left = self._limits.take(name, who, _HOUR, cost=0).remaining
            if left < (cost := _cost(most)):
                raise TooManyRequests(
                    f"Too many invites {whose}: {most} an hour go out", retry_after=(cost - left) * 12
                )

    def note(self, email: str, sender_id: UUID) -> None:
        """Count a letter."""
        for name, who, most, _ in self._buckets(email, sender_id):
            self._limits.take(name, who, _HOUR, cost=_cost(most))

    def _buckets(self, email: str, sender_id: UUID) -> list[tuple[str, str, int, str]]:
        return [
            ("team invites to", fold_email(email), TO_ONE_ADDRESS, "to one address"),
            ("team invites by", str(sender_id), BY_ONE_PERSON, "of one person"),
        ]


_HOUR = Rate(5, burst=300)
"""Three hundred parts of an hour."""


def _cost(most: int) -> int:
    return math.ceil(_HOUR.burst / most)
