"""Files as answers: whole or in parts, and so that no browser runs what is in them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from manor import Blobs, Reply, Request, Stream, Write
from manor_chat.domain.byte_ranges import NotSatisfiable, wanted_bytes
from manor_chat.files.kinds import SHOWN_INLINE, sent_as
from manor_chat.http.answers import is_known
from manor_chat.store.files import File

CACHED = "max-age=86400, private"
SMALL = 256 * 1024
"""Bytes that are sent in one piece."""

_MOST_PICTURE = 32 * 1024 * 1024
_CONFINED = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
_NOT_PLAIN = re.compile(r"[^ !#-\[\]-~]")


async def send_file(request: Request[Any, Any], blobs: Blobs, file: File, *, download: bool = False) -> Reply | Stream:
    """A file, or the part of it that is asked for; 304 where the client has it, 416 where there is no such part.

    Raises:
        NoSuchBlob: 404: the store has lost it.
    """
    headers = headers_of(file.id.hex, file.name, file.mime_type, download=download) | {"Accept-Ranges": "bytes"}
    if is_known(request, headers["ETag"]):
        return Reply(b"", 304, "", headers)
    asked = request.headers.get("range")
    # What a client has a part of may be another file by now; of ours no content ever changes.
    if asked is None or request.headers.get("if-range") not in (None, headers["ETag"]):
        wanted = None
    else:
        try:
            wanted = wanted_bytes(asked, file.size)
        except NotSatisfiable:
            return Reply(b"", 416, "", headers | {"Content-Range": f"bytes */{file.size}"})
    status, part = 200, range(file.size)
    if wanted is not None:
        status, part = 206, wanted
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    kind = sent_as(file.mime_type)
    if file.size <= SMALL:
        whole = await blobs.get(file.blob, most_bytes=SMALL)
        return Reply(whole[part.start : part.stop], status, kind, headers)
    await blobs.head(file.blob)

    async def run(write: Write) -> None:
        async with blobs.open(file.blob, start=part.start, length=len(part)) as opened:
            async for piece in opened:
                await write(piece)

    return Stream(run, status, kind, headers, length=len(part))


async def send_picture(request: Request[Any, Any], blobs: Blobs, key: str, *, tag: str, name: str) -> Reply:
    """A small picture of our own making; 304, and nothing read, where the client has it.

    Args:
        request: With what the client has.
        blobs: Where it is kept.
        key: Under which; what is kept there never changes.
        tag: Differs from any other picture's.
        name: What it is saved as.

    Raises:
        NoSuchBlob: 404: the store has lost it.
    """
    headers = headers_of(tag, name, "image/png")
    if is_known(request, headers["ETag"]):
        return Reply(b"", 304, "", headers)
    picture = await blobs.get(key, most_bytes=_MOST_PICTURE)
    kind = picture_kind(picture)
    return Reply(picture, content_type=kind, headers=headers_of(tag, name, kind))


def picture_kind(picture: bytes) -> str:
    """The media type of a picture that was drawn here."""
    match picture[:1]:
        case b"\x89":
            return "image/png"
        case b"G":
            return "image/gif"
        case _:
            return "image/jpeg"


def headers_of(tag: str, name: str, kind: str, *, download: bool = False) -> dict[str, str]:
    """What every answer with a file says.

    Args:
        tag: Differs when the content does.
        name: What it is saved as.
        kind: Its media type.
        download: Whether it is for saving, whatever it is.
    """
    manner = "inline" if kind in SHOWN_INLINE and not download else "attachment"
    plain = _NOT_PLAIN.sub("_", name)
    return {
        "ETag": f'"{tag}"',
        "Cache-Control": CACHED,
        "Content-Disposition": f"{manner}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": _CONFINED,
        "X-Content-Type-Options": "nosniff",
    }
