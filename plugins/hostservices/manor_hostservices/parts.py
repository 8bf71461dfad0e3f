"""What all parts of the plugin use."""

from __future__ import annotations

from dataclasses import dataclass

from manor import PluginContext
from manor_hostservices.acting import Acting
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.hosting import Hosting
from manor_hostservices.jobs.asking import Jobs


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        hosting: Has the host open.
        acting: Changes the host, and notes who had it changed.
        jobs: Starts jobs.
    """

    context: PluginContext[HostConfig]
    hosting: Hosting
    acting: Acting
    jobs: Jobs

    @classmethod
    def of(cls, context: PluginContext[HostConfig]) -> Shared:
        """Make them."""
        hosting = Hosting(context)
        acting = Acting(context, hosting.host)
        return cls(context, hosting, acting, Jobs(context, hosting.host, acting))

    @property
    def config(self) -> HostConfig:
        """The admin's table."""
        return self.context.config

    @property
    def host(self) -> Host:
        """The host, to be asked."""
        return self.hosting.host
