"""The `[plugins.hostservices]` table. The root helper reads it too, from files that only root may write."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from manor_hostservices.catalogue import AbsolutePath, Entry, check_path

Argv = tuple[Annotated[str, Meta(min_length=1)], ...]

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_REPOSITORY = re.compile(r"(b2|s3|azure|sftp|rest|rclone|local):\S+|/\S*")
_CALENDAR = re.compile(r"[A-Za-z0-9*.,:/~ -]{1,200}")


def _check_calendar(text: str) -> None:
    if text and not _CALENDAR.fullmatch(text):
        raise ValueError(f"expected a time as systemd writes it, such as daily or 'Mon *-*-* 04:00', got {text!r}")


def _check_repository(text: str) -> None:
    if text and not _REPOSITORY.fullmatch(text):
        # What was given may hold a password, so it is not shown.
        raise ValueError(
            "expected a repository as restic writes it: b2:…, s3:…, azure:…, sftp:…, rest:…, rclone:… or a path"
        )


def _path(description: str) -> Meta:
    return Meta(description=description, extra={"check": check_path})


class JobCommands(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What runs for a job, and how long it may take.

    A program and its arguments, without a shell. Empty: what the back end does by itself.
    """

    apply: Annotated[Argv, Meta(description="Puts the host into the stored state. Empty: as the back end does.")] = ()
    upgrade: Annotated[Argv, Meta(description="Upgrades the host's packages. Empty: as the back end does.")] = ()
    rollback: Annotated[
        Argv, Meta(description="Goes back to before the upgrade. Empty: as NixOS does; on others the job fails.")
    ] = ()
    max_hours: Annotated[
        int,
        Meta(ge=0, le=10_000, description="One of these that takes longer is ended and has failed; 0: never."),
    ] = 24


class BackupConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is backed up, where to, when, and how long it is kept."""

    repository: Annotated[
        str,
        Meta(
            description="restic's repository; `{bucket}` is what the app says. Empty: `b2:{bucket}:/sfbackup`.",
            extra={"check": _check_repository},
        ),
    ] = ""
    password_file: Annotated[
        str, _path("Holds the repository's password; made once when it is absent. Empty: in the helper's own folder.")
    ] = ""
    paths: Annotated[tuple[AbsolutePath, ...], Meta(min_length=1, description="What is backed up.")] = ("/var",)
    exclude: Annotated[tuple[str, ...], Meta(description="restic's patterns of what is left out.")] = ()
    target: Annotated[str, _path("Where a restore puts it.")] = "/"
    manor_data: Annotated[
        str,
        _path(
            "`server.data_dir`: each backup has a whole copy of the database there. Empty: it is a file as any other."
        ),
    ] = "/var/lib/manor"
    schedule: Annotated[
        str,
        Meta(
            description="When backups are made by themselves, as systemd's OnCalendar= says it; empty: never.",
            extra={"check": _check_calendar},
        ),
    ] = "daily"
    verify: Annotated[
        str,
        Meta(
            description="When backups are read and a few files restored to try them, as for `schedule`; empty: never.",
            extra={"check": _check_calendar},
        ),
    ] = "weekly"
    keep_daily: Annotated[int, Meta(ge=0, le=10_000, description="Days of which the newest backup is kept.")] = 7
    keep_weekly: Annotated[int, Meta(ge=0, le=10_000, description="Weeks of which the newest backup is kept.")] = 4
    keep_monthly: Annotated[int, Meta(ge=0, le=10_000, description="Months of which the newest backup is kept.")] = 6
    max_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="A job with the repository that takes longer is ended and has failed; 0: never.",
        ),
    ] = 72
    max_age_hours: Annotated[
        int, Meta(ge=0, le=100_000, description="Say so when the newest backup is older; 0: never.")
    ] = 48
    restic: Annotated[str, Meta(min_length=1, description="The restic to use: a name on the PATH, or a path.")] = (
        "restic"
    )


class HostConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which host this is, and what may be done to it."""

    backend: Annotated[
        Literal["systemd", "nixos", "sandbox"],
        Meta(description="How the host is managed; `sandbox` touches nothing outside `root`."),
    ] = "systemd"
    root: Annotated[str, _path("The sandbox's folder: every path lies under it, commands are written down only.")] = ""
    primary_user: Annotated[
        str, Meta(pattern=r"^[a-z_][a-z0-9_-]{0,30}$", description="The account that stands for the administrator.")
    ] = "admin"
    dkim_file: Annotated[str, _path("The zone file with the mail server's DKIM record.")] = ""
    config_dir: Annotated[str, _path("What `configuration/pull` pulls.")] = "/etc/manor-config"
    userdata: Annotated[str, _path("The file that the NixOS configuration reads.")] = (
        "/etc/nixos/userdata/userdata.json"
    )
    helper_socket: Annotated[str, _path("Where the root helper listens.")] = "/run/manor-host.sock"
    jobs: JobCommands = JobCommands()
    backup: BackupConfig = BackupConfig()
    services: Annotated[
        dict[str, Entry],
        Meta(description="Services beside those that are always there, or other units for those, by their keys."),
    ] = {}

    def __post_init__(self) -> None:
        """Check what does not fit together, or is no value of a key's."""
        for key in self.services:
            if not _KEY.fullmatch(key):
                raise ValueError(f"services.{key}: expected a key of a to z, 0 to 9, _ and -, a letter first")
        if self.backend == "sandbox" and self.root in ("", "/"):
            raise ValueError('backend = "sandbox" needs root, the folder that it keeps to')
        if self.backend != "sandbox" and self.root:
            # Whoever says so believes that nothing outside is touched.
            raise ValueError(
                f'root is the folder that a sandbox keeps to, and backend = "{self.backend}" keeps to none'
            )
