"""A house whose broadcasts wait for less time, with the real ffmpeg."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import trio
from sqlalchemy import select

from manor import Event, Storage
from manor.errors import StorageFull
from manor.testing import House, open_test_house
from manor.testing.houses import hear_all
from manor_stream.broadcast.means import Means, Timing
from manor_stream.broadcast.service import Broadcasts
from manor_stream.broadcast.store import broadcasts
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.hls.window import Window
from manor_stream.on_air import OnAir
from manor_stream.transcoding import strays
from tests.stream_broadcast import AS_IT_COMES, shared_of

HASTY = Timing(grace=0.6, reset=0.5, pauses=(0.05,), storing=0.05)
SPEED = 8.0
"""Publishers of these tests send so much faster than it plays."""


@dataclass
class Disk:
    """The house's storage as broadcasts have it, on a disk that may be full, or slow.

    Args:
        storage: The house's.
        is_full: Whether nothing can be written.
        is_late: Whether nobody is told of what was written.
        free: Set while writes begin at once.
        asked: How many writes there were.
        unanswered: Of those, how many nobody was told of.
    """

    storage: Storage
    is_full: bool = False
    is_late: bool = False
    free: trio.Event = field(default_factory=trio.Event)
    asked: int = 0
    unanswered: int = 0

    def __post_init__(self) -> None:
        self.free.set()

    async def write(self, work: Any) -> Any:
        self.asked += 1
        await self.free.wait()
        if self.is_full:
            raise StorageFull("The disk is full")
        with trio.CancelScope(shield=True):
            result = await self.storage.write(work)
        if self.is_late:
            self.unanswered += 1
            await trio.sleep_forever()
        return result

    async def read(self, work: Any) -> Any:
        return await self.storage.read(work)


@dataclass
class Studio:
    """A house whose broadcasts wait for less time."""

    house: House
    disk: Disk
    means: Means
    broadcasts: Broadcasts
    heard: list[Event]
    folder: Path

    @property
    def on_air(self) -> OnAir:
        return self.means.on_air

    @property
    def window(self) -> Window:
        return self.means.window

    @property
    def told(self) -> list[type[Event]]:
        return [type(event) for event in self.heard if isinstance(event, StreamStarted | StreamStopped)]

    @property
    def encoder_pid(self) -> int:
        path = self.means.folder / strays.NAME
        return int(msgspec.json.decode(path.read_bytes())["pid"]) if path.exists() else 0

    async def row(self) -> Any:
        found = await self.means.context.storage.read(
            lambda transaction: transaction.connection.execute(select(broadcasts)).all()
        )
        return found[0] if len(found) == 1 else found


@asynccontextmanager
async def studio(
    folder: Path, *, timing: Timing = HASTY, ffmpeg: str = "ffmpeg", **settings: Any
) -> AsyncIterator[Studio]:
    config = {"plugins": {"stream": {"rtmp_bind": "", "ffmpeg": ffmpeg}}}
    async with open_test_house(folder, plugins=["stream"], config=config, inline=False) as house:
        shared = shared_of(house)
        await shared.settings.change(**{"qualities": (AS_IT_COMES,), "latency_level": 0, **settings})
        disk: Any = Disk(house.storage)
        context = replace(shared.context, storage=disk)
        means = replace(shared.broadcasts.means, context=context, timing=timing)
        own = Broadcasts(means)
        async with trio.open_nursery() as nursery:
            await nursery.start(own.run)
            yield Studio(house, disk, means, own, hear_all(house), folder)
            nursery.cancel_scope.cancel()


def probe(data: bytes) -> list[dict[str, Any]]:
    """The streams of a segment, as ffprobe finds them."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", "-f", "mpegts", "pipe:0"]
    found = subprocess.run(command, input=data, check=True, capture_output=True)
    streams: list[dict[str, Any]] = json.loads(found.stdout)["streams"]
    return sorted(streams, key=lambda stream: stream["codec_type"], reverse=True)


def lines_of(studio: Studio, variant: int = 0) -> list[str]:
    return (studio.window.playlist(variant) or b"").decode().splitlines()
