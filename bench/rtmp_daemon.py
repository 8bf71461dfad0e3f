"""Ingest under measurement: writes what an encoder publishes as FLV to nowhere. `bench.rtmp` starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import structlog
import trio
import trio.testing

from manor import Metrics, RateLimiter, logs
from manor.clock import SystemClock
from manor_stream.broadcast.service import Publisher
from manor_stream.ingest.counting import IngestMetrics
from manor_stream.ingest.encoder import Encoder, Reception
from manor_stream.ingest.listener import Listener
from manor_stream.logbook import Logbook
from manor_stream.media import Media, flv_tag


class Nowhere:
    """Takes everything, from everybody."""

    def __init__(self) -> None:
        self._out = os.open(os.devnull, os.O_WRONLY)

    def accept(self, publisher: Publisher) -> Nowhere:
        return self

    def describe(self, raw: Mapping[str, Any]) -> None:
        pass

    async def take(self, media: Media) -> None:
        os.write(self._out, flv_tag(media))

    def gone(self, reason: str) -> None:
        pass


async def serve(chunk_size: int) -> None:
    """Serve until the process ends; says the port."""
    logs.configure("error")
    log = structlog.get_logger()
    logbook = Logbook(SystemClock(), log, lambda: ())
    reception = Reception(
        check_key=lambda key, address: True,
        broadcasts=Nowhere(),
        logbook=logbook,
        limits=RateLimiter(),
        counted=IngestMetrics(Metrics()),
        most_bits=100_000_000,
        chunk_size=chunk_size,
    )

    async def one(stream: trio.SocketStream, address: str) -> None:
        await Encoder(stream, address, reception).serve()

    listener = Listener(one, logbook, log)

    async def listen(task_status: trio.TaskStatus[None]) -> None:
        await listener.run("127.0.0.1", 0, said_by="the benchmark", task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(listen)
        await trio.testing.wait_all_tasks_blocked()
        sys.stdout.write(f"{listener.addresses[0][1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]))
