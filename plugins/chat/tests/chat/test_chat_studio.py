"""The process that draws: what it is given, what it may take, and that it ends."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import psutil
import pytest
import trio
from PIL import Image

from manor_chat.files import imaging
from manor_chat.files.imaging import NoPicture, Studio, TooManyPixels
from tests.chat_files import animation, blank, bomb, opened, picture

PIXELS = 33_177_600


class Pieces:
    """Content in pieces; hangs at its end if it is told to."""

    def __init__(self, content: bytes, *, hangs: bool = False) -> None:
        self._content = io.BytesIO(content)
        self._hangs = hangs
        self.reached_end = trio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = self._content.read(65_536)
        if not piece:
            self.reached_end.set()
            if self._hangs:
                await trio.sleep_forever()
            raise StopAsyncIteration
        return piece


def children() -> int:
    return len(psutil.Process().children())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGB", "RGBA", "CMYK"])
async def test_every_kind_of_pixel_is_drawn(mode: str) -> None:
    into = io.BytesIO()
    Image.new(mode, (30, 20)).save(into, "TIFF" if mode == "CMYK" else "PNG")

    drawn = await Studio().draw("file", Pieces(into.getvalue()), PIXELS)

    assert (drawn.width, drawn.height, len(drawn.pictures)) == (30, 20, 2)


async def test_a_picture_as_large_as_is_allowed_is_drawn_within_the_memory() -> None:
    drawn = await Studio().draw("file", Pieces(blank(7680, 4320)), PIXELS)

    assert opened(drawn.pictures[1]).size == (1920, 1080)


async def test_more_memory_than_is_allowed_is_no_picture() -> None:
    content = blank(24_000, 24_000, bits=1, kind=0)

    with pytest.raises(NoPicture, match="MemoryError"):
        await Studio().draw("file", Pieces(content), 1_000_000_000)


async def test_a_bomb_is_told_apart_before_it_goes_off() -> None:
    with pytest.raises(TooManyPixels):
        await Studio().draw("file", Pieces(bomb()), PIXELS)
    with pytest.raises(TooManyPixels):
        await Studio().draw("emoji", Pieces(bomb()), PIXELS)


async def test_an_emoji_that_moves_has_a_bound_on_its_frames() -> None:
    with pytest.raises(TooManyPixels):
        await Studio().draw("emoji", Pieces(animation((4, 4), 401)), PIXELS)


async def test_two_are_drawn_at_once_and_the_third_waits(nursery: trio.Nursery) -> None:
    studio, before = Studio(), children()
    send, receive = trio.open_memory_channel[Pieces](3)

    async def draw(pieces: Pieces) -> None:
        async with trio.open_nursery() as drawing:
            drawing.start_soon(studio.draw, "file", pieces, PIXELS)
            await pieces.reached_end.wait()
            send.send_nowait(pieces)

    for _ in range(3):
        nursery.start_soon(draw, Pieces(b"x", hangs=True))
    with trio.fail_after(10):
        await receive.receive()
        await receive.receive()
    await trio.testing.wait_all_tasks_blocked(0.01)

    assert receive.statistics().current_buffer_used == 0
    assert children() - before == imaging.MOST_AT_ONCE
    nursery.cancel_scope.cancel()


async def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setattr(imaging, "SECONDS", 0.2)

    with pytest.raises(NoPicture):
        await Studio().draw("file", Pieces(picture(), hangs=True), PIXELS)

    assert children() == before
