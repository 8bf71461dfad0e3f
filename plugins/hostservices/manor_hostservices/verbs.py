"""Everything that the daemon may ask of the host: a fixed list, with the types of what is asked and answered.

These are the only words that cross the border to the root helper. They carry service keys, names and values; never a
unit, a path or a program. What a verb carries is checked on both sides by `rules`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from manor_hostservices.backups.destination import Tried
from manor_hostservices.catalogue import DataSize

A = TypeVar("A")

JobKind = Literal["apply", "upgrade", "rollback", "reboot", "backup", "restore", "init", "reload", "verify", "forget"]
"""`init` sets a repository up, `reload` lists its backups anew, `verify` proves that they can be restored, `forget`
thins them out as the admin's table says, or removes one."""

Key = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z")]
"""A service's key in the catalogue."""

Account = Annotated[str, Meta(min_length=1, max_length=64)]
JobId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Text = Annotated[str, Meta(max_length=8192)]


class Verb(Struct, Generic[A], frozen=True, forbid_unknown_fields=True, tag_field="verb"):
    """Something to ask of the host, which answers with an `A`."""

    changes: ClassVar[bool] = False
    """Whether it changes the host: then nobody but the root helper can do it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # some carry secrets, and it may land in any log

    @classmethod
    def answer_type(cls) -> Any:
        """The type of its answer."""
        for base in cls.__orig_bases__:  # type: ignore[attr-defined]  # set for every class with a generic base
            if arguments := get_args(base):
                return arguments[0]
        raise TypeError(f"{cls.__name__} does not say what it answers")


# --- What is answered ----------------------------------------------------------------------------------------------


class ServiceState(Struct, frozen=True):
    """How a service fares.

    Args:
        key: The service's.
        title: What people call it.
        status: As `systemctl status` exits: 0 running, 3 not running, 4 no such unit.
        active: systemd's ActiveState of the unit that is worst off, such as `failed`.
        sub: Its SubState, such as `running`.
        enabled: Whether it starts with the host.
        switchable: Whether it can be switched from here.
        since: When it came into this state.
        memory: Bytes; None when nobody knows.
        cpu_seconds: Processor time since it started; None when nobody knows.
        restarts: How often systemd started it again.
    """

    key: str
    title: str
    status: int
    active: str = "inactive"
    sub: str = "dead"
    enabled: bool = False
    switchable: bool = True
    since: datetime | None = None
    memory: int | None = None
    cpu_seconds: float | None = None
    restarts: int = 0


class SshSettings(Struct, frozen=True):
    """Whether the SSH server runs, and takes passwords."""

    enable: bool = True
    password_authentication: bool = True


class AutoUpgrade(Struct, frozen=True):
    """Whether the host upgrades itself, and restarts when an upgrade asks for it."""

    enable: bool = True
    allow_reboot: bool = False


class Pulled(Struct, frozen=True):
    """How `git pull` went: its exit status, and what it said."""

    status: int
    output: str


class Lines(Struct, frozen=True):
    """Lines of a journal or a log, oldest first; `cursor` continues after them."""

    lines: list[str]
    cursor: str = ""


class Update(Struct, frozen=True):
    """A package that an upgrade would bring."""

    name: str
    old: str
    new: str
    security: bool = False


class Updates(Struct, frozen=True):
    """What an upgrade would bring, and whether the host wants a restart."""

    packages: list[Update]
    reboot_required: bool = False


class Job(Struct, frozen=True):
    """A job, as its own process writes it down.

    Args:
        id: 32 hexadecimal digits.
        kind: What it does.
        state: `lost`: its process is gone and never said how it ended.
        progress: From 0 to 1.
        message: A sentence for a person: what it does, or how it ended.
        dry_run: Whether it only shows what it would do.
        began_at: When it was started.
        ended_at: When it ended; None while it runs.
        bytes_done: Of a backup or restore; of `bytes_total`.
        seconds_left: As the tool reckons.
        snapshot: The backup that it made, restored or removed: restic's short id.
        boot_id: Of the host's start when it began: a restart changes it.
    """

    id: JobId
    kind: JobKind
    state: Literal["running", "done", "failed", "cancelled", "lost"]
    began_at: datetime
    progress: float = 0.0
    message: str = ""
    dry_run: bool = False
    ended_at: datetime | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    seconds_left: float | None = None
    snapshot: str | None = None
    boot_id: str = ""


class Backups(Struct, frozen=True):
    """The repository as it was last looked at.

    Args:
        state: What the SelfPrivacy API calls it, but for running jobs, which the daemon knows better.
        error: Why it is `ERROR`.
        snapshots: restic's own objects, oldest first.
        listed_at: When they were listed.
        verified_at: When a restore was last proven.
    """

    state: Literal["NO_KEY", "NOT_INITIALIZED", "INITIALIZED", "ERROR"]
    error: str | None = None
    snapshots: list[dict[str, Any]] = []
    listed_at: datetime | None = None
    verified_at: datetime | None = None


# --- Reading -------------------------------------------------------------------------------------------------------


class ReadServices(Verb[list[ServiceState]], frozen=True, tag="services.read"):
    """How every service of the catalogue fares."""


class ReadJournal(Verb[Lines], frozen=True, tag="services.journal"):
    """What a service's units said: the newest lines, or those after a cursor."""

    key: Key
    lines: Annotated[int, Meta(ge=1, le=1000)] = 100
    after: Annotated[str, Meta(pattern=r"^[0-9a-z=;]{0,512}\Z")] = ""


