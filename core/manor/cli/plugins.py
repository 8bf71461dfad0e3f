"""`manor plugins`: list, enable, disable, make and purge plugins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manor.cli.failures import Failure
from manor.cli.options import config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from manor.commands import PluginsListed
    from manor.config import Loaded


@click.group()
def plugins() -> None:
    """List, enable, disable, make and purge plugins."""


@plugins.command("list")
@config_option
@json_option
def list_plugins(config: Path | None, as_json: bool) -> None:
    """List what is installed, how each fares, and why: in the running daemon, else at a start."""
    from manor.commands import Nothing, PluginsListed
    from manor.config import load
    from manor.control import ask_daemon

    loaded = load(config, os.environ)
    found = ask_daemon(loaded, "plugins.list", Nothing(), PluginsListed) or _described(loaded)
    if as_json:
        print_json(found.plugins)
    else:
        rows = [(row.name, row.state, row.source, row.reason) for row in found.plugins]
        print_table(("PLUGIN", "STATE", "FROM", "REASON"), rows)


def _described(loaded: Loaded) -> PluginsListed:
    """What a start would make of the plugins."""
    from manor.assembly import describe
    from manor.core_commands import listed

    return listed(describe(loaded).plugins)


@plugins.command()
@click.argument("name")
@config_option
def enable(name: str, config: Path | None) -> None:
    """Switch a plugin on, from the next start."""
    _switch(name, config, on=True)


@plugins.command()
@click.argument("name")
@config_option
def disable(name: str, config: Path | None) -> None:
    """Switch a plugin off, from the next start; its data stays."""
    _switch(name, config, on=False)


def _switch(name: str, config: Path | None, *, on: bool) -> None:
    """Write the managed file; neither the house nor a daemon is needed for that."""
    from manor.config import change_managed, load
    from manor.discovery import discover

    loaded = load(config, os.environ)
    installed = [found.name for found in discover(loaded.config.server.plugin_folders)]
    if name not in installed:
        raise Failure(f"no plugin {name!r} is installed; installed are {', '.join(installed) or 'none'}")
    key = f"plugins.{name}.enabled"
    path = change_managed(loaded, {key: on})
    # Variables win over the managed file, and so would a drop-in that sorts behind it.
    winner = load(config, os.environ)
    if winner.config.plugins.get(name, {}).get("enabled") is not on:
        raise Failure(f"{path} says {key} = {str(on).lower()}, but {winner.source_of(key)} wins over it")
    click.echo(f"{name} is {'enabled' if on else 'disabled'} from the next start ({path})")


@plugins.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Where the project's own folder manor-NAME is made.",
)
@config_option
def new(name: str, folder: Path, config: Path | None) -> None:
    """Make the project of a new plugin: manor-NAME, with a route, an event, a table, and green tests."""
    from manor.scaffold import make_project

    project = make_project(name, folder)
    click.echo(f"{project} is made. Next:")
    click.echo(f"  cd {project} && pip install -e '.[testing]' && pytest")
    click.echo(f"  manor plugins enable {name}")


@plugins.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
def purge(name: str, yes: bool, config: Path | None) -> None:
    """Drop a disabled or uninstalled plugin's tables and files, for good."""
    from manor.cli import call_house
    from manor.commands import Purge, Purged

    if not yes:
        click.confirm(f"Drop all data of {name!r} for good?", abort=True)
    purged = call_house(config, "plugins.purge", Purge(name), Purged)
    click.echo(f"{name}: {len(purged.tables)} tables dropped" + "".join(f"\n  {table}" for table in purged.tables))
