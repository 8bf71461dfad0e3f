"""The part that has the host open: the root helper at its socket."""

from __future__ import annotations

from typing import TypeVar

from manor import Part, PluginContext
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.refusals import NotHere
from manor_hostservices.verbs import Verb

A = TypeVar("A")


class NoHost:
    """A host that cannot be asked.

    Args:
        reason: Why, for a person.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def ask(self, verb: Verb[A]) -> A:
        """Say why not; see `Host`."""
        raise NotHere(self.reason)


class Hosting(Part):
    """Chooses how the host is asked.

    Args:
        context: The plugin's own.

    Attributes:
        host: The host.
    """

    def __init__(self, context: PluginContext[HostConfig]) -> None:
        self.host: Host = NoHost(f"Nobody listens at {context.config.helper_socket}")