class ReadDataSize(Verb[DataSize], frozen=True, tag="services.size"):
    """How much room a service's data takes up on disk; counting it may take a while."""

    key: Key


class ReadSsh(Verb[SshSettings], frozen=True, tag="ssh.read"):
    """The SSH server's settings."""


class ReadUsers(Verb[list[str]], frozen=True, tag="users.read"):
    """Accounts that were made from here, in the order in which they were made."""


class ReadKeys(Verb[list[str]], frozen=True, tag="keys.read"):
    """An account's public keys in the order in which they came: of root, the primary account, or one made here."""

    user: Account


class ReadTimezone(Verb[str], frozen=True, tag="timezone.read"):
    """The host's time zone."""


class ReadAutoUpgrade(Verb[AutoUpgrade], frozen=True, tag="auto_upgrade.read"):
    """Whether the host upgrades itself."""


class ReadDkim(Verb[bytes | None], frozen=True, tag="dkim.read"):
    """The zone file with the mail server's record; None when there is none."""


class ReadUpdates(Verb[Updates], frozen=True, tag="updates.read"):
    """What an upgrade would bring."""


class ReadBackups(Verb[Backups], frozen=True, tag="backups.read"):
    """The repository as it was last looked at."""


class ReadJobs(Verb[list[Job]], frozen=True, tag="jobs.read"):
    """The newest hundred jobs that the host knows, newest first; with `ids` only these."""

    ids: Annotated[tuple[JobId, ...], Meta(max_length=100)] = ()


class ReadJobLog(Verb[Lines], frozen=True, tag="jobs.log"):
    """What a job's programs said."""

    id: JobId
    lines: Annotated[int, Meta(ge=1, le=1000)] = 200


# --- Changing ------------------------------------------------------------------------------------------------------


class SwitchService(Verb[None], frozen=True, tag="services.switch"):
    """Start a service now and with the host, or stop it for good."""

    changes = True

    key: Key
    on: bool


class SetSsh(Verb[SshSettings], frozen=True, tag="ssh.set"):
    """Change the SSH server's settings; None leaves one as it is.

    Refused (`conflict`) when passwords would go off and neither root nor the primary account has a key, unless forced.
    """

    changes = True

    enable: bool | None = None
    password_authentication: bool | None = None
    force: bool = False


class AddUser(Verb[None], frozen=True, tag="users.add"):
    """Make an account; its password comes as crypt(3) has it, never as it is typed."""

    changes = True

    name: Account
    password_hash: Annotated[str, Meta(pattern=r"^\$(6|y)\$[A-Za-z0-9./$=]{8,500}\Z")]


class DeleteUser(Verb[None], frozen=True, tag="users.delete"):
    """Remove an account that was made from here, with its files and keys."""

    changes = True

    name: Account


class AddKey(Verb[None], frozen=True, tag="keys.add"):
    """Let a public key in."""

    changes = True

    user: Account
    key: Text


class RemoveKey(Verb[None], frozen=True, tag="keys.remove"):
    """Let a public key in no more: the line that is exactly this."""

    changes = True

    user: Account
    key: Text


class SetTimezone(Verb[None], frozen=True, tag="timezone.set"):
    """Change the host's time zone."""

    changes = True

    zone: Annotated[str, Meta(max_length=100)]


class SetAutoUpgrade(Verb[AutoUpgrade], frozen=True, tag="auto_upgrade.set"):
    """Change whether the host upgrades itself; None leaves a setting as it is."""

    changes = True

    enable: bool | None = None
    allow_reboot: bool | None = None


class Pull(Verb[Pulled], frozen=True, tag="configuration.pull"):
    """Pull the configuration's folder from where it comes; a minute at most."""

    changes = True


class StartJob(Verb[Job], frozen=True, tag="jobs.start"):
    """Start a job in a process that outlives daemon and helper; `conflict` where it cannot run beside what runs."""

    changes = True

    id: JobId
    kind: JobKind
    snapshot: Annotated[str, Meta(pattern=r"^[0-9a-f]{8,64}\Z")] | None = None
    dry_run: bool = False
    force: bool = False


class CancelJob(Verb[None], frozen=True, tag="jobs.cancel"):
    """End a job's processes."""

    changes = True

    id: JobId


class SetBackupStore(Verb[Tried | None], frozen=True, tag="backups.store"):
    """Keep where backups go, and the credentials for it; `test` only tries whether the store lets us in."""

    changes = True

    account: Annotated[str, Meta(max_length=200)]
    secret: Annotated[str, Meta(max_length=500)]
    bucket: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]{1,62})?\Z")]
    test: bool = False


ReadVerb = (
    ReadServices
    | ReadJournal
    | ReadDataSize
    | ReadSsh
    | ReadUsers
    | ReadKeys
    | ReadTimezone
    | ReadAutoUpgrade
    | ReadDkim
    | ReadUpdates
    | ReadBackups
    | ReadJobs
    | ReadJobLog
)
ChangeVerb = (
    SwitchService
    | SetSsh
    | AddUser
    | DeleteUser
    | AddKey
    | RemoveKey
    | SetTimezone
    | SetAutoUpgrade
    | Pull
    | StartJob
    | CancelJob
    | SetBackupStore
)
AnyVerb = ReadVerb | ChangeVerb


def decode_verb(line: bytes) -> AnyVerb:
    """Read any of them from JSON that came over the border.

    Raises:
        msgspec.DecodeError: It is not JSON or none of these, or a value is of another form.
    """
    verb: AnyVerb = msgspec.json.decode(line, type=AnyVerb)
    return verb
