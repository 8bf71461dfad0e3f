"""A channel's memory: the last entries, each encoded once for every wire in use."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from manor.live.crowds import Crowd, Relay, everybody
from manor.live.frames import chunk, sse_frame, typed_text, websocket_frame
from manor.routing import Closing, Outlet, Wire

if TYPE_CHECKING:
    from manor.live.feed import Feed

MOST_ENTRIES = 256
MOST_BYTES = 1024 * 1024

_by_position = attrgetter("position")


class Voice(Protocol):
    """Tells a channel's entries in the words of another protocol than the channel's own, to those who ask for it.

    What it makes of an entry is kept with the entry, for everyone who hears it in the same way: so an entry costs
    nothing in words that nobody asks for.
    """

    @property
    def name(self) -> str:
        """Under which its frames are kept: the same name for the same words."""
        ...

    def wants(self, entry: Entry) -> bool:
        """Whether this outlet is told of it at all."""
        ...

    def say(self, entry: Entry, *, is_websocket: bool) -> bytes:
        """The entry as part of a body, or as a WebSocket message's text; empty to leave it out."""
        ...


class Entry:
    """One message for everyone who hears a channel.

    Args:
        position: The server-wide position that its transaction gave it; 0 for what is said to one outlet alone.
        event: Its type.
        data: A JSON object, encoded: the event's `data` on SSE; on WebSocket the same with `type` as first member.
        id: What SSE clients resume from.
        retry: See `sse_frame`.
        text: The WebSocket message, where it is another than `data` with a `type`.
    """

    __slots__ = ("_chunk", "_frame", "_retry", "_sse", "_text", "_voiced", "data", "event", "id", "position")

    def __init__(
        self,
        position: int,
        event: str,
        data: bytes,
        *,
        id: str = "",  # noqa: A002 - the field's name
        retry: int | None = None,
        text: bytes | None = None,
    ) -> None:
        self.position = position
        self.event = event
        self.data = data
        self.id = id
        self._retry = retry
        self._text = text
        self._sse: bytes | None = None
        self._chunk: bytes | None = None
        self._frame: bytes | None = None
        self._voiced: dict[tuple[str, Wire], bytes] | None = None

    @property
    def size(self) -> int:
        """Bytes it counts for in a ring: those of its data, of which each wire in use holds one more copy."""
        return len(self.data)

    def frame(self, wire: Wire) -> bytes:
        """The entry as that wire carries it; made when first asked for, and kept."""
        match wire:
            case Wire.SSE:
                if self._sse is None:
                    self._sse = sse_frame(self.event, self.data, self.id, self._retry)
                return self._sse
            case Wire.SSE_CHUNK:
                if self._chunk is None:
                    self._chunk = chunk(self.frame(Wire.SSE))
                return self._chunk
            case Wire.TEXT:
                if self._text is None:
                    self._text = typed_text(self.event, self.data)
                return self._text
            case Wire.FRAME:
                if self._frame is None:
                    self._frame = websocket_frame(self.frame(Wire.TEXT))
                return self._frame

    def frame_in(self, voice: Voice, wire: Wire) -> bytes:
        """The entry in other words, as that wire carries it; made when first asked for, and kept. Empty for nothing."""
        if self._voiced is None:
            self._voiced = {}
        key = voice.name, wire
        frame = self._voiced.get(key)
        if frame is None:
            frame = voice.say(self, is_websocket=wire.is_websocket)
            if frame and wire is Wire.SSE_CHUNK:
                frame = chunk(frame)
            elif frame and wire is Wire.FRAME:
                frame = websocket_frame(frame)
            self._voiced[key] = frame
        return frame


class Channel:
    """Those who hear one thing, and a ring of what was said last. Made by `LiveService.channel`.

    The ring is the buffer of all its outlets at once: an outlet has only a position in it. One that is further behind
    than the ring is long is closed with a reason and resumes from storage; nothing is left out silently.

    What was said since the last fan-out is kept whatever its size, so an outlet that has kept up is never closed for
    one large batch. The ring is therefore as long as its bounds, or as the writer's last batch.

    Attributes:
        feeds: Those who hear it in this process.
        crowds: Those who hear it in others, by process and tongue.
    """

    __slots__ = (
        "__weakref__",
        "_bytes",
        "_entries",
        "_fresh",
        "_positions",
        "_rouse",
        "crowds",
        "evicted",
        "feeds",
        "name",
    )

    def __init__(self, name: str, rouse: Callable[[Channel], None]) -> None:
        self.name = name
        self.feeds: set[Feed] = set()
        self.crowds: dict[tuple[Relay, str], Crowd] = {}
        self.evicted = 0
        """The highest position that has left the ring."""
        self._rouse = rouse
        self._entries: list[Entry] = []
        self._positions: list[int] = []
        self._bytes = 0
        self._fresh = 0

    @property
    def outlets(self) -> int:
        """How many hear it."""
        return len(self.feeds) + sum(len(crowd.feeds) for crowd in self.crowds.values())

    @property
    def is_full(self) -> bool:
        """Whether the next `trim` may forget what was said before the last fan-out."""
        return len(self._entries) > MOST_ENTRIES or self._bytes > MOST_BYTES

    @property
    def newest(self) -> int:
        """The position of what was said last; 0 when nothing was."""
        return self._positions[-1] if self._positions else self.evicted

    def append(self, entry: Entry) -> None:
        """Say something. Synchronous and quick: no socket is touched before the loop has turned once.

        Positions only grow: call it from an INLINE subscription, which hears commits in their order.
        """
        self._entries.append(entry)
        self._positions.append(entry.position)
        self._bytes += entry.size
        self._fresh += 1
        self._rouse(self)

    def after(self, position: int) -> Sequence[Entry]:
        """What was said after that position, oldest first."""
        if not self._positions or self._positions[-1] <= position:
            return ()
        return self._entries[bisect_right(self._positions, position) :]

    def trim(self) -> None:
        """Forget the oldest beyond the bounds, but nothing that was said since the last call."""
        old = len(self._entries) - self._fresh
        leaving = 0
        while leaving < old and (len(self._entries) - leaving > MOST_ENTRIES or self._bytes > MOST_BYTES):
            self._bytes -= self._entries[leaving].size
            leaving += 1
        if leaving:
            self.evicted = self._positions[leaving - 1]
            del self._entries[:leaving], self._positions[:leaving]
        self._fresh = 0

    def close(self, closing: Closing, only: Callable[[Outlet], bool] | None = None) -> int:
        """End its outlets, or those of them that `only` picks. Synchronous; returns how many.

        They get nothing more of what was said and not yet written.
        """
        ended = [feed for feed in everybody(self.feeds, self.crowds) if only is None or only(feed.outlet)]
        for feed in ended:
            feed.end(closing)
        return len(ended)


def merged(channels: Iterable[Channel], position: int) -> Sequence[Entry]:
    """What was said on several channels after that position, in the order of positions."""
    lists = [entries for channel in channels if (entries := channel.after(position))]
    return lists[0] if len(lists) == 1 else list(heapq.merge(*lists, key=_by_position))
