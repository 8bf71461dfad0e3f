"""Backups for tests: a small host in a folder, its repository, and restic for real."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import trio
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

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
    "var/lib/manor/vapid.pem": "a key",
    "etc/passwd": "root",
}


@dataclass
class BackedUp:
    """A host in a folder that is backed up.

    Args:
        root: The folder.
        table: `[plugins.hostservices.backup]`; without a repository, a folder of the host.
        programs: Runs restic.
        backend: Which kind of host it is.
    """

    root: Path
    table: dict[str, Any] = field(default_factory=dict)
    programs: Programs = field(default_factory=HostPrograms)
    backend: Literal["sandbox", "nixos"] = "sandbox"

    @property
    def backups(self) -> BackupJobs:
        """Anew, as every job's process has it."""
        backup = msgspec.convert({"repository": REPOSITORY, "exclude": ("/var/cache",), **self.table}, BackupConfig)
        root = str(self.root) if self.backend == "sandbox" else ""
        config = HostConfig(backend=self.backend, root=root, backup=backup)
        return BackupJobs(config, Places(self.root), self.programs)

    async def do(self, kind: JobKind, snapshot: str | None = None, *, dry_run: bool = False) -> Progress:
        """Do a job; gives what it said."""
        said = Progress(Job(job_id(1), kind, "running", NOON))
        await self.backups.perform(kind, said, snapshot=snapshot, dry_run=dry_run)
        return said

    async def restic(self, *arguments: str) -> None:
        """Have somebody else use the repository."""
        environment = {
            "RESTIC_REPOSITORY": str(self.root / "mnt/backups"),
            "RESTIC_PASSWORD_FILE": str(self.own / "backup-password"),
            "RESTIC_CACHE_DIR": str(self.own / "cache"),
        }
        done = await HostPrograms().run(["restic", *arguments], env=environment)
        assert done.status == 0, done.output

    async def newest(self) -> str:
        """The newest backup's short id."""
        return str((await self.backups.known()).snapshots[-1]["short_id"])

    def break_packs(self) -> None:
        """Damage all that the repository holds."""
        for pack in (self.root / "mnt/backups/data").rglob("*"):
            if pack.is_file():
                pack.chmod(0o600)
                pack.write_bytes(b"x" * pack.stat().st_size)

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


def prepared(root: Path, kind: JobKind) -> Path:
    """Make a host on which a job has been done that makes the repository, which opens quickly from then on."""
    host = new_host(root)
    trio.run(host.do, kind)
    open_quickly(host.root / "mnt/backups", (host.own / "backup-password").read_text().strip())
    return root


def open_quickly(repository: Path, password: str) -> None:
    """Have the password open a repository without the work that makes guessing slow: each of restic's runs does it.

    Keys are as restic's design document says: scrypt gives a key for AES-256-CTR and two for Poly1305-AES, and under
    these is the repository's own.
    """
    [path] = (repository / "keys").iterdir()
    key = json.loads(path.read_bytes())
    data = base64.b64decode(key["data"])
    plain = _encrypted(_derived(password, key), data[:16], data[16:-16])
    key |= {"N": 2, "r": 1, "p": 1}
    nonce = secrets.token_bytes(16)
    derived = _derived(password, key)
    hidden = _encrypted(derived, nonce, plain)
    once = Cipher(AES(derived[32:48]), ECB()).encryptor().update(nonce)
    key["data"] = base64.b64encode(nonce + hidden + Poly1305.generate_tag(derived[48:] + once, hidden)).decode()
    text = json.dumps(key).encode()
    path.unlink()
    path.with_name(hashlib.sha256(text).hexdigest()).write_bytes(text)


def _derived(password: str, key: dict[str, Any]) -> bytes:
    n, r, p, salt = key["N"], key["r"], key["p"], base64.b64decode(key["salt"])
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=1 << 28, dklen=64)


def _encrypted(derived: bytes, nonce: bytes, data: bytes) -> bytes:
    return Cipher(AES(derived[:32]), CTR(nonce)).encryptor().update(data)
