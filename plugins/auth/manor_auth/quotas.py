"""How much people may have us do: accounts of one network address, mails to one mailbox. In memory.

Asked on the loop alone, so never inside a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from manor import Address, Rate, RateLimiter, TooManyRequests, fold_email

HOUR = Rate(1, burst=60)
"""A bucket of an hour's minutes: what costs 60 / n of them may be had n times an hour."""

MINUTE = Rate(1, burst=1)

REGISTRATIONS = 10
MAILS = 5

ADDRESSES = Rate(10)
"""That one person may try for their own."""


@dataclass(frozen=True)
class Quotas:
    """Counts.

    Args:
        limits: The house's.
    """

    limits: RateLimiter

    def take_registration(self, address: str) -> None:
        """Count one account of a network address: ten an hour.

        Raises:
            TooManyRequests: It has had them.
        """
        verdict = self.limits.take("auth registrations", Address(address), HOUR, cost=60 // REGISTRATIONS)
        if not verdict.allowed:
            raise TooManyRequests(
                f"Too many accounts from one address: {REGISTRATIONS} an hour are made", retry_after=verdict.retry_after
            )

    def take_address(self, user_id: UUID) -> None:
        """Count one address that somebody would change theirs to: ten a minute, for the answer tells who has one.

        Raises:
            TooManyRequests: They have had them.
        """
        verdict = self.limits.take("auth addresses", str(user_id), ADDRESSES)
        if not verdict.allowed:
            raise TooManyRequests(
                f"Too many e-mail addresses tried: {ADDRESSES.per_minute} a minute are", retry_after=verdict.retry_after
            )

    def takes_mail(self, kind: str, email: str) -> bool:
        """Count one mail to a mailbox: one a minute and five an hour of each kind; False when it has had them."""
        who = fold_email(email)
        if not self.limits.take(f"auth {kind} mails a minute", who, MINUTE).allowed:
            return False
        return self.limits.take(f"auth {kind} mails an hour", who, HOUR, cost=60 // MAILS).allowed
