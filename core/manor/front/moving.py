"""Streams on plain sockets, moved to processes that write to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manor.front.hangups import Hangups
from manor.front.outlets import LineOutlet
from manor.relay.frames import Kind
from manor.relay.link import Link
from manor.routing import Outlet


class StreamRelay:
    """See `manor.live.crowds.Relay`: one process, for outlets that own their sockets.

    Args:
        link: To the process.
        hangups: Watches clients that only listen; the process does so for those that move.
    """

    def __init__(self, link: Link, hangups: Hangups) -> None:
        self._link = link
        self._hangups = hangups
        self.group = link.group
        self.say = link.say
        self.disband = link.disband

    @property
    def is_free(self) -> bool:
        """Whether outlets can be moved to it now."""
        return self._link.is_free

    @property
    def lines(self) -> int:
        """How many it serves."""
        return self._link.lines

    def join(self, outlet: Outlet, group: int, on_too_slow: Callable[[], None]) -> bool:
        """Move an outlet's socket there and have it hear a group; whether that could be."""
        if not isinstance(outlet, LineOutlet):
            return False
        far = outlet.hand_over(self._link, self._hangups)
        if far is None:
            return False
        far.on_too_slow = on_too_slow
        self._link.join(far, group)
        return True

    def leave(self, outlet: Outlet, *, breaks_off: bool) -> None:
        """Have it hear its group no more; what waits for it is forgotten if it breaks off."""
        if isinstance(outlet, LineOutlet) and outlet.far is not None:
            outlet.far.on_too_slow = None
            outlet.far.tell(Kind.BREAK_OFF if breaks_off else Kind.LEAVE)


class StreamRelays:
    """See `manor.live.crowds.Relays`: the processes that there are just now.

    Args:
        links: To them; the list changes as they come and go.
        hangups: As for `StreamRelay`.
    """

    def __init__(self, links: Sequence[Link], hangups: Hangups) -> None:
        self._links = links
        self._hangups = hangups
        self._relays: dict[Link, StreamRelay] = {}

    def emptiest(self) -> StreamRelay | None:
        """The one with the fewest lines; None when there is none, or it has no time now."""
        link = min(self._links, key=_lines, default=None)
        if link is None or not link.is_free:
            return None
        relay = self._relays.get(link)
        if relay is None:
            self._relays = {link: relay for link, relay in self._relays.items() if link in self._links}
            relay = self._relays[link] = StreamRelay(link, self._hangups)
        return relay


def _lines(link: Link) -> int:
    return link.lines
