"""Draws small pictures of a picture: what a process of its own runs, for what it reads may be made to do harm.

It is started as a script, with nothing of Manor in it: `imaging_child.py KIND PIXELS < PICTURE`. It writes one line of
JSON, and then the pictures that the line names, one after the other.
"""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import sys
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, ImageSequence

MEMORY = 640 * 1024 * 1024
PROCESSOR_SECONDS = 20
NICENESS = 10

THUMBNAIL = (120, 100)
PREVIEW_WIDTH = 1920
PREVIEW_HEIGHT = 19_200
JPEG_FACTOR = 4
MINI = (16, 16)
EMOJI = (128, 128)
EMOJI_SIDE = 4096
EMOJI_FRAMES = 400

FILES = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
EMOJIS = ("PNG", "JPEG", "GIF")

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LIES_ON_ITS_SIDE = frozenset((5, 6, 7, 8))


class TooLarge(Exception):
    """It has more pixels than are allowed."""


def confine() -> None:
    """Let nothing that is read here take more than a picture needs."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError):
        # The daemon stays on one processor; this must not be in its way there.
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    warnings.simplefilter("ignore")
    # The bound is ours, and is looked at before a pixel is read.
    Image.MAX_IMAGE_PIXELS = None


def draw_file(data: bytes, most_pixels: int) -> tuple[dict[str, object], list[bytes]]:
    """A thumbnail, a preview, and what a client shows until they are there."""
    with Image.open(io.BytesIO(data), formats=FILES) as image:
        # A JPEG is unpacked no larger than its preview needs.
        if image.width * image.height > most_pixels * (JPEG_FACTOR if image.format == "JPEG" else 1):
            raise TooLarge
        is_animated = bool(getattr(image, "is_animated", False))
        frames = getattr(image, "n_frames", 0) if is_animated else 0
        told: dict[str, object] = {"format": (image.format or "").lower(), "animated": is_animated, "frames": frames}
        turn = image.getexif().get(_ORIENTATION, 1)
        width, height = image.size
        told["width"], told["height"] = (height, width) if turn in _LIES_ON_ITS_SIDE else (width, height)
        room = (PREVIEW_HEIGHT, PREVIEW_WIDTH) if turn in _LIES_ON_ITS_SIDE else (PREVIEW_WIDTH, PREVIEW_HEIGHT)
        image.draft("RGB", room)
        has_alpha = image.has_transparency_data
        mode = "RGBA" if has_alpha else "RGB"
        image.load()
        preview: Image.Image = image if image.mode == mode else image.convert(mode)
    preview.thumbnail(room, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if turn in _TURNS:
        preview = preview.transpose(_TURNS[turn])
    thumbnail = ImageOps.fit(preview, THUMBNAIL, Image.Resampling.BICUBIC)
    mini = Image.new("RGB", MINI, "white")
    smallest = thumbnail.resize(MINI, Image.Resampling.BICUBIC)
    mini.paste(smallest, mask=smallest.getchannel("A") if has_alpha else None)
    told["mini"] = base64.b64encode(_encoded(mini, "JPEG")).decode()
    form = "PNG" if has_alpha else "JPEG"
    drawn = [_encoded(thumbnail, form)]
    # Whoever shows an animation shows it itself: a preview would stand still.
    if not is_animated:
        drawn.append(_encoded(preview, form))
    return told, drawn


def draw_emoji(data: bytes, most_pixels: int) -> tuple[dict[str, object], list[bytes]]:
    """The picture as large as an emoji is; what moves still moves."""
    with Image.open(io.BytesIO(data), formats=EMOJIS) as image:
        if max(image.size) > EMOJI_SIDE or image.width * image.height > most_pixels:
            raise TooLarge
        told: dict[str, object] = {"width": image.width, "height": image.height}
        if not getattr(image, "is_animated", False):
            turn = image.getexif().get(_ORIENTATION, 1)
            still = image.convert("RGBA")
            still.thumbnail(EMOJI, Image.Resampling.BICUBIC)
            if turn in _TURNS:
                still = still.transpose(_TURNS[turn])
            return told | {"format": "png"}, [_encoded(still, "PNG")]
        if getattr(image, "n_frames", 1) > EMOJI_FRAMES:
            raise TooLarge
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            durations.append(max(20, int(frame.info.get("duration", 100))))
            one = frame.convert("RGBA")
            one.thumbnail(EMOJI, Image.Resampling.BICUBIC)
            frames.append(one)
        moving = io.BytesIO()
        frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, disposal=2)
        return told | {"format": "gif"}, [moving.getvalue()]


def _encoded(image: Image.Image, form: str) -> bytes:
    into = io.BytesIO()
    image.save(into, form, **({"quality": 90} if form == "JPEG" else {}))
    return into.getvalue()


def main(kind: str, most_pixels: int) -> None:
    """Read a picture, write what there is to say and to show."""
    confine()
    data = sys.stdin.buffer.read()
    try:
        told, drawn = (draw_emoji if kind == "emoji" else draw_file)(data, most_pixels)
    except TooLarge:
        told, drawn = {"refused": "too large"}, []
    except Exception as error:
        # Whatever a decoder makes of what is no picture, or half of one: a process of its own is there for that.
        told, drawn = {"refused": "no picture", "why": type(error).__name__}, []
    line = json.dumps(told | {"sizes": [len(each) for each in drawn]})
    sys.stdout.buffer.write(line.encode() + b"\n" + b"".join(drawn))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
