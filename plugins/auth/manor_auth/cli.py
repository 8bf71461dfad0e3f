"""`manor auth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from manor.cli import call_house, config_option, json_option, print_json, print_table

if TYPE_CHECKING:
    from manor_auth.commands import KeysShown


@click.group()
def auth() -> None:
    """What people sign in with."""


@auth.command()
@click.option("--email", help="Only those for this address.")
@click.option("--kind", type=click.Choice(["verify", "reset", "invite", "undo-email"]), help="Only those of this kind.")
@config_option
@json_option
def links(email: str | None, kind: str | None, config: Path | None, as_json: bool) -> None:
    """List the links that were not mailed, because there is no mail server or it does not answer."""
    from manor_auth.commands import LinksListed, ListLinks

    # Bytes that are not UTF-8 arrive as lone surrogates, and no address has them.
    wanted = None if email is None else email.encode("utf-8", "replace").decode()
    listed = call_house(config, "auth.list_links", ListLinks(wanted, kind), LinksListed)
    if as_json:
        print_json(listed.links)
        return
    rows = [
        (
            link.kind,
            link.email,
            f"{link.created_at:%Y-%m-%dT%H:%M:%SZ}",
            "given up" if link.is_given_up else "waits",
            link.url,
        )
        for link in listed.links
    ]
    print_table(("KIND", "EMAIL", "CREATED", "MAIL", "LINK"), rows)


@auth.command("setup-link")
@config_option
def setup_link(config: Path | None) -> None:
    """Print a link that makes the first admin, while nobody is here; good for 15 minutes, and older ones are void."""
    from manor_auth.commands import MakeSetupLink, SetupLink

    click.echo(call_house(config, "auth.make_setup_link", MakeSetupLink(), SetupLink).url)


@auth.command()
@click.argument("email")
@config_option
@json_option
def invite(email: str, config: Path | None, as_json: bool) -> None:
    """Ask somebody to make an account here. Without a mail server, prints the link that lets them."""
    from manor_auth.commands import InvitePerson, PersonInvited

    try:
        email.encode()
    except UnicodeEncodeError as error:
        # Bytes that are not UTF-8 arrive as lone surrogates.
        raise click.BadParameter("is no e-mail address", param_hint="EMAIL") from error
    invited = call_house(config, "auth.invite", InvitePerson(email), PersonInvited)
    if as_json:
        print_json(invited)
    elif invited.is_mailed:
        click.echo(
            f"An invite is on its way to {invited.email}; it is good until {invited.expires_at:%Y-%m-%d %H:%M} UTC"
        )
    else:
        click.echo(invited.url)


@auth.group()
def keys() -> None:
    """The keys that sign access and refresh tokens."""


@keys.command()
@config_option
@json_option
def rotate(config: Path | None, as_json: bool) -> None:
    """Sign with a new key from here on; nobody is signed out. Prints the keys."""
    from manor_auth.commands import KeysShown, RotateKeys

    _show(call_house(config, "auth.rotate_keys", RotateKeys(), KeysShown), as_json)


@keys.command()
@click.argument("kid", type=click.STRING)
@config_option
@json_option
def revoke(kid: str, config: Path | None, as_json: bool) -> None:
    """End a key and every token that it signed: whoever has one signs in anew. Prints the keys that are left."""
    from manor_auth.commands import KeysShown, RevokeKey

    # Bytes that are not UTF-8 arrive as lone surrogates, and no key is called so.
    wanted = RevokeKey(kid.encode("utf-8", "replace").decode())
    _show(call_house(config, "auth.revoke_key", wanted, KeysShown), as_json)


def _show(shown: KeysShown, as_json: bool) -> None:
    if as_json:
        print_json(shown.keys)
        return
    rows = [(key.kid, f"{key.created_at:%Y-%m-%dT%H:%M:%SZ}", "yes" if key.signs else "") for key in shown.keys]
    print_table(("KID", "CREATED", "SIGNS"), rows)
