"""SIGTERM: whoever listens is told, whoever does not cannot hold the end up."""

from __future__ import annotations

import resource
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import trio

from tests.e2e.clients import Events, Socket, ask, connected, listening, subscribed
from tests.e2e.conftest import Make

STREAMS = 500
AT_ONCE = 20
EXIT_WITHIN = 10


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
async def test_a_stop_ends_a_thousand_streams_cleanly_whatever_a_few_others_do(make: Make) -> None:
    daemon = make({"server": {"limits": {"address_limit_factor": 0, "connections_per_address": 2000}}})
    running = daemon.start()
    daemon.create("flood")
    endings: Counter[str] = Counter()

    async def hear_events(events: Events) -> None:
        await events.to_the_end()
        endings["terminating chunk" if events.is_over else "cut"] += 1

    async def hear_socket(socket: Socket) -> None:
        _, code = await socket.to_the_end()
        endings[f"close {code}"] += 1

    async with AsyncExitStack() as open_streams, trio.open_nursery() as nursery:
        # One that never reads, with more on its way than the kernel holds for it.
        await open_streams.enter_async_context(listening(daemon.port, "flood", receive_buffer=4096))
        async with connected(daemon.port) as publisher:
            for _ in range(150):
                assert (await publisher.ask("POST", "/flood", b"x" * 65_536)).status == 200
        half = await open_streams.enter_async_context(connected(daemon.port))
        await half.send(b"POST /welcome HTTP/1.1\r\nHost: manor.test\r\nContent-Length: 100\r\n\r\nhalf of it")
        begun = await open_streams.enter_async_context(connected(daemon.port))
        await begun.send(b"POST /welcome HT")
        room = trio.CapacityLimiter(AT_ONCE)
        is_open = trio.Event()
        opened = 0

        async def open_both() -> None:
            nonlocal opened
            async with room:
                events = await open_streams.enter_async_context(listening(daemon.port, "welcome"))
                socket = await open_streams.enter_async_context(subscribed(daemon.port, "welcome"))
            nursery.start_soon(hear_events, events)
            nursery.start_soon(hear_socket, socket)
            opened += 1
            if opened == STREAMS:
                is_open.set()

        for _ in range(STREAMS):
            nursery.start_soon(open_both)
        await is_open.wait()
        count = (await ask(daemon.port, "GET", "/api/topics/welcome")).json["connection_count"]
        assert count == 2 * STREAMS

        running.signal(signal.SIGTERM)
        with trio.fail_after(EXIT_WITHIN):
            assert await running.exit_code() == 0

    assert endings == {"terminating chunk": STREAMS, "close 1001": STREAMS}
    assert "Traceback" not in running.log.text


async def test_a_request_whose_body_ends_after_the_stop_is_answered(make: Make) -> None:
    daemon = make()
    running = daemon.start()
    async with connected(daemon.port) as late, connected(daemon.port) as idle:
        assert (await idle.ask("GET", "/livez")).status == 200
        await late.send(
            b"POST /welcome HTTP/1.1\r\nHost: manor.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await late.head()).status == 100

        running.signal(signal.SIGTERM)
        assert await idle.rest() == b"", "an idle connection is closed at once"
        await late.send(b"Hello")
        answer = await late.answer()

    assert (answer.status, answer.json["message"]) == (200, "Hello")
    assert await running.exit_code() == 0
