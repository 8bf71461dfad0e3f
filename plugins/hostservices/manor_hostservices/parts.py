"""What all parts of the plugin use."""

from __future__ import annotations

from dataclasses import dataclass

from manor import PluginContext
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.hosting import Hosting


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        hosting: Has the host open.
    """

    context: PluginContext[HostConfig]
    hosting: Hosting

    @classmethod
    def of(cls, context: PluginContext[HostConfig]) -> Shared:
        """Make them."""
        return cls(context, Hosting(context))

    @property
    def config(self) -> HostConfig:
        """The admin's table."""
        return self.context.config

    @property
    def host(self) -> Host:
        """The host, to be asked."""
        return self.hosting.host
