"""What all parts of the plugin use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from manor import Api, PluginContext, Request, Storage, Transaction, Unauthorized
from manor_chat.config import ChatConfig
from manor_chat.http.api import make_api, version_id
from manor_chat.presence import Presence
from manor_chat.rights import Rights
from manor_chat.socket.hub import Hub
from manor_chat.system.client_config import ToldConfig

T = TypeVar("T")
Work = Callable[[Transaction, Rights], T]
"""A unit of work that knows what its caller may do; it may run more than once."""


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        api: What all operations have in common.
        presence: Who is there now.
        hub: Tells sockets at once what no transaction makes true: `hub.tell(Told(…))`, on the loop.
        version_id: What clients are told of the server and its configuration as it is now: they compare it.
    """

    context: PluginContext[ChatConfig]
    api: Api
    presence: Presence
    hub: Hub
    version_id: Callable[[], str]

    @classmethod
    def of(cls, context: PluginContext[ChatConfig]) -> Shared:
        """Make them."""
        told = ToldConfig(context)

        def version() -> str:
            return version_id(told.digest())

        return cls(context, make_api(context.config, version), Presence(context.clock), Hub(), version)

    @property
    def config(self) -> ChatConfig:
        """The configuration as it is now."""
        return self.context.config

    @property
    def storage(self) -> Storage:
        """The house's."""
        return self.context.storage

    async def read(self, request: Request[Any, Any], work: Work[T]) -> T:
        """Read something for whoever asks."""
        return await self.storage.read(_for_caller(request, work))

    async def write(self, request: Request[Any, Any], work: Work[T]) -> T:
        """Change something for whoever asks; on the disk when it returns."""
        return await self.storage.write(_for_caller(request, work))


def _for_caller(request: Request[Any, Any], work: Work[T]) -> Callable[[Transaction], T]:
    principal = request.person
    if principal is None:
        raise Unauthorized("Invalid or expired session, please login again.")
    return lambda transaction: work(transaction, Rights(transaction, principal))
