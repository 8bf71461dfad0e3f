"""News of clients that leave while nobody reads their sockets: those who only listen, and those who wait for long."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import trio

_ONCE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR | select.EPOLLONESHOT


class Hangups:
    """One epoll set of all such sockets, and one task for all of them: a listener costs no task that reads nothing.

    A client that closes its sending half counts as gone: from here it looks like one that left.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}

    @contextmanager
    def watched(self, descriptor: int, left: Callable[[], None], *, also_heard: bool = False) -> Iterator[None]:
        """Have `left` called once if that socket's client leaves meanwhile.

        Args:
            descriptor: An open socket's; a closed one's client, -1, has left already.
            left: Must not raise.
            also_heard: Call it also once the client says something.
        """
        if descriptor < 0:
            left()
            yield
            return
        self._watched[descriptor] = left
        self._epoll.register(descriptor, _ONCE | select.EPOLLIN if also_heard else _ONCE)
        try:
            yield
        finally:
            # A socket that was closed meanwhile has left the set by itself, and its number may be another's by now.
            if self._watched.get(descriptor) is left:
                del self._watched[descriptor]
                with suppress(OSError):
                    self._epoll.unregister(descriptor)

    async def run(self) -> None:
        """Listen as long as the door is open."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                for descriptor, _ in self._epoll.poll(0):
                    left = self._watched.get(descriptor)
                    if left is not None:
                        left()
        finally:
            self._epoll.close()
