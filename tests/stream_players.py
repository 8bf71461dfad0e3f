"""Real segments, a real port and real players: ffmpeg makes the first and is the last."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trio

from manor.daemon import Server, ServerLimits
from manor.dispatch import Call
from manor.testing import House
from manor.web import Front, WebOptions
from manor_stream.hls.window import Segment

FRAMES = 10
"""Of every segment, in its one second."""

BEGAN = datetime(2030, 1, 2, 12, tzinfo=UTC)
PATIENCE = 30.0

_EXTINF = re.compile(r"#EXTINF:([\d.]+),\n(\S+)")


def record(folder: Path, session: str, seconds: int) -> list[Segment]:
    """Have ffmpeg encode so many segments of a second each."""
    command = f"ffmpeg -v error -f lavfi -i testsrc=size=160x90:rate={FRAMES} -f lavfi -i sine -t {seconds}"
    command += f" -c:v libx264 -preset ultrafast -g {FRAMES} -sc_threshold 0 -c:a aac -f hls -hls_time 1"
    command += f" -hls_list_size 0 -hls_segment_filename {folder}/stream-{session}-%d.ts {folder}/{session}.m3u8"
    subprocess.run(command.split(), check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    listed = _EXTINF.findall((folder / f"{session}.m3u8").read_text())
    return [
        Segment(name, (folder / name).read_bytes(), float(length), BEGAN + timedelta(seconds=place))
        for place, (length, name) in enumerate(listed)
    ]


@asynccontextmanager
async def served(house: House, fetched: Callable[[str], None] = lambda path: None) -> AsyncIterator[str]:
    """Serve a house as the daemon does; gives the URL, and tells of each path that was fetched."""

    def observe(call: Call, status: int, seconds: float) -> None:
        fetched(call.head.path)

    server = Server(Front(house.dispatcher, WebOptions(observe=observe)), ServerLimits())
    listeners: Sequence[trio.SocketListener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    stop = trio.Event()
    async with trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            await server.serve(listeners, stop=stop, task_status=task_status)

        await nursery.start(serve)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        stop.set()


async def probe(url: str, *options: str) -> str:
    """What ffprobe finds there; its complaints come first."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            ["ffprobe", "-v", "warning", *options, "-of", "compact", url], capture_stdout=True, capture_stderr=True
        )
    return done.stderr.decode() + done.stdout.decode()
