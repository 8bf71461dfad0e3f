"""The host as the administrator's files say it is, now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.verbs import Verb

A = TypeVar("A")


class Configured:
    """A `Host` that is made anew when the configuration has changed, and says why not while it cannot be used.

    Args:
        read: Reads the configuration; it may wait for the disk, and raises `NotHere`.
        make: Makes a host of it.
    """

    def __init__(self, read: Callable[[], HostConfig], make: Callable[[HostConfig], Host]) -> None:
        self._read = read
        self._make = make
        self._made: tuple[HostConfig, Host] | None = None

    async def ask(self, verb: Verb[A]) -> A:
        """Ask the host; see `Host`."""
        config = await trio.to_thread.run_sync(self._read)
        if self._made is None or self._made[0] != config:
            self._made = config, self._make(config)
        return await self._made[1].ask(verb)
