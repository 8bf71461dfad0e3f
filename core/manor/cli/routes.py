"""`manor routes` and `manor openapi`: what the house serves, without a daemon and without its data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from manor.cli.options import config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from manor.assembly import Description


class Listed(msgspec.Struct, frozen=True):
    """One row of `manor routes`."""

    method: str
    path: str
    access: str
    owner: str


@click.command()
@config_option
@json_option
def routes(config: Path | None, as_json: bool) -> None:
    """List every route of the enabled plugins: method, path, who may call it, and whose it is."""
    from manor.assembly import describe
    from manor.config import load

    described = describe(load(config, os.environ))
    _say_what_is_left_out(described)
    table = described.table
    rows = [Listed(owned.route.method, owned.route.path, str(owned.route.access), owned.owner) for owned in table]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("METHOD", "PATH", "OWNER", "ACCESS"), [(row.method, row.path, row.owner, row.access) for row in rows]
        )


@click.command()
@click.option("--enabled", is_flag=True, help="Only what the enabled plugins serve.")
@config_option
def openapi(enabled: bool, config: Path | None) -> None:
    """Print the OpenAPI 3.1 description of every installed plugin, enabled or not. Needs no daemon."""
    from manor.assembly import describe
    from manor.config import load
    from manor.openapi import describe as openapi_of

    loaded = load(config, os.environ)
    described = describe(loaded, every=not enabled)
    _say_what_is_left_out(described)
    print_json(openapi_of(described.table))


def _say_what_is_left_out(described: Description) -> None:
    """A plugin that does not work serves nothing: say so beside what is printed, as the daemon does in its log."""
    from manor.discovery import State

    for plugin in described.plugins:
        if plugin.state is State.QUARANTINED:
            click.echo(f"manor: the plugin '{plugin.name}' is left out: {plugin.reason}", err=True)
