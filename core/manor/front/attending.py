"""Work for a client who may leave before it is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import trio

from manor.front.door import FrontDoor
from manor.front.hangups import Watch
from manor.front.line import Line


class Attended:
    """Cancels what runs within it when the client leaves; as an answer that lasts, also when the server stops.

    Leaving it raises `trio.BrokenResourceError` where the client was the reason.

    Args:
        door: Whose task listens for that.
        line: The client's.
        heard: Called whenever the client says something, and has to read it; None to leave that unread.
        lasts: Whether the server's stop ends it.
    """

    __slots__ = ("_descriptor", "_door", "_is_gone", "_lasts", "_line", "_scope", "_watch")

    def __init__(
        self, door: FrontDoor, line: Line, *, heard: Callable[[], None] | None = None, lasts: bool = False
    ) -> None:
        self._door = door
        self._line = line
        self._descriptor = line.descriptor
        self._watch = Watch(self._leave, heard)
        self._lasts = lasts
        self._is_gone = False
        self._scope = trio.CancelScope()

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._line.on_cut = self._leave
        self._door.hangups.watch(self._descriptor, self._watch)
        if self._lasts:
            self._door.streams.add(self._scope.cancel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._lasts:
            self._door.streams.discard(self._scope.cancel)
        self._line.on_cut = None
        self._door.hangups.unwatch(self._descriptor, self._watch)
        swallows = bool(self._scope.__exit__(kind, error, trace))
        if self._is_gone and self._scope.cancelled_caught:
            raise trio.BrokenResourceError("the client is gone")
        return swallows

    def cancel(self) -> None:
        """End what runs within, hearing nothing more of the client, and go on behind it."""
        self._door.hangups.unwatch(self._descriptor, self._watch)
        self._scope.cancel()

    def listen_when_drained(self) -> None:
        """Hear nothing of the client until it has read what it was sent."""
        self._door.hangups.mute(self._descriptor, self._watch)
        self._door.spawn(self._listen_again)

    async def _listen_again(self) -> None:
        with suppress(trio.BrokenResourceError):
            await self._line.drained()
            self._door.hangups.unmute(self._descriptor, self._watch)

    def _leave(self) -> None:
        self._is_gone = True
        self._scope.cancel()
