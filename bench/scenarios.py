"""What is measured: the load generator's arguments for each scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Speech:
    """How the load generator speaks to a server.

    Args:
        publish: Its arguments for publishing.
        streams: Those for each kind of stream.
    """

    publish: Sequence[str]
    streams: Mapping[str, Sequence[str]]

    def publishing(self, connections: int, seconds: int, *, depth: int = 1) -> list[str]:
        """Publishes of 100 bytes that never wait, so many at once on each connection."""
        load = ["pub", "--conns", str(connections), "--window", str(depth), "--body", "100", "--secs", str(seconds)]
        return [*load, *self.publish]

    def fan_out(self, kind: str, subscribers: int, seconds: int, *, rate: int = 0) -> list[str]:
        """One topic's messages to so many streams: so many a second, or by four publishers that never wait."""
        pace = ["--rate", str(rate)] if rate else ["--conns", "4"]
        load = ["fan", "--subs", str(subscribers), "--secs", str(seconds), *pace]
        return [*load, *self.publish, *self.streams[kind]]

    def idling(self, kind: str) -> list[str]:
        """Streams on which nothing comes, and then one message."""
        return ["idle", "--subs", str(IDLE_STREAMS), "--hold", "1000", *self.publish, *self.streams[kind]]


MANOR = Speech(
    ["--pub-path", "/{t}", "--hdr", "X-Title: bench", "--hdr", "X-Priority: 3", "--hdr", "X-Tags: a,b"],
    {"sse": ["--sub", "sse", "--sub-path", "/{t}/sse"], "websocket": ["--sub", "ws", "--sub-path", "/{t}/ws"]},
)
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
    for connections in (1, 16, 64):
        yield Scenario(f"publish, {connections} connections", "publish", MANOR.publishing(connections, seconds))
    for kind in MANOR.streams:
        for subscribers in (100, 1000):
            # A steady rate well below the limit shows the latency that people feel; "max" shows the limit.
            steady = MANOR.fan_out(kind, subscribers, seconds, rate=STEADY_DELIVERIES // subscribers)
            yield Scenario(f"{kind} 1 to {subscribers}, steady", "fan-out", steady)
            yield Scenario(f"{kind} 1 to {subscribers}, max", "fan-out", MANOR.fan_out(kind, subscribers, seconds))
        yield Scenario(f"{kind}, {IDLE_STREAMS} idle", "idle", MANOR.idling(kind))
    accounts = ["--people", str(PEOPLE), "--secs", str(seconds)]
    for connections in (1, 16):
        load = ["logins", "--conns", str(connections), *accounts]
        yield Scenario(f"sign in, {connections} at once", "accounts", load, PEOPLE)
    storm = ["chat-logins", "--conns", "16", *accounts]
    yield Scenario("sign in to chat, 16 at once", "accounts", storm, PEOPLE, has_chat=True)
    yield Scenario("publish while 16 sign in", "accounts", ["flood", "--conns", "16", *accounts], PEOPLE)
    yield Scenario("check tokens, 16 connections", "accounts", ["tokens", "--conns", "16", *accounts], PEOPLE)
