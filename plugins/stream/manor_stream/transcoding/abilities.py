"""What this server's ffmpeg can do: asked once for each program, and remembered."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

import trio

from manor_stream.transcoding.children import ChildFailed, output_of

ASK_SECONDS = 10.0

VIDEO_CODECS = (
    "libx264",
    "h264_omx",
    "h264_nvenc",
    "h264_vaapi",
    "h264_qsv",
    "h264_v4l2m2m",
    "h264_videotoolbox",
)
"""Encoders that an admin may choose from (contract of the Owncast API)."""


class NoFfmpeg(Exception):
    """There is no ffmpeg that could be used; the text says to the admin why."""


@dataclass(frozen=True)
class Abilities:
    """What one ffmpeg can do.

    Args:
        path: The program.
        version: As it says itself, short: `5.1.9-0+deb12u1`; a build from source may say no number.
        number: The first numbers of it; (0, 0) where there is none, (99, 0) for a build from source.
        encoders: By name.
    """

    path: str
    version: str
    number: tuple[int, int]
    encoders: frozenset[str]

    @property
    def codecs(self) -> tuple[str, ...]:
        """Those of `VIDEO_CODECS` that it has."""
        return tuple(codec for codec in VIDEO_CODECS if codec in self.encoders)


def read_version(text: str) -> tuple[str, tuple[int, int]]:
    """What `-version` says; ("", (0, 0)) when that is not ffmpeg's."""
    found = re.match(r"ffmpeg version (\S+)", text)
    if found is None:
        return "", (0, 0)
    version = found[1]
    numbers = re.match(r"n?(\d+)\.(\d+)", version)
    if numbers is not None:
        return version, (int(numbers[1]), int(numbers[2]))
    # Builds from the newest source are called by their commit: `N-118193-g5f38c82536`.
    return version, (99, 0) if re.match(r"N-\d+|git", version) else (0, 0)


def read_encoders(text: str) -> frozenset[str]:
    """What `-encoders` lists: the second word of each line below the legend."""
    _, _, listing = text.partition("------")
    lines = (line.split() for line in listing.splitlines())
    return frozenset(words[1] for words in lines if len(words) > 1)


class KnownAbilities:
    """Remembers what each program answered until another stands in its place."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Abilities] = {}
        self._asking = trio.Lock()

    async def ask(self, program: str) -> Abilities:
        """What it can do.

        Args:
            program: A name on the PATH, or a path.

        Raises:
            NoFfmpeg: It is not there, or not ffmpeg.
        """
        path = shutil.which(program)
        if path is None:
            raise NoFfmpeg(f"This server has no ffmpeg: {program} is not there or cannot be run")
        try:
            key = path, (await trio.Path(path).stat()).st_mtime_ns
        except OSError as error:
            # Taken away at this moment, as an upgrade does.
            raise NoFfmpeg(f"This server has no ffmpeg: {path}: {error.strerror}") from error
        async with self._asking:
            if key not in self._known:
                self._known[key] = await _ask(path)
            return self._known[key]


async def _ask(path: str) -> Abilities:
    try:
        said = await output_of([path, "-hide_banner", "-version"], seconds=ASK_SECONDS)
        listed = await output_of([path, "-hide_banner", "-encoders"], seconds=ASK_SECONDS)
    except ChildFailed as error:
        raise NoFfmpeg(f"This server's ffmpeg does not work: {error}") from error
    version, number = read_version(said.decode("utf-8", "replace"))
    if not version:
        raise NoFfmpeg(f"This server has no ffmpeg: {path} is another program")
    return Abilities(path, version, number, read_encoders(listed.decode("utf-8", "replace")))
