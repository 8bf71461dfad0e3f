"""What stands around encoders' connections, for tests: takes what they publish, and serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
import trio
from trio.testing import memory_stream_pair

from manor import Metrics, RateLimiter
from manor.testing import SetClock
from manor_stream.broadcast.service import Busy, Publisher, Unplayable
from manor_stream.ingest.counting import IngestMetrics
from manor_stream.ingest.encoder import Encoder, Reception
from manor_stream.logbook import Logbook
from manor_stream.media import Media
from tests.stream_rtmp import TestEncoder

KEY = "the-right-key"


class Taken:
    """What came of one publisher."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.described: list[Mapping[str, Any]] = []
        self.media: list[Media] = []
        self.gone_for: list[str] = []
        self.is_full = False
        self.refuses: Unplayable | None = None

    def describe(self, raw: Mapping[str, Any]) -> None:
        self.described.append(raw)

    async def take(self, media: Media) -> None:
        if self.refuses is not None:
            raise self.refuses
        if self.is_full:
            await trio.sleep_forever()
        self.media.append(media)

    def gone(self, reason: str) -> None:
        self.gone_for.append(reason)


class Stage:
    """Takes one publisher at a time, in place of the broadcast."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []

    def accept(self, publisher: Publisher) -> Taken:
        if self.taken and not self.taken[-1].gone_for:
            raise Busy("Somebody else is publishing")
        self.taken.append(Taken(publisher))
        return self.taken[-1]

    @property
    def last(self) -> Taken:
        return self.taken[-1]


class Ingest:
    """Serves connections without a network."""

    nursery: trio.Nursery

    def __init__(self) -> None:
        self.stage = Stage()
        self.metrics = Metrics()
        self.logbook = Logbook(SetClock(datetime(2030, 1, 2, 12, tzinfo=UTC)), structlog.get_logger(), lambda: ())
        self.guesses: Callable[[str], None] = lambda key: None
        self.open = 0
        self.is_closed = trio.Event()
        self.reception = Reception(
            check_key=self._check_key,
            broadcasts=self.stage,
            logbook=self.logbook,
            limits=RateLimiter(),
            counted=IngestMetrics(self.metrics),
            most_bits=1_000_000,
        )

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until `close`."""
        try:
            async with trio.open_nursery() as self.nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.is_closed.set()

    def close(self) -> None:
        """As when the house closes."""
        self.nursery.cancel_scope.cancel()

    def connect(self, address: str = "192.0.2.1") -> TestEncoder:
        """An encoder of that address."""
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, ours, address)
        return TestEncoder(theirs)

    async def publisher(self) -> TestEncoder:
        """One that is accepted."""
        encoder = self.connect()
        assert await encoder.publish(KEY) == ("status", "NetStream.Publish.Start", "Go ahead")
        return encoder

    async def serve(self, stream: trio.abc.Stream, address: str) -> None:
        """Serve a connection."""
        self.open += 1
        try:
            await Encoder(stream, address, self.reception).serve()
        finally:
            self.open -= 1

    def _check_key(self, key: str, address: str) -> bool:
        self.guesses(key)
        return key == KEY

    def refused(self, reason: str) -> float:
        """How many were refused for it, as `/metrics` has it."""
        wanted = f'manor_refused_encoders_total{{reason="{reason}"}} '
        lines = self.metrics.render().decode().splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))
