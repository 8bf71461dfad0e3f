"""An answer's body, never more of it than asked for: neither on the wire nor unpacked."""

from __future__ import annotations

import zlib

from manor.outgoing.refusals import OutgoingFailed

ENCODINGS = "gzip"
"""What we say that we can unpack (`Accept-Encoding`), and all that we unpack."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ROOM_FOR_PACKING = 64 * 1024


class Gunzip:
    """Unpacks gzip (RFC 1952) piece by piece, and stops before it holds more than it may.

    Args:
        most: Bytes that may come out.
    """

    def __init__(self, most: int) -> None:
        self._room = most
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._is_begun = False

    def feed(self, data: bytes) -> bytes:
        """Take a piece, give what it holds.

        Raises:
            OutgoingFailed: It is not gzip, or holds too much.
        """
        unpacked = bytearray()
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            self._is_begun = True
            try:
                # One more than there is room for: a limit of 0 would mean none.
                unpacked += self._member.decompress(data, self._room - len(unpacked) + 1)
            except zlib.error as error:
                raise OutgoingFailed("the answer is not the gzip that it says it is") from error
            if len(unpacked) > self._room:
                raise OutgoingFailed("the answer is too long")
            data = self._member.unconsumed_tail or self._member.unused_data
        self._room -= len(unpacked)
        return bytes(unpacked)

    def finish(self) -> None:
        """There is no more.

        Raises:
            OutgoingFailed: It breaks off.
        """
        if self._is_begun and not self._member.eof:
            raise OutgoingFailed("the answer breaks off")


class Body:
    """A body as it comes.

    Args:
        encoding: `Content-Encoding`; "" for none.
        most: Bytes that it may have, unpacked.

    Raises:
        OutgoingFailed: It is packed in a way that was not asked for.
    """

    def __init__(self, encoding: str, *, most: int) -> None:
        self._gunzip: Gunzip | None = None
        match encoding.strip().lower():
            case "" | "identity":
                self._room = most
            case "gzip" | "x-gzip":
                self._gunzip = Gunzip(most)
                self._room = most + _ROOM_FOR_PACKING
            case _:
                raise OutgoingFailed("the answer is packed in a way that was not asked for")
        self._read = bytearray()

    def take(self, piece: bytes) -> None:
        """Add a piece as it came over the wire.

        Raises:
            OutgoingFailed: Now it is too long, or not what it says it is.
        """
        self._room -= len(piece)
        if self._room < 0:
            raise OutgoingFailed("the answer is too long")
        self._read += self._gunzip.feed(piece) if self._gunzip else piece

    def finish(self) -> bytes:
        """All of it.

        Raises:
            OutgoingFailed: It breaks off.
        """
        if self._gunzip:
            self._gunzip.finish()
        return bytes(self._read)
