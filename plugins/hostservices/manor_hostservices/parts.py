"""What all parts of the plugin use."""

from __future__ import annotations

from dataclasses import dataclass

from manor import PluginContext
from manor_hostservices.acting import Acting
from manor_hostservices.catalogue import catalogue
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.hosting import Hosting
from manor_hostservices.jobs.asking import Jobs
from manor_hostservices.sizes import Sizes


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        hosting: Has the host open.
        acting: Changes the host, and notes who had it changed.
        jobs: Starts jobs.
        sizes: Knows how much room data takes up.
    """

    context: PluginContext[HostConfig]
    hosting: Hosting
    acting: Acting
    jobs: Jobs
    sizes: Sizes

    @classmethod
    def of(cls, context: PluginContext[HostConfig]) -> Shared:
        """Make them."""
        hosting = Hosting(context)
        acting = Acting(context, hosting.host)
        jobs = Jobs(context, hosting.host, acting)
        sizes = Sizes(context.clock, hosting.host, catalogue(context.config.services))
        return cls(context, hosting, acting, jobs, sizes)

    @property
    def config(self) -> HostConfig:
        """The admin's table."""
        return self.context.config

    @property
    def host(self) -> Host:
        """The host, to be asked."""
        return self.hosting.host
