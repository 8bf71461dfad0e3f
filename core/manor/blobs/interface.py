"""What a store of files does, whatever it stands on."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from manor.blobs.refusals import BlobsFailed

OCTETS = "application/octet-stream"

MOST_BYTES = 16 * 1024 * 1024
"""What is read whole without its caller asking for more."""

MOST_LISTED = 1000
"""Keys of one page, and keys that are deleted with one request: S3's own bound."""


@dataclass(frozen=True)
class Blob:
    """What is known of a file without reading it.

    Args:
        key: Its name in the store.
        size: Bytes.
        modified: When it was put there, to the second at least; the store's own clock.
        tag: Differs when the content does; fit for an `ETag`, without quotes.
    """

    key: str
    size: int
    modified: datetime
    tag: str


@dataclass(frozen=True)
class BlobPage:
    """Some of the files whose keys begin alike.

    Args:
        blobs: In the order of their keys, as bytes.
        after: What the next page begins after; "" when this is the last one.
    """

    blobs: tuple[Blob, ...]
    after: str


class OpenBlob:
    """A file that is read piece by piece: `async for piece in opened`.

    All pieces are of the file as it was when it was opened.

    Args:
        blob: What is known of it; its size is that of the whole file, whatever range is read.
        next_piece: Gives the next piece; b"" at the end.
    """

    def __init__(self, blob: Blob, next_piece: Callable[[], Awaitable[bytes]]) -> None:
        self.blob = blob
        self._next_piece = next_piece

    def __aiter__(self) -> OpenBlob:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._next_piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def read(self, most_bytes: int = MOST_BYTES) -> bytes:
        """All that is left of it.

        Raises:
            BlobsFailed: It is longer than that.
        """
        whole = bytearray()
        async for piece in self:
            whole += piece
            if len(whole) > most_bytes:
                raise BlobsFailed(f"{self.blob.key}: longer than {most_bytes} bytes", may_pass=False)
        return bytes(whole)


class Blobs(Protocol):
    """A store of files by key. See `check_key` for what a key may be.

    Every method raises `BadKey` for what is none, and `BlobsFailed` when the store does not do its work. A file is
    there whole or not at all, and once `put` has returned it is still there after a power cut.
    """

    async def put(
        self,
        key: str,
        content: bytes | AsyncIterable[bytes],
        *,
        content_type: str = OCTETS,
        cache_control: str = "",
    ) -> int:
        """Keep a file, in place of the one that has this key; gives its size.

        Args:
            key: Its name.
            content: All of it, or pieces of any size: then no more than some megabytes are held in memory.
            content_type: For those who fetch it from a bucket without us; a folder does not keep it.
            cache_control: As `content_type`.

        Raises:
            StorageFull: There is no room; what was there before still is.
        """
        ...

    async def get(self, key: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """Read a file whole.

        Raises:
            NoSuchBlob: There is none.
            BlobsFailed: It is longer than that.
        """
        ...

    def open(self, key: str, *, start: int = 0, length: int | None = None) -> AbstractAsyncContextManager[OpenBlob]:
        """Read a file piece by piece, in bounded memory and as slowly as one likes.

        Args:
            key: Its name.
            start: The first byte wanted; the size itself gives nothing.
            length: Bytes wanted; fewer come at the end of the file. All of them when not given.

        Raises:
            NoSuchBlob: There is none.
            BadRange: It ends before `start`.
        """
        ...

    async def head(self, key: str) -> Blob:
        """What is known of a file.

        Raises:
            NoSuchBlob: There is none.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is removed already."""
        ...

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove files, in batches."""
        ...

    async def page(self, prefix: str = "", *, after: str = "", limit: int = MOST_LISTED) -> BlobPage:
        """The files whose keys begin so, in the order of their keys.

        Args:
            prefix: Any beginning, not only whole words.
            after: What the page before gave.
            limit: Files at most; never more than `MOST_LISTED`.
        """
        ...
