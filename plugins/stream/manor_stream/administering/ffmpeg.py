"""What an ffmpeg says of itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

import trio

SECONDS = 5.0
"""How long a program has to answer."""

MOST_BYTES = 256 * 1024

_ENCODER = re.compile(r"^ [V.][A-Z.]{5} (\S+)", re.MULTILINE)
_VERSION = re.compile(r"ffmpeg version (\S+)")


class NotFfmpeg(Exception):
    """A program that is none, is not there, or does not answer; the text says so to an admin."""


async def version_of(program: str) -> str:
    """An ffmpeg's version.

    Raises:
        NotFfmpeg: See there.
    """
    found = _VERSION.match(await _asked(program, "-version"))
    if found is None:
        raise NotFfmpeg(f"{program} does not answer -version as ffmpeg does")
    return found[1]


async def encoders_of(program: str) -> frozenset[str]:
    """The names of the video encoders that an ffmpeg has.

    Raises:
        NotFfmpeg: See there.
    """
    return frozenset(_ENCODER.findall(await _asked(program, "-hide_banner", "-encoders")))


async def _asked(program: str, *arguments: str) -> str:
    """The beginning of what it answers."""
    if shutil.which(program) is None:
        raise NotFfmpeg(f"there is no program {program}")
    said = b""
    try:
        process = await trio.lowlevel.open_process(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise NotFfmpeg(f"{program} cannot be run: {error.strerror}") from error
    assert process.stdout is not None, "its output is piped"
    try:
        with trio.move_on_after(SECONDS) as patience:
            while len(said) < MOST_BYTES and (more := await process.stdout.receive_some(65536)):
                said += more
    finally:
        if process.returncode is None:
            # With whatever it has started.
            os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.stdout.aclose()
            await process.wait()
    if patience.cancelled_caught:
        raise NotFfmpeg(f"{program} has not answered within {SECONDS:g} s")
    return said.decode(errors="replace")
