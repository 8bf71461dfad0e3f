"""The daemon under measurement, with a broadcast in its memory that nobody sends: `bench.hls` starts it."""

from __future__ import annotations

import gc
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from manor import logs
from manor.config import load
from manor.daemon import Server
from manor.daemon.running import GARBAGE, server_limits, web_options
from manor.house import House, open_house
from manor.web import Front
from manor_stream.hls.part import Hls
from manor_stream.hls.window import Segment, Variant, Window

SEGMENT_BYTES = 500_000
SEGMENT_SECONDS = 2.0
LISTED = 15

SEGMENT = "/hls/0/stream-bench-20.ts"
PLAYLIST = "/hls/0/stream.m3u8"


def fill(window: Window) -> None:
    """A broadcast in full swing."""
    began = datetime(2030, 1, 1, tzinfo=UTC)
    window.begin([Variant("bench", 2_000_000, 1280, 720, 30, "")], seconds=SEGMENT_SECONDS, length=LISTED)
    for number in range(LISTED + 10):
        at = began + timedelta(seconds=number * SEGMENT_SECONDS)
        window.add(0, Segment(f"stream-bench-{number}.ts", os.urandom(SEGMENT_BYTES), SEGMENT_SECONDS, at))


def window_of(house: House) -> Window:
    """The stream's, in this process."""
    parts = (part for plugin in house.running for part in getattr(plugin.instance, "parts", ()))
    windows = [part.window for part in parts if isinstance(part, Hls)]
    assert windows, "the stream's plugin does not run"
    return windows[0]


async def serve(config: Path) -> None:
    """Serve as `manor serve` does until the process ends; says the port."""
    logs.configure("error", is_journal=False)
    loaded = load(config, {})
    async with open_house(loaded) as house:
        fill(window_of(house))
        server = Server(Front(house.dispatcher, web_options(loaded, house.counted)), server_limits(loaded))
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
        sys.stdout.flush()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        await server.serve(listeners, stop=trio.Event())


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]))
