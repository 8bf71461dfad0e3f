"""What viewers see when nobody broadcasts: some seconds of a plain picture, encoded as the broadcast was."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from manor_stream.transcoding.children import ENCODER_NICENESS, ChildFailed, output_of

CLIP_SECONDS = 4
RENDER_SECONDS = 60.0
COLOR = "0x17191f"
PACKET = 188
"""Bytes of an MPEG-TS packet; files have nothing else in them (ISO/IEC 13818-1, section 2.4.3.2)."""

MOST_KEPT = 50
"""Clips on disk: a publisher may have another size, and another frame rate, each time."""

RECIPE = 1
"""Part of what a clip is kept by: higher when one is made otherwise than before."""

FALLBACK_SIZE = 1280, 720
FALLBACK_RATE = 30


@dataclass(frozen=True)
class Clip:
    """A clip as it should be.

    Args:
        width: Pixels; 0 for a usual size.
        height: Pixels; 0 for a usual size.
        frame_rate: Frames a second; 0 for a usual one.
        has_video: Whether there is a picture.
        has_audio: Whether there is silence to hear.
    """

    width: int
    height: int
    frame_rate: float
    has_video: bool
    has_audio: bool

    @property
    def name(self) -> str:
        """Of its segment: the same for the same clip, and for no other."""
        return f"offline-{hashlib.sha256(repr((RECIPE, self)).encode()).hexdigest()[:16]}.ts"


def clip_arguments(program: str, clip: Clip) -> list[str]:
    """The command that writes it to its standard output."""
    width, height = (clip.width, clip.height) if clip.width and clip.height else FALLBACK_SIZE
    rate = min(clip.frame_rate or FALLBACK_RATE, 60)
    command = [program, "-hide_banner", "-nostdin", "-loglevel", "error"]
    if clip.has_video:
        size = f"{width + width % 2}x{height + height % 2}"
        command += ["-f", "lavfi", "-i", f"color=c={COLOR}:s={size}:r={rate:g}:d={CLIP_SECONDS}"]
    if clip.has_audio:
        command += ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]
    if clip.has_video:
        command += [
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-pix_fmt",
            "yuv420p",
            "-g",
            str(round(rate * CLIP_SECONDS)),
        ]
    if clip.has_audio:
        command += ["-c:a", "aac", "-b:a", "64k"]
    return [*command, "-t", str(CLIP_SECONDS), "-f", "mpegts", "pipe:1"]


class Clips:
    """Makes each clip once, and keeps it.

    Args:
        folder: Where they are kept for the next daemon.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "offline"
        self._known: dict[Clip, bytes] = {}
        self._making = trio.Lock()

    async def make(self, program: str, clip: Clip) -> bytes | None:
        """The clip; None when it cannot be made.

        Raises:
            ChildFailed: This ffmpeg cannot make one.
        """
        if not (clip.has_video or clip.has_audio):
            return None
        async with self._making:
            if clip not in self._known:
                self._known[clip] = await self._found_or_made(program, clip)
            return self._known[clip]

    async def find(self, clip: Clip) -> bytes | None:
        """The clip if it is on disk; starts no program."""
        with suppress(OSError):
            kept = await trio.Path(self._folder / clip.name).read_bytes()
            # A file that a power cut left empty, or short, is none.
            if kept and len(kept) % PACKET == 0:
                return kept
        return None

    async def _found_or_made(self, program: str, clip: Clip) -> bytes:
        kept = await self.find(clip)
        if kept is not None:
            return kept
        data = await output_of(clip_arguments(program, clip), seconds=RENDER_SECONDS, niceness=ENCODER_NICENESS)
        if not data:
            raise ChildFailed("nothing was written")
        # On a disk that is full it is made anew the next time.
        with suppress(OSError):
            await _keep(trio.Path(self._folder / clip.name), data)
        return data


async def _keep(path: trio.Path, data: bytes) -> None:
    await path.parent.mkdir(parents=True, exist_ok=True)
    for other in sorted(await path.parent.iterdir())[MOST_KEPT - 1 :]:
        await other.unlink(missing_ok=True)
    unfinished = path.with_suffix(".part")
    try:
        await unfinished.write_bytes(data)
        await unfinished.rename(path)
    except OSError:
        await unfinished.unlink(missing_ok=True)
        raise
