"""The doorbell's operations: a request comes in as a value, an answer goes out as one."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from manor import Api, NotFound, Request, Storage
from msgspec import Meta

from manor_doorbell import ringing
from manor_doorbell.config import DoorbellConfig
from manor_doorbell.domain import Ring

DOORBELL = Api("doorbell", kinds=frozenset({"api_key"}))


class Page(msgspec.Struct, frozen=True):
    """How much to list."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class DoorHandlers:
    """What may be done with a door."""

    def __init__(self, config: DoorbellConfig, storage: Storage) -> None:
        self._config = config
        self._storage = storage

    async def ring(self, request: Request) -> Ring:
        """Ring the bell of a door."""
        return await ringing.ring(self._storage, self._door(request.params["door"]))

    async def list_rings(self, request: Request[None, Page]) -> Sequence[Ring]:
        """List a door's rings, the newest first."""
        return await ringing.newest(self._storage, self._door(request.params["door"]), limit=request.query.limit)

    def _door(self, name: str) -> str:
        if name not in self._config.doors:
            raise NotFound(f"There is no door {name!r}")
        return name
