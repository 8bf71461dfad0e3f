"""How much one client may have: rates, open streams, bytes and seconds."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import trio

from manor.errors import TooManyRequests

UNLIMITED = 2_147_483_647
"""What answers say for "no limit" where a number is wanted: the largest that every client reads."""

MOST_BUCKETS = 50_000
"""Buckets kept per name; the least recently used go first, and come back full."""


class Rate(Protocol):
    """A token bucket's size; `manor.routing.Rate` is one."""

    @property
    def per_minute(self) -> int:
        """Tokens that come back in a minute; 0 is no limit."""
        ...

    @property
    def burst(self) -> int:
        """Tokens in a full bucket; 0 for a minute's worth."""
        ...


class Address:
    """Who asks, when only the network address is known: rates and counts of it follow `address_limit_factor`.

    An IPv4 address counts whole, also one mapped into IPv6; an IPv6 address counts with its /64, which is what one
    subscriber is given. All who come without an address (a Unix socket) count as one.

    Args:
        text: As the request's head has it.
    """

    __slots__ = ("key",)

    def __init__(self, text: str) -> None:
        self.key = _network(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.key


def _network(text: str) -> str:
    if ":" not in text:
        return text
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> 64 << 64)}/64"


class Verdict(NamedTuple):
    """What a bucket says.

    Args:
        allowed: Whether the request may go on; its tokens are taken then.
        limit: Tokens in the full bucket.
        remaining: Whole tokens left.
        reset_in: Seconds until the bucket is full again, rounded up.
        retry_after: Seconds until the same request is allowed, rounded up; 0 when it is.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_in: int
    retry_after: int


_NO_LIMIT = Verdict(allowed=True, limit=UNLIMITED, remaining=UNLIMITED, reset_in=0, retry_after=0)


class Slot:
    """One place taken among those of a client; give it back with `release`, or by leaving a `with` block."""

    __slots__ = ("_counts", "_key")

    def __init__(self, counts: dict[tuple[str, str], int], key: tuple[str, str]) -> None:
        self._counts: dict[tuple[str, str], int] | None = counts
        self._key = key
        counts[key] = counts.get(key, 0) + 1

    def release(self) -> None:
        """Give the place back; twice does no harm."""
        counts, self._counts = self._counts, None
        if counts is None:
            return
        left = counts[self._key] - 1
        if left:
            counts[self._key] = left
        else:
            del counts[self._key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.release()


class Slots:
    """Counts of what is open per client: streams, connections. As large as what is open, no larger."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, name: str, who: str) -> int:
        """How many are open."""
        return self._counts.get((name, who), 0)

    def take(self, name: str, who: str, most: int) -> Slot | None:
        """Take a place, or None when `most` are open."""
        key = (name, who)
        return None if self._counts.get(key, 0) >= most else Slot(self._counts, key)


class RateLimiter:
    """Rates and counts per client, in memory: a restart forgives all.

    Time is `trio.current_time()`. Not for threads: the loop alone asks it.

    Args:
        address_limit_factor: Multiplies what an `Address` may have; 0 is no limit. May be changed at any time.
        most_buckets: Buckets kept per name.
    """

    def __init__(self, *, address_limit_factor: float = 1, most_buckets: int = MOST_BUCKETS) -> None:
        self.address_limit_factor = address_limit_factor
        self._most_buckets = most_buckets
        # A bucket is the moment at which it will be full again: one number says both tokens and time, and a bucket
        # that was forgotten is a full one.
        self._full_at: dict[str, OrderedDict[str, float]] = {}
        self._slots = Slots()

    def take(self, bucket: str, who: str | Address, rate: Rate, *, cost: int = 1) -> Verdict:
        """Take `cost` tokens of someone's bucket, if they are there.

        Args:
            bucket: What is limited, such as `notifer:anonymous`; each name has buckets of its own.
            who: A credential's or person's id, or an `Address`.
            rate: The bucket's size. It may change from call to call.
            cost: Tokens; 0 looks without taking. More than the bucket holds is taken from a full one, and owed.
        """
        per_minute = rate.per_minute
        factor = self.address_limit_factor if isinstance(who, Address) else 1
        if per_minute <= 0 or not factor:
            return _NO_LIMIT
        limit = max(1, int((rate.burst or per_minute) * factor))
        per_second = per_minute * factor / 60
        now = trio.current_time()
        buckets = self._full_at.get(bucket)
        if buckets is None:
            buckets = self._full_at[bucket] = OrderedDict()
        key = str(who)
        full_at = buckets.get(key, now)
        if full_at < now:
            full_at = now
        tokens = limit - (full_at - now) * per_second
        missing = min(limit, cost) - tokens
        # A token counts when it is all but there: sums of floats end a hair below the whole.
        allowed = missing <= 1e-6
        if allowed:
            tokens -= cost
            full_at += cost / per_second
        if cost:
            buckets[key] = full_at
            buckets.move_to_end(key)
            if len(buckets) > self._most_buckets:
                buckets.popitem(last=False)
        remaining, reset_in = max(0, int(tokens + 1e-6)), math.ceil(full_at - now - 1e-6)
        return Verdict(
            allowed, limit, remaining, reset_in, 0 if allowed else max(1, math.ceil(missing / per_second - 1e-6))
        )

    def hold(self, name: str, who: str | Address, most: int, *, retry_after: int = 1) -> Slot:
        """Take one of the `most` places that someone may have open at once.

        Args:
            name: What is counted, such as `streams`; a word for people, it stands in the error.
            who: A credential's or person's id, or an `Address`.
            most: How many; 0 is no limit.
            retry_after: Seconds after which a place may be free again, for the error.

        Raises:
            TooManyRequests: All are taken.
        """
        most = math.ceil(most * self._factor(who)) or UNLIMITED
        slot = self._slots.take(name, str(who), most)
        if slot is None:
            allowed = (
                f"one address may have {most} at once" if isinstance(who, Address) else f"{most} at once are allowed"
            )
            raise TooManyRequests(f"Too many open {name}: {allowed}", retry_after=retry_after)
        return slot

    def _factor(self, who: str | Address) -> float:
        return self.address_limit_factor if isinstance(who, Address) else 1
