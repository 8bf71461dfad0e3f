"""News of clients that leave while nobody reads their sockets: those who only listen, and those who wait for long."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress

import trio

AT_ONCE = 32
"""Sockets that are looked after before others get a turn on the loop."""

_GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Watch:
    """What is to be told of one socket.

    Args:
        left: Called once, when the client leaves. Must not raise.
        heard: Called whenever it says something, and has to read that; None where nobody listens to it.
    """

    __slots__ = ("heard", "left")

    def __init__(self, left: Callable[[], None], heard: Callable[[], None] | None = None) -> None:
        self.left = left
        self.heard = heard


class Hangups:
    """One epoll set of all such sockets, and one task for all of them: a listener costs no task that reads nothing.

    A client that closes its sending half counts as gone: from here it looks like one that left.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watches: dict[int, Watch] = {}

    def watch(self, descriptor: int, watch: Watch) -> None:
        """Begin; at most one watch a socket.

        Args:
            descriptor: An open socket's; a closed one's client, -1, has left already.
            watch: Whom to tell.
        """
        if descriptor < 0:
            watch.left()
            return
        self._watches[descriptor] = watch
        self._epoll.register(descriptor, _GONE | (select.EPOLLONESHOT if watch.heard is None else select.EPOLLIN))

    def watch_of(self, descriptor: int) -> Watch | None:
        """Who is told of that socket."""
        return self._watches.get(descriptor)

    def hand_over(self, descriptor: int) -> None:
        """Somebody else tells of it from now on."""
        del self._watches[descriptor]
        # The connection stays open elsewhere, so closing our descriptor would not end this.
        self._epoll.unregister(descriptor)

    def unwatch(self, descriptor: int, watch: Watch) -> None:
        """Have no more of it, whoever watches; twice does no harm."""
        watch.heard = None
        # A socket that was closed meanwhile has left the set by itself, and its number may be another's by now.
        if self._watches.get(descriptor) is watch:
            del self._watches[descriptor]
            with suppress(OSError, ValueError):  # or the door has closed, and its set with it
                self._epoll.unregister(descriptor)

    def mute(self, descriptor: int, watch: Watch) -> None:
        """Do not tell what the client says until `unmute`: it would have to be answered, and reads nothing."""
        if self._watches.get(descriptor) is watch:
            self._epoll.modify(descriptor, _GONE | select.EPOLLONESHOT)

    def unmute(self, descriptor: int, watch: Watch) -> None:
        """Tell it again."""
        if self._watches.get(descriptor) is watch:
            self._epoll.modify(descriptor, _GONE | select.EPOLLIN)

    async def run(self) -> None:
        """Listen as long as the door is open."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                told = [
                    (descriptor, watch, events)
                    for descriptor, events in self._epoll.poll(0)
                    if (watch := self._watches.get(descriptor)) is not None
                ]
                for number, (descriptor, watch, events) in enumerate(told, 1):
                    if self._watches.get(descriptor) is not watch:
                        continue  # it was looked after meanwhile
                    if watch.heard is not None and events & select.EPOLLIN:
                        watch.heard()
                    else:
                        watch.left()
                    if number % AT_ONCE == 0:
                        await trio.lowlevel.checkpoint()
        finally:
            self._epoll.close()
