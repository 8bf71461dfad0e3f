"""A phone that asks about backups, in tests: what it asks and is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from manor.testing import Client
from tests.host_contract import Said

RESTIC = "/services/restic"
STATUS, LIST = f"{RESTIC}/backup/status", f"{RESTIC}/backup/list"
RELOAD, CREATE = f"{RESTIC}/backup/reload", f"{RESTIC}/backup/create"
RESTORE, CONFIG = f"{RESTIC}/backup/restore", f"{RESTIC}/backblaze/config"

SECRET = "K001-a-secret-of-the-store"
SETTINGS = {"accountId": "0012ab", "accountKey": SECRET, "bucket": "my-bucket"}
CREATED = (200, {"status": 0, "message": "Backup creation has started"})
RESTORED = (200, {"status": 0, "message": "Backup restoration procedure started"})
NO_KEY = (400, {"error": "No key provided"})
RUNNING = (409, {"error": "Backup is already running"})
RESTORING = (409, {"error": "Backup is being restored"})
INITIALIZING = (400, {"error": "Backup is initializing"})
NOT_FOUND = (404, {"error": "Backup not found"})


class Phone:
    """A device that asks about backups."""

    def __init__(self, client: Client, root: Path) -> None:
        self._client = client
        self._jobs = root / "var/lib/manor-host/jobs"

    async def ask(self, method: str, path: str, body: Any = None) -> Said:
        answer = await self._client.request(method, path, json=body)
        return answer.status, answer.json()

    async def status(self) -> dict[str, Any]:
        status, body = await self.ask("GET", STATUS)
        assert status == 200
        assert set(body) == {"status", "progress", "error_message"}
        return dict(body)

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        with trio.fail_after(20):
            while True:
                status = await self.status()
                if is_so(status):
                    return status
                await trio.sleep(0.02)

    async def idle(self) -> dict[str, Any]:
        """How it stands once nothing is done any more."""
        with trio.fail_after(20):
            while True:
                if not any(b'"state":"running"' in job.read_bytes() for job in self._jobs.glob("*.json")):
                    return await self.status()
                await trio.sleep(0.02)

    async def begun(self, kind: str) -> None:
        """Wait for a job of a kind."""
        with trio.fail_after(20):
            while True:
                if any(job["kind"] == kind for job in (await self.ask("GET", "/api/host/jobs"))[1]):
                    return
                await trio.sleep(0.02)

    async def told(self, kind: str) -> dict[str, Any]:
        """How the newest job of a kind ended, once the daemon knows."""
        with trio.fail_after(20):
            while True:
                _, jobs = await self.ask("GET", "/api/host/jobs")
                job: dict[str, Any] = next(job for job in jobs if job["kind"] == kind)
                if job["state"] != "running":
                    return job
                await trio.sleep(0.05)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    with trio.fail_after(60):
        while True:
            if is_so():
                return
            await trio.sleep(0.01)
