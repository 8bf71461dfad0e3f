"""Frames of one place in a channel, joined: what everybody who is there is written at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manor.live.ring import Entry

MOST_JOINED = 65_536
"""Bytes of waiting frames that leave in one write; a longer frame goes alone."""


class Piece:
    """Whole frames, as bytes that are written at once; many outlets share one.

    Args:
        frames: What it is made of.
        last: The position that an outlet is at which has taken it.

    Attributes:
        data: The frames, one behind the other; empty when nothing is to be written.
        is_last: Whether nothing followed it when it was made.
    """

    __slots__ = ("_frames", "data", "is_last", "last")

    def __init__(self, frames: Sequence[bytes], last: int, *, is_last: bool = True) -> None:
        self._frames = frames
        self.data = frames[0] if len(frames) == 1 else b"".join(frames)
        self.last = last
        self.is_last = is_last

    def rest_of_frame(self, taken: int) -> bytes:
        """What is left of the frame that is broken off after so many bytes; empty where none is."""
        end = 0
        for frame in self._frames:
            if end >= taken:
                break
            end += len(frame)
        return self.data[taken:end]


def pieces(entries: Sequence[Entry], encode: Callable[[Entry], bytes]) -> Iterator[Piece]:
    """Join entries' frames, as many as leave in one write; at least one piece, however little there is to say.

    Entries of the same position stay together, because an outlet's place is a position.

    Args:
        entries: Oldest first.
        encode: Makes the frame; empty for what is not said.
    """
    frames: list[bytes] = []
    size = last = 0
    for entry in entries:
        if frame := encode(entry):
            if frames and size + len(frame) > MOST_JOINED and (entry.position != last or not last):
                yield Piece(frames, last, is_last=False)
                frames, size = [], 0
            frames.append(frame)
            size += len(frame)
        last = entry.position
    yield Piece(frames, last)
