"""What every kind of host can do, in the process that may do it: the root helper, or the daemon for a sandbox."""

from __future__ import annotations

from typing import Protocol

from manor_hostservices.catalogue import DataSize
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    AutoUpgrade,
    DeleteUser,
    JobKind,
    Lines,
    Pulled,
    ReadJournal,
    RemoveKey,
    ServiceState,
    SetAutoUpgrade,
    SetSsh,
    SetTimezone,
    SshSettings,
    SwitchService,
    Updates,
)


class Backend(Protocol):
    """A host.

    Every method takes the verb that was asked, whose values it checks by `rules`, for the daemon is not trusted; and
    raises a `HostRefusal` when it says no. Reading asks for no privilege where the host allows that.
    """

    async def services(self) -> list[ServiceState]:
        """How every service of the catalogue fares, in its order."""
        ...

    async def switch_service(self, verb: SwitchService) -> None:
        """Start or stop one; returns when that is done. `Missing`: no such key, or its unit is not installed."""
        ...

    async def journal(self, verb: ReadJournal) -> Lines:
        """What a service's units said."""
        ...

    async def data_size(self, key: str) -> DataSize:
        """How much room a service's data takes up on disk. `Missing`: no such service, or nothing of it is there."""
        ...

    async def ssh(self) -> SshSettings:
        """The SSH server's settings."""
        ...

    async def set_ssh(self, verb: SetSsh) -> SshSettings:
        """Change them; what the server itself refuses is taken back (`Failed`)."""
        ...

    async def users(self) -> list[str]:
        """Accounts that were made from here, in the order in which they were made."""
        ...

    async def add_user(self, verb: AddUser) -> None:
        """Make an account. `Conflicting`: there is one, made from here or not."""
        ...

    async def delete_user(self, verb: DeleteUser) -> None:
        """Remove an account. `Invalid`: it is the primary one; `Missing`: none that was made from here."""
        ...

    async def keys(self, user: str) -> list[str]:
        """Public keys of root, the primary account, or one that was made from here (`Missing`: any other)."""
        ...

    async def add_key(self, verb: AddKey) -> None:
        """Let a key in. `Conflicting`: it is in, maybe with another comment."""
        ...

    async def remove_key(self, verb: RemoveKey) -> None:
        """Let a key in no more. `Missing`: no such account, or no line that is exactly this."""
        ...

    async def timezone(self) -> str:
        """The host's time zone."""
        ...

    async def set_timezone(self, verb: SetTimezone) -> None:
        """Change it."""
        ...

    async def auto_upgrade(self) -> AutoUpgrade:
        """Whether the host upgrades itself."""
        ...

    async def set_auto_upgrade(self, verb: SetAutoUpgrade) -> AutoUpgrade:
        """Change it."""
        ...

    async def dkim(self) -> bytes | None:
        """The zone file with the mail server's record; None when there is none."""
        ...

    async def updates(self) -> Updates:
        """What an upgrade would bring."""
        ...

    async def pull(self) -> Pulled:
        """Pull the configuration's folder, in a minute at most."""
        ...

    async def perform(self, kind: JobKind, report: Report, *, dry_run: bool = False, force: bool = False) -> None:
        """Do the job `apply`, `upgrade`, `rollback` or `reboot` to its end, in the job's own process.

        Args:
            kind: Which.
            report: Hears how it fares.
            dry_run: Only say what it would do.
            force: Restart even when some program holds that back.

        Raises:
            HostRefusal: It failed; its sentence is how the job ended.
        """
        ...
