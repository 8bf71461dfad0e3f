"""The host, made from the administrator's table: in a process that may do what is asked, or one that may only look."""

from __future__ import annotations

from typing import Protocol

from manor_hostservices.backends.backend import Backend
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import BackupDesk
from manor_hostservices.jobs.performing import BackupWork
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms, Programs


class Backups(BackupDesk, BackupWork, Protocol):
    """Knows the repository, and does jobs with it."""


def make_backend(config: HostConfig, places: Places, programs: Programs) -> Backend:
    """The host of the kind that the table names; the others are not even imported."""
    match config.backend:
        case "systemd":
            from manor_hostservices.backends.systemd import Systemd

            return Systemd(config, places, programs)
        case "nixos":
            from manor_hostservices.backends.nixos import NixOs

            return NixOs(config, places, programs)
        case "sandbox":
            from manor_hostservices.backends.sandbox import Sandbox

            return Sandbox(config, places, programs)


def make_backups(config: HostConfig, places: Places, programs: Programs) -> Backups:
    """The host's backups. A sandbox's are real: restic touches nothing but its folder."""
    from manor_hostservices.backups.working import BackupJobs

    return BackupJobs(config, places, HostPrograms() if config.backend == "sandbox" else programs)
