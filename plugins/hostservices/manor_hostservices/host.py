"""The host as the daemon sees it: something that is asked."""

from __future__ import annotations

from typing import Protocol, TypeVar

from manor_hostservices.verbs import Verb

A = TypeVar("A")


class Host(Protocol):
    """Is asked verbs: a `Desk` in this process (the sandbox), or the root helper at its socket."""

    async def ask(self, verb: Verb[A]) -> A:
        """Ask it.

        Raises:
            HostRefusal: The host says no; `NotHere` when it cannot be asked, with the reason.
        """
        ...
