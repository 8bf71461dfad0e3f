"""`manor user`: people on this server."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from manor.cli.failures import Failure, Misuse
from manor.cli.options import config_option, json_option, print_json


@click.group()
def user() -> None:
    """People on this server."""


@user.command()
@click.argument("email")
@click.option("--username", required=True, help="The name to sign in with, and to be seen by.")
@click.option("--admin", is_flag=True, help="May administer this server.")
@click.option("--password-stdin", is_flag=True, help="Read the password, one line, from standard input.")
@config_option
@json_option
def add(email: str, username: str, admin: bool, password_stdin: bool, config: Path | None, as_json: bool) -> None:
    """Add a person. Without a password they cannot sign in with one until it is set."""
    from manor.cli import call_house
    from manor.identity.commands import AddUser, UserAdded

    password = _read_password() if password_stdin else None
    arguments = AddUser(email=email, username=username, is_admin=admin, password=password)
    added = call_house(config, "user.add", arguments, UserAdded)
    if as_json:
        print_json(added)
    else:
        click.echo(f"{added.username} is added{' as an administrator' if added.is_admin else ''} ({added.id})")


def _read_password() -> str:
    try:
        password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Failure("the password on standard input is not UTF-8") from None
    if not password:
        raise Misuse("--password-stdin: no password came on standard input")
    return password
