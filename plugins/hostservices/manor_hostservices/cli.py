"""`manor host`: what an administrator does on the host itself, as root, and never over a network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from manor.cli import Failure, Misuse, NoPermission, config_option

CONFIG_FILE = "config.toml"


@click.group()
def host() -> None:
    """Look after the host, as root."""


@host.command("recovery-kit")
@config_option
def recovery_kit(config: Path | None) -> None:
    """Print what opens the backups when this server is gone: keep it elsewhere.

    It has the repository's address and password, the store's credentials, and what to type to have files back with
    nothing but restic.
    """
    if os.geteuid() != 0:
        raise NoPermission("Only root may read what opens the backups")
    import socket

    import trio

    from manor import SystemClock
    from manor_hostservices.backups.kit import make_kit, written
    from manor_hostservices.backups.setting import Setting
    from manor_hostservices.helper.configuration import FOLDER, load
    from manor_hostservices.places import Places
    from manor_hostservices.programs import HostPrograms
    from manor_hostservices.refusals import HostRefusal

    if config is not None and config.name != CONFIG_FILE:
        raise Misuse(f"The root helper's configuration is a file {CONFIG_FILE}, with a folder conf.d beside it")
    folder = FOLDER if config is None else config.absolute().parent
    try:
        setting = Setting(load(folder).backup, Places(), HostPrograms(), SystemClock())
        kit = trio.run(make_kit, setting, socket.gethostname())
    except HostRefusal as refusal:
        raise Failure(refusal.detail) from refusal
    click.echo(written(kit), nl=False)
