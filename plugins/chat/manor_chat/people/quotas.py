"""How much one network address, one person or one mailbox may have us do. In memory; asked on the loop alone."""

from __future__ import annotations

from manor import Address, Rate, RateLimiter, TooManyRequests, fold_email

_HOUR = Rate(1, burst=60)
"""A bucket of an hour's minutes: what costs 60 / n of them may be had n times an hour."""

_REGISTRATIONS = 10
_MAILS = 5


def take_registration(limits: RateLimiter, address: str) -> None:
    """Count one account that somebody makes for themselves: ten an hour of one address.

    Raises:
        TooManyRequests: It has had them.
    """
    verdict = limits.take("chat registrations", Address(address), _HOUR, cost=60 // _REGISTRATIONS)
    if not verdict.allowed:
        raise TooManyRequests("Too many accounts from one address", retry_after=verdict.retry_after)


def take_invites(limits: RateLimiter, who: str, count: int) -> None:
    """Count letters that somebody has the server write to strangers: whoever has an account may make a team and ask
    people into it. A hundred at once, five a minute then.

    Raises:
        TooManyRequests: They have had them.
    """
    verdict = limits.take("chat invites", who, Rate(5, burst=100), cost=count)
    if not verdict.allowed:
        raise TooManyRequests("Too many invitations by one person", retry_after=verdict.retry_after)


def takes_mail(limits: RateLimiter, kind: str, email: str) -> bool:
    """Count one mail to a mailbox: one a minute and five an hour of a kind; False when it has had them."""
    who = fold_email(email)
    if not limits.take(f"chat {kind} mails a minute", who, Rate(1, burst=1)).allowed:
        return False
    return limits.take(f"chat {kind} mails an hour", who, _HOUR, cost=60 // _MAILS).allowed
