"""Clients that do not read: nobody waits for them, and they lose nothing."""

from __future__ import annotations

import trio

from tests.e2e.clients import ask, connected, listening, subscribed
from tests.e2e.conftest import Make

MESSAGES = 600
SIZE = 16_000
PUBLISHERS = 8
TINY = 4096


async def publish(port: int, published: dict[str, int], numbers: range) -> None:
    async with connected(port) as wire:
        for number in numbers:
            answer = await wire.ask("POST", "/welcome", f"{number} ".encode().ljust(SIZE, b"x"))
            assert answer.status == 200, answer
            published[answer.json["id"]] = answer.json["sequence"]


def after(began: list[str]) -> str:
    """From where a reader goes on; from the beginning when the cut left it nothing whole."""
    return f"?since_id={began[-1]}" if began else "?since=all"


async def test_slow_readers_are_closed_and_resume_without_gap_or_repetition(make: Make) -> None:
    # The client's patience, not the server's, is what this is about: no write is given up.
    limits = {"address_limit_factor": 0, "write_seconds": 300}
    daemon = make({"server": {"limits": limits}})
    daemon.start()
    port = daemon.port
    published: dict[str, int] = {}
    heard: dict[str, list[str]] = {}

    async with (
        listening(port, "welcome") as events,
        subscribed(port, "welcome") as socket,
        listening(port, "welcome", receive_buffer=TINY) as slow_events,
        subscribed(port, "welcome", receive_buffer=TINY) as slow_socket,
    ):

        async def hear_events() -> None:
            heard["events"] = [message.id for message in await events.messages(MESSAGES)]

        async def hear_socket() -> None:
            heard["socket"] = [message["id"] for message in await socket.messages(MESSAGES)]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear_events)
            nursery.start_soon(hear_socket)
            for first in range(PUBLISHERS):
                nursery.start_soon(publish, port, published, range(first, MESSAGES, PUBLISHERS))

        in_order = sorted(published, key=lambda id_: published[id_])
        assert heard["events"] == in_order
        assert heard["socket"] == in_order

        slow_heard = [message.id for message in await slow_events.to_the_end(may_be_cut=True)]
        frames, code = await slow_socket.to_the_end()
        slow_read = [message["id"] for message in frames]

    assert code in (1013, 1006), "who reads too late to be told why finds the connection cut"
    for began in (slow_heard, slow_read):
        assert len(began) < MESSAGES, "it was closed"
        assert began == in_order[: len(began)]

    async with listening(port, "welcome", query=after(slow_heard)) as again:
        rest = await again.messages(MESSAGES - len(slow_heard))
        assert slow_heard + [message.id for message in rest] == in_order
        await ask(port, "POST", "/welcome", "live again")
        assert [message.json["message"] for message in await again.messages(1)] == ["live again"]
    async with subscribed(port, "welcome", query=after(slow_read)) as again_socket:
        rest_read = await again_socket.messages(MESSAGES - len(slow_read) + 1)
        assert slow_read + [message["id"] for message in rest_read[:-1]] == in_order
        assert rest_read[-1]["message"] == "live again"
