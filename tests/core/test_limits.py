from __future__ import annotations

import pytest
import trio
import trio.testing

from manor.config import Limits
from manor.errors import TooManyRequests
from manor.limits import UNLIMITED, Address, RateLimiter, Verdict
from manor.routing import Rate


async def test_a_bucket_allows_its_burst_then_its_rate(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=12, burst=3)

    assert [limiter.take("api", "key", rate).allowed for _ in range(4)] == [True, True, True, False]
    await trio.sleep(5)
    assert [limiter.take("api", "key", rate).allowed for _ in range(2)] == [True, False]


async def test_a_verdict_says_what_is_left_and_when_there_is_more(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=60, burst=2)

    assert limiter.take("api", "key", rate) == Verdict(True, limit=2, remaining=1, reset_in=1, retry_after=0)
    assert limiter.take("api", "key", rate) == Verdict(True, limit=2, remaining=0, reset_in=2, retry_after=0)
    assert limiter.take("api", "key", rate) == Verdict(False, limit=2, remaining=0, reset_in=2, retry_after=1)
    await trio.sleep(1)
    assert limiter.take("api", "key", rate) == Verdict(True, limit=2, remaining=0, reset_in=2, retry_after=0)


async def test_waiting_as_long_as_told_is_enough(autojump_clock: trio.testing.MockClock) -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=7)
    for _ in range(7):
        limiter.take("api", "key", rate)

    for _ in range(20):
        refused = limiter.take("api", "key", rate)
        assert not refused.allowed
        await trio.sleep(refused.retry_after)
        assert limiter.take("api", "key", rate).allowed


async def test_a_refusal_costs_nothing() -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=1)
    limiter.take("api", "key", rate)

    verdicts = {limiter.take("api", "key", rate).retry_after for _ in range(1000)}

    assert verdicts == {60}


async def test_without_a_burst_a_bucket_holds_a_minute() -> None:
    limiter = RateLimiter()
    assert sum(limiter.take("api", "key", Rate(per_minute=100)).allowed for _ in range(150)) == 100


async def test_buckets_are_apart_by_name_and_by_client() -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=1)

    taken = [limiter.take(bucket, who, rate).allowed for bucket in ("api", "publish") for who in ("a", "b")]

    assert taken == [True] * 4


async def test_a_cost_over_the_bucket_is_taken_from_a_full_one_and_owed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=60, burst=10)

    assert limiter.take("bytes", "key", rate, cost=25) == Verdict(True, 10, remaining=0, reset_in=25, retry_after=0)
    assert limiter.take("bytes", "key", rate).retry_after == 16


async def test_a_cost_of_nothing_only_looks() -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=2)

    assert [limiter.take("api", "key", rate, cost=0).remaining for _ in range(3)] == [2, 2, 2]


async def test_a_rate_of_zero_is_no_limit() -> None:
    verdict = RateLimiter().take("api", "key", Rate(per_minute=0))
    assert verdict == Verdict(True, UNLIMITED, UNLIMITED, reset_in=0, retry_after=0)


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_address_counts_as_what_one_subscriber_is_given(address: str, counts_as: str) -> None:
    assert str(Address(address)) == counts_as
    assert Address(address) == Address(counts_as.removesuffix("/64"))


async def test_one_ipv6_network_shares_a_bucket() -> None:
    limiter = RateLimiter()
    rate = Rate(per_minute=1)

    addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]

    assert [limiter.take("api", Address(each), rate).allowed for each in addresses] == [True, False, True]


async def test_the_factor_multiplies_addresses_only() -> None:
    limiter = RateLimiter(address_limit_factor=100)
    rate = Rate(per_minute=3)

    assert limiter.take("api", Address("192.0.2.7"), rate).limit == 300
    assert limiter.take("api", "key", rate).limit == 3


async def test_a_factor_of_zero_switches_limits_of_addresses_off() -> None:
    limiter = RateLimiter(address_limit_factor=0)
    rate = Rate(per_minute=1)

    assert all(limiter.take("api", Address("192.0.2.7"), rate).allowed for _ in range(10))
    assert [limiter.hold("streams", Address("192.0.2.7"), 1) for _ in range(10)]
    assert [limiter.take("api", "key", rate).allowed for _ in range(2)] == [True, False]


async def test_the_least_recently_used_bucket_is_forgotten_first() -> None:
    limiter = RateLimiter(most_buckets=2)
    rate = Rate(per_minute=1)
    for who in ("a", "b"):
        limiter.take("api", who, rate)
    limiter.take("api", "a", rate, cost=1)

    limiter.take("api", "c", rate)

    assert not limiter.take("api", "a", rate).allowed
    assert limiter.take("api", "b", rate).allowed


def test_a_client_holds_so_many_places_at_once() -> None:
    limiter = RateLimiter()
    first = limiter.hold("streams", "key", 2)
    with limiter.hold("streams", "key", 2):
        with pytest.raises(TooManyRequests, match="Too many open streams: 2 at once are allowed"):
            limiter.hold("streams", "key", 2)
        with pytest.raises(TooManyRequests, match="one address may have 2 at once") as refused:
            _ = [limiter.hold("streams", Address("192.0.2.7"), 2, retry_after=30) for _ in range(3)]
        assert refused.value.headers["Retry-After"] == "30"
        limiter.hold("streams", "other", 2)
        limiter.hold("uploads", "key", 2)
    limiter.hold("streams", "key", 2)
    with pytest.raises(TooManyRequests):
        limiter.hold("streams", "key", 2)

    first.release()
    first.release()

    limiter.hold("streams", "key", 2)
    with pytest.raises(TooManyRequests):
        limiter.hold("streams", "key", 2)


def test_holding_at_most_nothing_is_no_limit() -> None:
    limiter = RateLimiter()
    assert len([limiter.hold("streams", "key", 0) for _ in range(100)]) == 100


def test_the_defaults_are_safe() -> None:
    limits = Limits()
    assert (limits.header_bytes, limits.body_bytes, limits.websocket_message_bytes) == (16 << 10, 1 << 20, 256 << 10)
    assert (limits.header_seconds, limits.body_idle_seconds, limits.keep_alive_seconds) == (10, 15, 15)
    assert (limits.connections, limits.connections_per_address, limits.address_limit_factor) == (4096, 64, 1)
