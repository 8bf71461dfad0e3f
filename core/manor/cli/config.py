"""`manor config`: check and show the configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manor.cli.options import config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from manor.config import Setting


@click.group()
def config() -> None:
    """Check and show the configuration."""


@config.command()
@config_option
def check(config: Path | None) -> None:
    """Say everything that would stop the start or quarantine a plugin; exit 78 when there is something.

    Needs no daemon and changes nothing.
    """
    from manor.assembly import check as check_house
    from manor.assembly import read

    loaded = read(config, os.environ)
    for problem in check_house(loaded):
        click.echo(f"warning: {problem}", err=True)
    click.echo(f"{loaded.path or 'the defaults'}: fine")


@config.command()
@config_option
@json_option
def show(config: Path | None, as_json: bool) -> None:
    """Show each value and where it comes from; secrets are blanked."""
    from manor.assembly import settings
    from manor.config import load

    rows = settings(load(config, os.environ))
    if as_json:
        print_json(rows)
    else:
        print_table(("KEY", "VALUE", "FROM"), [(row.key, _written(row), row.source) for row in rows])


def _written(setting: Setting) -> str:
    """A value as TOML has it; a secret is blanked."""
    if setting.is_secret:
        return "…"
    return json.dumps(setting.value, ensure_ascii=False)
