"""Profile pictures: what people upload, made small; and the initial on a colour of those who have none."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections import OrderedDict
from contextlib import suppress
from uuid import UUID

import trio
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from manor_chat.store.people import Person

SIDE = 128
MOST_PIXELS = 30_000_000
"""A picture is decoded whole: this many take 120 MB at the most for a moment. Larger ones are refused unread."""

MOST_BYTES = 10 * 1024 * 1024

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
_SHRUNK_AS_THEY_ARE = frozenset({"RGB", "RGBA", "L", "LA", "CMYK", "YCbCr"})
_MOST_DRAWN = 1000
_COLOURS = (
    (197, 8, 126), (227, 207, 18), (28, 181, 105), (35, 188, 224), (116, 49, 196), (197, 8, 126), (197, 19, 19),
    (250, 134, 6), (227, 207, 18), (123, 201, 71), (28, 181, 105), (35, 188, 224), (116, 49, 196),
)  # fmt: skip


class NoPicture(ValueError):
    """What was uploaded is no picture, or none of ours."""


class TooManyPixels(NoPicture):
    """It has more pixels than are decoded."""


class Pictures:
    """Draws and shrinks, off the loop and one at a time: each takes memory while it is worked on."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)
        self._drawn: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def shrink(self, content: bytes) -> bytes:
        """A square PNG of what somebody uploaded.

        Raises:
            NoPicture: It is none.
        """
        return await trio.to_thread.run_sync(_shrink, content, limiter=self._limiter)

    async def initial(self, person: Person) -> bytes:
        """The picture of somebody who has uploaded none: a PNG."""
        letter, colour = initial_of(person)
        key = letter, colour
        if key not in self._drawn:
            self._drawn[key] = await trio.to_thread.run_sync(_draw, letter, colour, limiter=self._limiter)
            if len(self._drawn) > _MOST_DRAWN:
                self._drawn.popitem(last=False)
        return self._drawn[key]


def initial_of(person: Person) -> tuple[str, int]:
    """Which letter on which colour stands for somebody."""
    return person.handle[:1].upper(), _colour_of(person.id)


def _colour_of(user_id: UUID) -> int:
    return hashlib.blake2b(user_id.bytes, digest_size=1).digest()[0] % len(_COLOURS)


def _draw(letter: str, colour: int) -> bytes:
    image = Image.new("RGB", (SIDE, SIDE), _COLOURS[colour])
    font = ImageFont.load_default(size=SIDE // 2)
    ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), letter, fill=(255, 255, 255), font=font, anchor="mm")
    return _png(image)


def _shrink(content: bytes) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise TooManyPixels(f"{image.width} x {image.height} pixels")
                image.draft("RGB", (SIDE * 2, SIDE * 2))
                image.load()
                _set_upright(image)
                # Made small before it is converted: each copy of a large one is another 100 MB.
                whole = image if image.mode in _SHRUNK_AS_THEY_ARE else image.convert("RGBA")
                small = ImageOps.fit(whole, (SIDE, SIDE))
        return _png(small.convert("RGBA" if "A" in small.getbands() else "RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, NoPicture):
            raise
        raise NoPicture(str(error)) from error


def _set_upright(image: Image.Image) -> None:
    # It turns the picture, then writes anew the rest of what the camera noted, which may be anything and is not kept.
    with suppress(struct.error):
        ImageOps.exif_transpose(image, in_place=True)


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()
