"""`manor token`: credentials that are made here."""

from __future__ import annotations

from pathlib import Path

import click

from manor.cli.failures import Misuse
from manor.cli.options import config_option, json_option, print_json


@click.group()
def token() -> None:
    """Credentials that are made here rather than by their owners."""


@token.command()
@click.option("--kind", required=True, help="What it opens, such as device.")
@click.option("--label", required=True, help="What people tell it apart by.")
@config_option
@json_option
def new(kind: str, label: str, config: Path | None, as_json: bool) -> None:
    """Make a credential and print its secret, which is not shown again."""
    from manor.cli import call_house
    from manor.tokens import NewToken, TokenMade

    for option, text in (("--kind", kind), ("--label", label)):
        if not _is_utf8(text):
            raise Misuse(f"{option}: it is not UTF-8")
    made = call_house(config, "token.new", NewToken(kind, label), TokenMade)
    if as_json:
        print_json(made)
    else:
        click.echo(made.secret)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of the command line that are none arrive as lone surrogates
        return False
    return True
