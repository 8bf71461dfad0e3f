"""What somebody needs who wants the backups back and has nothing else: the address, what opens it, and what to type.

It is made for paper, or for a password manager elsewhere. Whoever reads it reads every backup, so only root gets it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import trio

from manor_hostservices.backups.copying import COPIES, DATABASE
from manor_hostservices.backups.destination import DEFAULT_REPOSITORY
from manor_hostservices.backups.kept import Files
from manor_hostservices.backups.setting import Setting
from manor_hostservices.backups.store import read_password
from manor_hostservices.config import BackupConfig
from manor_hostservices.refusals import Failed

NO_STORE = "Nobody has said yet where backups go: there is nothing to recover"
NO_PASSWORD = "There is no repository's password yet: it is made with the repository"  # noqa: S105 - a sentence


@dataclass(frozen=True)
class Kit:
    """What opens the backups.

    Args:
        host: This server's name; its backups have it.
        made_at: When this was written.
        variables: What restic reads, secrets included.
        config: The administrator's table.
        password_file: Where a new server wants the password.
    """

    host: str
    made_at: datetime
    variables: Mapping[str, str]
    config: BackupConfig
    password_file: str

    def __repr__(self) -> str:
        """Without the secrets, whatever traceback it lands in."""
        return f"Kit(host={self.host!r})"


async def make_kit(setting: Setting, host: str) -> Kit:
    """Gather it.

    Args:
        setting: The host, read as root.
        host: Its name.

    Raises:
        Failed: There is nothing yet that could be recovered, or it cannot be read.
    """
    location = setting.location(await Files(setting.places).store())
    if not location.has_key:
        raise Failed(NO_STORE)
    try:
        password = await trio.to_thread.run_sync(read_password, setting.password_file)
    except OSError as error:
        raise Failed(f"{setting.password_file}: {error.strerror}") from error
    if not password:
        raise Failed(NO_PASSWORD)
    variables = {**location.environment(), "RESTIC_PASSWORD": password}
    return Kit(host, setting.clock.now(), variables, setting.config, str(setting.password_file))


def written(kit: Kit) -> str:
    """The kit as text, at most 100 characters wide but for what has to be typed."""
    return "\n".join(_lines(kit)) + "\n"


def _lines(kit: Kit) -> Iterator[str]:
    data = kit.config.manor_data.rstrip("/")
    yield f"Recovery kit of {kit.host}, {kit.made_at:%Y-%m-%d}"
    yield ""
    yield "Whoever has this reads every backup. Keep it on paper, or in a password manager that does not run"
    yield "on this server; make it anew when the store or its credentials change."
    yield ""
    yield "1. On any machine with restic, as root, in a shell that keeps no history:"
    yield ""
    for name, value in sorted(kit.variables.items()):
        yield f"   export {name}={shlex.quote(value)}"
    yield ""
    if kit.variables["RESTIC_REPOSITORY"].startswith("sftp:"):
        yield "   The SSH key of that machine's root has to be let in there, too."
        yield ""
    if kit.variables["RESTIC_REPOSITORY"].startswith(("/", "local:")):
        yield "   That is a folder of the old server: put where its disk is now."
        yield ""
    yield "2. What there is, and all files of the newest backup, in a folder of their own:"
    yield ""
    yield f"   restic snapshots --host {shlex.quote(kit.host)}"
    yield f"   restic restore latest --host {shlex.quote(kit.host)} --target /srv/restored"
    yield ""
    if data:
        yield "3. Manor's database is then here. On a server it belongs one folder higher: stop Manor, remove the"
        yield f"   {DATABASE}-wal and {DATABASE}-shm that are there, move it, and start Manor."
        yield ""
        yield f"   {shlex.quote(f'/srv/restored{data}/{COPIES}/{DATABASE}')}"
        yield ""
    yield "A new server with Manor wants the password in this file, with mode 600, before backups are set up:"
    yield ""
    yield f"   {kit.password_file}"
    yield ""
    yield "and this in /etc/manor/config.toml:"
    yield ""
    yield "   [plugins.hostservices.backup]"
    for name, said in _table(kit.config).items():
        yield f"   {name} = {msgspec.json.encode(said).decode()}"


def _table(config: BackupConfig) -> Mapping[str, object]:
    """What the administrator said; strings, numbers and lists of strings are written in TOML as in JSON."""
    absent = BackupConfig()
    names = BackupConfig.__struct_fields__
    changed = {name: value for name in names if (value := getattr(config, name)) != getattr(absent, name)}
    return {"paths": config.paths, **changed, "repository": config.repository or DEFAULT_REPOSITORY}
