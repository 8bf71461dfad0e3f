"""What commands have in common: their options, and how they print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])

config_option: Callable[[F], F] = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The configuration file; else ./config.toml, else /etc/manor/config.toml, else the defaults.",
)
"""`--config FILE`: every command takes it and hands it, as `Path | None`, to what reads the configuration."""

json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
"""`--json`: for commands that a script may read."""


def url_option(function: F) -> F:
    """`--url URL`: the daemon to talk to, when it is not the one of the configuration."""
    add = click.option("--url", metavar="URL", help="The daemon's address; else where the configuration has it listen.")
    return add(function)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last column is as long as it is."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings) - 1)]
    for row in (headings, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())
