"""Backups: how they stand, making and restoring one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manor import BadRequest, NotFound, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.backups.standing import Standing, State, standing
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, beginning, said, told
from manor_hostservices.http.stores import INITIALIZING, check_idle
from manor_hostservices.parts import Shared

_NO_KEY = "No key provided"
_NOT_INITIALIZED = "Backup is not initialized"


class BackupStatus(msgspec.Struct, frozen=True):
    """How backups stand: a state, how far what is done now has come (0 to 1), and what went wrong."""

    status: State
    progress: float
    error_message: str | None


class Begun(msgspec.Struct, frozen=True):
    """Something was begun; it goes on."""

    status: int
    message: str


class RestoreRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Which backup: its short id."""

    backup_id: str


class BackupHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._jobs = shared.jobs

    async def status(self, request: Request) -> BackupStatus:
        """How backups stand."""
        now = await self._standing()
        return BackupStatus(now.state, now.progress, now.error)

    async def list(self, request: Request) -> Reply:
        """The backups, as restic describes them, oldest first: those of the last look at the repository."""
        return said((await self._standing()).snapshots)

    async def reload(self, request: Request) -> Begun:
        """Begin to look at the repository anew."""
        if (await self._standing()).running("reload") is None:
            with told():
                await self._jobs.start("reload", by=caller(request))
        return Begun(0, "Snapshots reload started")

    async def create(self, request: Request) -> Begun:
        """Begin a backup; a repository that is not there yet is made first."""
        _check_free(await self._standing())
        with told():
            await self._jobs.start("backup", by=caller(request))
        return Begun(0, "Backup creation has started")

    async def restore(self, request: Request[RestoreRequest]) -> Begun:
        """Begin to put a backup's files back."""
        now = await self._standing()
        _check_free(now)
        if now.state == "NOT_INITIALIZED":
            raise BadRequest(_NOT_INITIALIZED)
        snapshot = request.body.backup_id
        if not now.has(snapshot):
            raise NotFound("Backup not found")
        with told():
            await self._jobs.start("restore", by=caller(request), snapshot=snapshot)
        return Begun(0, "Backup restoration procedure started")

    async def _standing(self) -> Standing:
        with told():
            return await standing(self._host)


def _check_free(now: Standing) -> None:
    """Check that the repository may be worked with; what is wrong with the state comes before all else."""
    if now.state == "NO_KEY":
        raise BadRequest(_NO_KEY)
    if now.state == "INITIALIZING":
        raise BadRequest(INITIALIZING)
    check_idle(now)


def backup_routes(handlers: BackupHandlers) -> Sequence[Route]:
    """The operations."""
    restic = "/services/restic"

    def route(method: str, path: str, handler: Any, returns: Any, body: Any = None) -> Route:
        return Route(method, f"{restic}/{path}", handler, api=HOST_API, access=ONLY_DEVICES, returns=returns, body=body)

    return [
        route("GET", "backup/status", handlers.status, BackupStatus),
        route("GET", "backup/list", handlers.list, list[dict[str, Any]]),
        route("GET", "backup/reload", beginning(handlers.reload), Begun),
        route("PUT", "backup/create", handlers.create, Begun),
        route("PUT", "backup/restore", handlers.restore, Begun, RestoreRequest),
    ]
