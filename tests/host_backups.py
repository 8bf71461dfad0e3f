"""Backups for tests: a small host in a folder, its repository, and restic for real."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from manor_hostservices.backups.working import BackupJobs
from manor_hostservices.config import BackupConfig, HostConfig
from manor_hostservices.jobs.performing import Progress
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms, Programs
from manor_hostservices.verbs import Job, JobKind
from tests.host_jobs import NOON, job_id

REPOSITORY = "/mnt/backups"

FILES = {
    "var/lib/gitea/a.txt": "first",
    "var/lib/gitea/b [1]*.txt": "second",
    "var/cache/c.txt": "not needed",
    "var/lib/manor-host/state.json": "{}",
    "var/lib/manor-host/jobs/x.json": "{}",
    "var/lib/manor/manor.db": "a database",
    "etc/passwd": "root",
}


@dataclass
class BackedUp:
    """A host in a folder that is backed up.

    Args:
        root: The folder.
        table: `[plugins.hostservices.backup]`; without a repository, a folder of the host.
        programs: Runs restic.
    """

    root: Path
    table: dict[str, Any] = field(default_factory=dict)
    programs: Programs = field(default_factory=HostPrograms)

    @property
    def backups(self) -> BackupJobs:
        """Anew, as every job's process has it."""
        backup = msgspec.convert({"repository": REPOSITORY, "exclude": ("/var/cache",), **self.table}, BackupConfig)
        config = HostConfig(backend="sandbox", root=str(self.root), backup=backup)
        return BackupJobs(config, Places(self.root), self.programs)

    async def do(self, kind: JobKind, snapshot: str | None = None, *, dry_run: bool = False) -> Progress:
        """Do a job; gives what it said."""
        said = Progress(Job(job_id(1), kind, "running", NOON))
        await self.backups.perform(kind, said, snapshot=snapshot, dry_run=dry_run)
        return said

    def read(self, path: str) -> str:
        """A file of the host."""
        return (self.root / path).read_text()

    def write(self, path: str, text: str) -> None:
        """Make a file of the host, or change it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def own(self) -> Path:
        """The helper's folder."""
        return Places(self.root).own


def new_host(root: Path, **table: Any) -> BackedUp:
    """A host with a few files."""
    host = BackedUp(root, table)
    for path, text in FILES.items():
        host.write(path, text)
    return host
