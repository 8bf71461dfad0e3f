"""What was set from here, on disk; and taking turns at changing the host."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import trio

from manor_hostservices.backends.state import HostState, stored_state
from manor_hostservices.backends.systemd.files import refusing
from manor_hostservices.places import Places
from manor_hostservices.refusals import Failed

_LOOK_AGAIN = 0.05
"""Seconds between two tries for a turn: a thread that waits for a lock could not be cancelled."""


class Record:
    """What was set from here.

    Args:
        places: Where the host's files are.
    """

    def __init__(self, places: Places) -> None:
        self._folder = places.own
        self._stored = stored_state(places)

    async def read(self) -> HostState:
        """Read it.

        Raises:
            NotHere: It is not ours to read.
            Failed: It is damaged.
        """
        try:
            with refusing("What was set from here cannot be read"):
                return await self._stored.read()
        except msgspec.MsgspecError as error:
            raise Failed(f"What was set from here cannot be read: {error}") from error

    async def change(self, work: Callable[[HostState], HostState]) -> None:
        """Change it."""
        try:
            with refusing("What was set from here cannot be noted"):
                await self._stored.change(lambda state: (work(state), None))
        except msgspec.MsgspecError as error:
            raise Failed(f"What was set from here cannot be read: {error}") from error

    @asynccontextmanager
    async def turn(self, matter: str) -> AsyncIterator[None]:
        """Be the only one, among all processes, that changes a matter; and do it to its end once it was begun.

        Args:
            matter: One word; other matters are not waited for.

        Raises:
            NotHere: Nothing is ours to change.
        """
        with refusing("What is set from here cannot be noted"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._folder / f"{matter}.lock", flags, 0o600)
        try:
            while not _take(descriptor):  # noqa: ASYNC110 - another process tells nobody when it is done
                await trio.sleep(_LOOK_AGAIN)
            # Half a change, such as a configuration that nobody checked, is worse than a late one; every step of one
            # has a deadline of its own.
            with trio.CancelScope(shield=True):
                yield
        finally:
            os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
