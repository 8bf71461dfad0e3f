"""Files for tests of chat: real pictures, forms, and what must not be unpacked."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

from manor import to_chat_id
from manor.testing import Answer
from tests.chat_people import API, Chatter, Crew

BOUNDARY = "-----------7d"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(*parts: tuple[str, str] | tuple[str, str, bytes]) -> bytes:
    """A form of texts, each a name and what it says, and of files, each with its name between the two."""
    body = b""
    for part in parts:
        match part:
            case (name, text):
                filename, content = "", text.encode()
            case (name, called, content):
                filename = f'; filename="{called}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def picture(size: tuple[int, int] = (300, 200), form: str = "PNG", color: Any = "red", **more: Any) -> bytes:
    """A picture."""
    mode = "RGBA" if isinstance(color, tuple) and len(color) == 4 else "RGB"
    into = io.BytesIO()
    Image.new(mode, size, color).save(into, form, **more)
    return into.getvalue()


def animation(size: tuple[int, int] = (200, 100), frames: int = 3) -> bytes:
    """A GIF that moves."""
    into = io.BytesIO()
    first, *others = [Image.new("RGB", size, (number % 256, number // 256 * 90, 0)) for number in range(frames)]
    first.save(into, "GIF", save_all=True, append_images=others, duration=50)
    return into.getvalue()


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a hundred bytes that says it has billions of pixels."""
    return _png(side, side, bits=8, kind=6, pixels=zlib.compress(bytes(1000)))


def blank(width: int, height: int, *, bits: int = 8, kind: int = 6) -> bytes:
    """A PNG with all its pixels, which take little room until they are unpacked; by default red, green, blue, alpha."""
    row = bytes(1 + width * bits * (4 if kind == 6 else 1) // 8)
    packing = zlib.compressobj(1)
    pixels = b"".join(packing.compress(row) for _ in range(height)) + packing.flush()
    return _png(width, height, bits=bits, kind=kind, pixels=pixels)


def _png(width: int, height: int, *, bits: int, kind: int, pixels: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def opened(content: bytes) -> Image.Image:
    """What a picture shows."""
    return Image.open(io.BytesIO(content))


async def upload(crew: Crew, who: Chatter, name: str, content: bytes, channel: str = "") -> Answer:
    """Somebody uploads one file, to the town square if nothing else is said."""
    channel = channel or channel_of(crew)
    return await who.client.post(f"{API}/files", query={"channel_id": channel, "filename": name}, body=content)


async def uploaded(crew: Crew, who: Chatter, name: str, content: bytes) -> dict[str, Any]:
    """The file that somebody uploaded, as the API shows it."""
    answer = await upload(crew, who, name, content)
    assert answer.status == 201, answer.text
    shown: dict[str, Any] = answer.json()["file_infos"][0]
    return shown


async def posted(crew: Crew, who: Chatter, *file_ids: str) -> dict[str, Any]:
    """A post in the town square with these files."""
    body = {"channel_id": channel_of(crew), "message": "see", "file_ids": list(file_ids)}
    answer = await who.client.post(f"{API}/posts", json=body)
    assert answer.status == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def channel_of(crew: Crew) -> str:
    """The town square's id."""
    return to_chat_id(crew.town_square.id)


async def kept(crew: Crew, prefix: str = "") -> list[str]:
    """The keys of what chat has in its store."""
    page = await crew.house.services.blobs.for_plugin("chat").page(prefix)
    return [blob.key for blob in page.blobs]
