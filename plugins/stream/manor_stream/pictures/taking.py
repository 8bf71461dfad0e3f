"""Takes a picture of the broadcast from time to time, and a second that moves."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from manor_stream.broadcast.means import Means
from manor_stream.hls.window import Segment
from manor_stream.transcoding.abilities import NoFfmpeg
from manor_stream.transcoding.children import PICTURE_NICENESS, ChildFailed, output_of

EVERY_SECONDS = 20.0
LOOK_SECONDS = 1.0
TAKE_SECONDS = 15.0

PREVIEW_SECONDS = 1
PREVIEW_RATE = 8
PREVIEW_WIDTH = 480

MOST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Pictures:
    """What was taken last; empty where there is no picture to take."""

    thumbnail: bytes = b""
    preview: bytes = b""


def thumbnail_arguments(program: str) -> list[str]:
    """The command that makes a JPEG of a segment's first frame."""
    return [
        *_reading(program),
        *("-frames:v", "1", "-q:v", "4", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg"),
        *("-f", "image2pipe", "pipe:1"),
    ]


def preview_arguments(program: str) -> list[str]:
    """The command that makes a GIF of a segment's first second, in the colours that it has."""
    taken = f"fps={PREVIEW_RATE},scale={PREVIEW_WIDTH}:-2:flags=bilinear,split[shown][looked]"
    colored = "[looked]palettegen=stats_mode=diff[colors];[shown][colors]paletteuse=dither=bayer"
    return [*_reading(program), "-t", str(PREVIEW_SECONDS), "-vf", f"{taken};{colored}", "-f", "gif", "pipe:1"]


def _reading(program: str) -> list[str]:
    return [program, "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1", "-f", "mpegts", "-i", "pipe:0"]


class Photographer:
    """Takes them while a broadcast is live.

    Args:
        means: What a broadcast works with.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._has_complained = False
        self.newest = Pictures()

    async def run(self) -> None:
        """Take pictures until cancelled. For a background task."""
        while True:
            segment = self._best_segment()
            if segment is None:
                self.newest = Pictures()
                self._has_complained = False
                await trio.sleep(LOOK_SECONDS)
                continue
            await self._take(segment)
            with trio.move_on_after(EVERY_SECONDS):
                while self._means.on_air.is_online:  # noqa: ASYNC110 - what is on the air tells nobody when it ends
                    await trio.sleep(LOOK_SECONDS)

    async def _take(self, segment: Segment) -> None:
        try:
            program = (await self._means.known.ask(self._means.ffmpeg)).path
            thumbnail = await self._shot(thumbnail_arguments(program), segment)
            self.newest = Pictures(thumbnail, self.newest.preview)
            preview = await self._shot(preview_arguments(program), segment)
            self.newest = Pictures(thumbnail, preview)
        except (ChildFailed, NoFfmpeg) as error:
            if not self._has_complained:
                self._means.logbook.warning(f"No picture of the broadcast could be taken: {error}")
            self._has_complained = True

    async def _shot(self, argv: list[str], segment: Segment) -> bytes:
        return await output_of(
            argv, segment.data, seconds=TAKE_SECONDS, niceness=PICTURE_NICENESS, most_bytes=MOST_BYTES
        )

    def _best_segment(self) -> Segment | None:
        """The newest one of the variant with the most bits that has a picture."""
        # While the broadcaster is away for some seconds viewers are shown what there is, and so is everybody else.
        if not self._means.on_air.is_online or not self._means.on_air.metadata.video_codec:
            return None
        variants = self._means.window.variants
        best = max(range(len(variants)), key=lambda place: variants[place].bandwidth, default=0)
        return self._means.window.newest(best)
