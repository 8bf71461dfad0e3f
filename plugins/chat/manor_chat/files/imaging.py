"""Small pictures of what people upload, drawn by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
import trio

MOST_AT_ONCE = 2
SECONDS = 20.0
"""For one picture, by the wall's clock."""

TURN_SECONDS = 30.0
"""How long a picture waits for its turn; later it is a file like any other."""

MOST_INPUT = 64 * 1024 * 1024
_MOST_OUTPUT = 64 * 1024 * 1024
_SCRIPT = Path(__file__).with_name("imaging_child.py")


class TooManyPixels(Exception):
    """The picture says that it is larger than is allowed; nobody has unpacked it."""


class NoPicture(Exception):
    """It is none that can be drawn here; the text says why."""


class _Told(msgspec.Struct, frozen=True):
    sizes: list[int]
    width: int = 0
    height: int = 0
    format: str = ""
    animated: bool = False
    frames: int = 0
    mini: str | None = None
    refused: str = ""
    why: str = ""


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn.

    Args:
        width: Of the picture itself, as it is looked at.
        height: As `width`.
        format: Of the picture itself, such as `png`; of an emoji that of what was drawn.
        is_animated: Whether it moves.
        frames: Of what moves; else 0.
        mini: 16 by 16 pixels, as base64 of a JPEG.
        pictures: Thumbnail and preview, the latter only of what does not move; of an emoji the emoji.
    """

    width: int
    height: int
    format: str
    is_animated: bool
    frames: int = 0
    mini: str | None
    pictures: list[bytes]


class Whole:
    """Content in one piece."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content, self._content = self._content, b""
        if not content:
            raise StopAsyncIteration
        return content


class Studio:
    """Draws, a few pictures at a time, and never on the loop."""

    def __init__(self) -> None:
        self._turns = trio.CapacityLimiter(MOST_AT_ONCE)

    async def draw(self, kind: Literal["file", "emoji"], content: AsyncIterable[bytes], most_pixels: int) -> Drawn:
        """Draw what the content shows.

        Args:
            kind: For what.
            content: The picture, in pieces; `MOST_INPUT` bytes at most.
            most_pixels: How many it may have.

        Raises:
            TooManyPixels: It has more.
            NoPicture: It cannot be drawn, or not in time.
        """
        with trio.move_on_after(TURN_SECONDS):
            await self._turns.acquire()
            try:
                with trio.move_on_after(SECONDS):
                    return await _drawn(kind, content, most_pixels)
            finally:
                self._turns.release()
        raise NoPicture("it took too long")


async def _drawn(kind: str, content: AsyncIterable[bytes], most_pixels: int) -> Drawn:
    output = bytearray()
    process = await trio.lowlevel.open_process(
        [sys.executable, "-I", str(_SCRIPT), kind, str(most_pixels)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={},
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, process, content)
            assert process.stdout is not None
            async for piece in process.stdout:
                output += piece
                if len(output) > _MOST_OUTPUT:
                    raise NoPicture("too much was drawn of it")
            nursery.cancel_scope.cancel()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                await trio.aclose_forcefully(pipe)
    return _read(bytes(output), process.returncode)


async def _feed(process: trio.Process, content: AsyncIterable[bytes]) -> None:
    assert process.stdin is not None
    # It may have seen enough, or be no more: what it says, or that it says nothing, tells.
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for piece in content:
            await process.stdin.send_all(piece)
        await process.stdin.aclose()


def _read(output: bytes, status: int | None) -> Drawn:
    line, _, rest = output.partition(b"\n")
    try:
        told = msgspec.json.decode(line, type=_Told)
    except msgspec.MsgspecError as error:
        raise NoPicture(f"the process ended with status {status}") from error
    if told.refused == "too large":
        raise TooManyPixels
    if told.refused or sum(told.sizes) != len(rest):
        raise NoPicture(told.why or "the process broke off")
    pictures, start = [], 0
    for size in told.sizes:
        pictures.append(rest[start : start + size])
        start += size
    return Drawn(
        width=told.width,
        height=told.height,
        format=told.format,
        is_animated=told.animated,
        frames=told.frames,
        mini=told.mini,
        pictures=pictures,
    )
