"""`manor user`: people on this server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manor.cli.failures import Failure, Misuse
from manor.cli.options import config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from manor.commands import UserShown

PAGE = 1000

who_argument = click.argument("who", metavar="WHO")


@click.group()
def user() -> None:
    """People on this server; WHO is an e-mail address, a username or an id."""


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
    from manor.commands import AddUser, UserAdded

    password = _read_password() if password_stdin else None
    arguments = AddUser(email=email, username=username, is_admin=admin, password=password)
    added = call_house(config, "user.add", arguments, UserAdded)
    if as_json:
        print_json(added)
    else:
        click.echo(f"{added.username} is added{' as an administrator' if added.is_admin else ''} ({added.id})")


@user.command("list")
@config_option
@json_option
def list_people(config: Path | None, as_json: bool) -> None:
    """List everybody, by username."""
    from manor.cli import call_house
    from manor.commands import ListUsers, UsersListed

    people = page = call_house(config, "user.list", ListUsers(limit=PAGE), UsersListed).users
    while len(page) == PAGE:
        page = call_house(config, "user.list", ListUsers(page[-1].handle, PAGE), UsersListed).users
        people = people + page
    if as_json:
        print_json(people)
        return
    print_table(
        ("USERNAME", "EMAIL", "TIER", "CREATED", "STATE"),
        [(each.username, each.email or "", each.tier, _day(each.created_at), _state(each)) for each in people],
    )


@user.command()
@who_argument
@config_option
@json_option
def show(who: str, config: Path | None, as_json: bool) -> None:
    """Show somebody, and how they sign in."""
    shown = _ask(config, "user.show", who)
    if as_json:
        print_json(shown)
        return
    ways = [*(["password"] if shown.has_password else []), *shown.logins]
    for name, value in (
        ("id", str(shown.id)),
        ("username", shown.username),
        ("e-mail", shown.email or "none"),
        ("tier", shown.tier),
        ("state", _state(shown)),
        ("signs in with", ", ".join(ways) or "nothing"),
        ("second factor", "a code of an app" if shown.has_mfa else "none"),
        ("sessions", str(shown.sessions)),
        ("teams", ", ".join(shown.teams) or "none"),
        ("created", _moment(shown.created_at)),
        ("last login", _moment(shown.last_login)),
        ("terms accepted", _moment(shown.terms_accepted_at)),
    ):
        click.echo(f"{name + ':':16}{value}")


@user.command()
@who_argument
@config_option
@json_option
def disable(who: str, config: Path | None, as_json: bool) -> None:
    """Keep somebody out: their sign-ins and streams end now, and their keys open nothing."""
    _tell(_ask(config, "user.disable", who), "is disabled", as_json)


@user.command()
@who_argument
@config_option
@json_option
def enable(who: str, config: Path | None, as_json: bool) -> None:
    """Let somebody in again; they sign in anew, and their keys work as before."""
    _tell(_ask(config, "user.enable", who), "is enabled", as_json)


@user.command()
@who_argument
@config_option
@json_option
def verify(who: str, config: Path | None, as_json: bool) -> None:
    """Vouch for somebody's e-mail address, so that they can sign in."""
    _tell(_ask(config, "user.verify", who), "is verified", as_json)


@user.command("disable-mfa")
@who_argument
@config_option
@json_option
def disable_mfa(who: str, config: Path | None, as_json: bool) -> None:
    """Switch somebody's second factor off, and forget their recovery codes."""
    _tell(_ask(config, "user.disable_mfa", who), "signs in without a second factor", as_json)


@user.command("make-admin")
@who_argument
@click.option("--revoke", is_flag=True, help="They may no longer.")
@config_option
@json_option
def make_admin(who: str, revoke: bool, config: Path | None, as_json: bool) -> None:
    """Let somebody administer this server."""
    from manor.commands import MakeAdmin

    shown = _call(config, "user.make_admin", MakeAdmin(who, not revoke))
    _tell(shown, "is no administrator" if revoke else "is an administrator", as_json)


@user.command("set-tier")
@who_argument
@click.argument("tier")
@config_option
@json_option
def set_tier(who: str, tier: str, config: Path | None, as_json: bool) -> None:
    """Give somebody the limits of a tier."""
    from manor.commands import SetTier

    _tell(_call(config, "user.set_tier", SetTier(who, tier)), f"has the tier {tier}", as_json)


@user.command("set-password")
@who_argument
@click.option("--password-stdin", is_flag=True, help="Read the password, one line, from standard input.")
@config_option
@json_option
def set_password(who: str, password_stdin: bool, config: Path | None, as_json: bool) -> None:
    """Give somebody a password. It is asked for, twice; whoever is signed in as them is so no more."""
    from manor.commands import SetPassword

    password = _read_password() if password_stdin else _prompt_password()
    _tell(_call(config, "user.set_password", SetPassword(who, password)), "has a new password", as_json)


@user.command()
@who_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def delete(who: str, yes: bool, config: Path | None, as_json: bool) -> None:
    """Erase somebody: the account at once, all that they left behind as soon as the daemon gets to it."""
    if not yes:
        shown = _ask(config, "user.show", who)
        address = f", {shown.email}" if shown.email else ""
        click.confirm(f"Erase {shown.username} ({shown.id}{address}) for good?", abort=True, err=True)
        # The one who was shown, whoever has the name by now.
        who = str(shown.id)
    _tell(_ask(config, "user.delete", who), "is deleted; what they left behind goes while the daemon runs", as_json)


def _ask(config: Path | None, command: str, who: str) -> UserShown:
    from manor.commands import Who

    return _call(config, command, Who(who))


def _call(config: Path | None, command: str, arguments: Any) -> UserShown:
    from manor.cli import call_house
    from manor.commands import UserShown

    return call_house(config, command, arguments, UserShown)


def _tell(shown: UserShown, what: str, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        click.echo(f"{shown.username} {what} ({shown.id})")


def _state(person: Any) -> str:
    words = [
        "active" if person.is_active else "disabled",
        *(["bot"] if person.is_bot else []),
        *(["admin"] if person.is_admin else []),
        *([] if person.is_verified or person.email is None else ["unverified"]),
    ]
    return ", ".join(words)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "never"


def _prompt_password() -> str:
    if not sys.stdin.isatty():
        raise Misuse("there is no terminal to ask for the password: use --password-stdin")
    password: str = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _read_password() -> str:
    try:
        password = sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Failure("the password on standard input is not UTF-8") from None
    if not password:
        raise Misuse("--password-stdin: no password came on standard input")
    return password
