"""What is measured: the load generator's arguments for each scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PUBLISH = ["--pub-path", "/{t}", "--hdr", "X-Title: bench", "--hdr", "X-Priority: 3", "--hdr", "X-Tags: a,b"]
STREAMS = {
    "sse": ["--sub", "sse", "--sub-path", "/{t}/sse"],
    "websocket": ["--sub", "ws", "--sub-path", "/{t}/ws"],
}
IDLE_STREAMS = 2000
STEADY_DELIVERIES = 2000
"""A second, in all."""

PEOPLE = 40
"""Who sign in. A person's tokens are taken 300 times a minute: so many people check 12,000 before they have to wait."""


@dataclass(frozen=True)
class Scenario:
    """One run of the load generator.

    Args:
        name: how it is called in tables and chosen with --match.
        group: publish, fan-out, idle or accounts; decides which figures count, and which load generator runs:
            `accounts.py` for accounts, `loadgen.c` for all others.
        arguments: the load generator's, without port and process.
        people: how many the house knows.
        has_chat: whether they chat there.
    """

    name: str
    group: str
    arguments: list[str]
    people: int = 0
    has_chat: bool = False


def scenarios(seconds: int) -> Iterator[Scenario]:
    """Every scenario, with `seconds` of load each."""
    lasting = ["--secs", str(seconds)]
    for connections in (1, 16, 64):
        load = ["pub", "--conns", str(connections), "--body", "100", *lasting, *PUBLISH]
        yield Scenario(f"publish, {connections} connections", "publish", load)
    for kind, stream in STREAMS.items():
        for subscribers in (100, 1000):
            load = ["fan", "--subs", str(subscribers), *lasting, *PUBLISH, *stream]
            # A steady rate well below the limit shows the latency that people feel; "max" shows the limit.
            rate = str(STEADY_DELIVERIES // subscribers)
            yield Scenario(f"{kind} 1 to {subscribers}, steady", "fan-out", [*load, "--rate", rate])
            yield Scenario(f"{kind} 1 to {subscribers}, max", "fan-out", [*load, "--conns", "4"])
        load = ["idle", "--subs", str(IDLE_STREAMS), "--hold", "1000", *PUBLISH, *stream]
        yield Scenario(f"{kind}, {IDLE_STREAMS} idle", "idle", load)
    accounts = ["--people", str(PEOPLE), *lasting]
    for connections in (1, 16):
        load = ["logins", "--conns", str(connections), *accounts]
        yield Scenario(f"sign in, {connections} at once", "accounts", load, PEOPLE)
    storm = ["chat-logins", "--conns", "16", *accounts]
    yield Scenario("sign in to chat, 16 at once", "accounts", storm, PEOPLE, has_chat=True)
    yield Scenario("publish while 16 sign in", "accounts", ["flood", "--conns", "16", *accounts], PEOPLE)
    yield Scenario("check tokens, 16 connections", "accounts", ["tokens", "--conns", "16", *accounts], PEOPLE)
