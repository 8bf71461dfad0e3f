"""All parts of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, PluginContext
from manor_hostservices.backups.part import BackingUp
from manor_hostservices.config import HostConfig
from manor_hostservices.http.part import Answering
from manor_hostservices.jobs.part import FollowingJobs
from manor_hostservices.pages.part import Screens
from manor_hostservices.parts import Shared


def every_part(context: PluginContext[HostConfig]) -> Sequence[Part]:
    """Make them all."""
    shared = Shared.of(context)
    following = FollowingJobs(shared)
    answering, backing_up, screens = Answering(shared), BackingUp(shared), Screens(shared, following.streams)
    return [shared.hosting, following, answering, backing_up, shared.sizes, screens]
