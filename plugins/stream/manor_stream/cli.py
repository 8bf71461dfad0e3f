"""`manor stream`."""

from __future__ import annotations

from pathlib import Path

import click

from manor.cli import call_house, config_option, json_option, print_json


@click.group()
def stream() -> None:
    """Manage live video."""


@stream.command()
@click.option("--renew", is_flag=True, help="Make a new key first; the old one opens nothing from then on.")
@config_option
@json_option
def key(renew: bool, config: Path | None, as_json: bool) -> None:
    """Show the stream key, which is the password of the user `admin` too."""
    from manor_stream.keeping import ShownKey, WantedKey

    shown = call_house(config, "stream.key", WantedKey(renew), ShownKey)
    if as_json:
        print_json(shown)
        return
    click.echo(shown.key)
