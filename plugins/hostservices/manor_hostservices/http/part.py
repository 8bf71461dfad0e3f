"""The part that answers the SelfPrivacy API, but for its backups."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_hostservices.http.services import ServiceHandlers, service_routes
from manor_hostservices.http.ssh import SshHandlers, ssh_routes
from manor_hostservices.http.system import SystemHandlers, system_routes
from manor_hostservices.http.users import UserHandlers, user_routes
from manor_hostservices.parts import Shared


class Answering(Part):
    """Operations of devices.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._system = SystemHandlers(shared)
        self._services = ServiceHandlers(shared)
        self._users = UserHandlers(shared)
        self._ssh = SshHandlers(shared)

    def routes(self) -> Sequence[Route]:
        """What devices may ask."""
        return [
            *system_routes(self._system),
            *service_routes(self._services),
            *user_routes(self._users),
            *ssh_routes(self._ssh),
        ]
