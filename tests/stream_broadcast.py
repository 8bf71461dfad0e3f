"""Publishers for tests: real media, made by ffmpeg once, and sent to the broadcast without a network."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import trio

from manor.testing import open_test_house
from manor_stream.broadcast.service import Broadcasts, Intake
from manor_stream.media import Kind, Media
from manor_stream.parts import Shared
from manor_stream.quality import Quality

RATE = 30
SMALL = Quality(name="small", video_bitrate=100, scaled_height=46, framerate=15, cpu_usage_level=1, audio_bitrate=48)
AS_IT_COMES = Quality(name="as it comes", video_passthrough=True, audio_passthrough=True)


LONGEST = 12
"""Seconds of what is recorded, once for each kind of recording."""


def recorded(
    *, seconds: int = LONGEST, video: bool = True, audio: bool = True, gop: int = RATE, codec: str = "libx264"
) -> tuple[Media, ...]:
    """What an encoder would send: a small test picture and a tone.

    Args:
        seconds: How long it is; `LONGEST` at most.
        video: Whether there is a picture.
        audio: Whether there is a tone.
        gop: Frames from key frame to key frame.
        codec: Of the picture.
    """
    return tuple(each for each in _recorded(video, audio, gop, codec) if each.timestamp < seconds * 1000)


@cache
def _recorded(video: bool, audio: bool, gop: int, codec: str) -> tuple[Media, ...]:
    if not (video and audio):
        wanted = Kind.VIDEO if video else Kind.AUDIO
        return tuple(each for each in _recorded(True, True, gop, codec) if each.kind is wanted)
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=s=160x90:r={RATE}:d={LONGEST}"]
    command += ["-f", "lavfi", "-i", f"sine=r=44100:d={LONGEST}", "-c:v", codec, "-g", str(gop), "-pix_fmt", "yuv420p"]
    command += ["-preset", "ultrafast", "-tune", "zerolatency"] if codec == "libx264" else []
    command += ["-c:a", "aac", "-ac", "2", "-f", "flv", "pipe:1"]
    return tuple(tags_of(subprocess.run(command, check=True, capture_output=True).stdout))


def tags_of(flv: bytes) -> list[Media]:
    """Audio and video of a file."""
    found: list[Media] = []
    at = 13
    while at + 11 < len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        timestamp = int.from_bytes(flv[at + 4 : at + 7], "big") | flv[at + 7] << 24
        if flv[at] != Kind.DATA.value:
            found.append(Media.of(Kind(flv[at]), timestamp, flv[at + 11 : at + 11 + size]))
        at += 11 + size + 4
    return found


class Encoder:
    """A publisher that the tests play."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.address = address
        self.silence = 0.0
        self.dropped: list[str] = []

    def silent_seconds(self) -> float:
        return self.silence

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)


async def send(intake: Intake, media: Sequence[Media], *, speed: float = 1.0, begin: int = 0) -> None:
    """Send it as fast as it plays, times `speed`; its times begin at `begin` milliseconds."""
    started = trio.current_time()
    first = media[0].timestamp if media else 0
    for each in media:
        at = started + (each.timestamp - first) / 1000 / speed
        if at > trio.current_time():
            await trio.sleep_until(at)
        await intake.take(Media.of(each.kind, each.timestamp + begin, each.data))


async def until(is_so: Callable[[], Any], *, seconds: float = 15.0) -> None:
    """Wait for something that happens on its own: another process works on it."""
    with trio.fail_after(seconds):
        while not is_so():  # noqa: ASYNC110 - an encoder's work has no event
            await trio.sleep(0.01)


@asynccontextmanager
async def broadcasting(folder: Path, **settings: Any) -> AsyncIterator[tuple[Shared, Broadcasts]]:
    """A house with real threads and processes, and these settings."""
    config = {"plugins": {"stream": {"rtmp_bind": ""}}}
    async with open_test_house(folder, plugins=["stream"], config=config, inline=False) as house:
        shared = shared_of(house)
        if settings:
            await shared.settings.change(**settings)
        yield shared, shared.broadcasts


def shared_of(house: Any) -> Shared:
    """What the stream's parts use in a house."""
    plugin = next(each for each in house.plugins if each.name == "stream")
    shared: Shared = plugin.instance.parts[0]._shared
    return shared
