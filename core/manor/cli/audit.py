"""`manor audit`: the audit log."""

from __future__ import annotations

from pathlib import Path

import click

from manor.cli.failures import Failure
from manor.cli.options import config_option, json_option, print_json, print_table


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command("list")
@click.option("--action", default="", metavar="ACTION", help="Only this, or all below it, such as `hostservices`.")
@click.option("--who", default="", metavar="ID", help="Only what this one did, or what was done to it.")
@click.option("--last", "most", type=click.IntRange(1, 10_000), default=200, show_default=True, help="So many at most.")
@config_option
@json_option
def list_rows(action: str, who: str, most: int, config: Path | None, as_json: bool) -> None:
    """List who did what to whom, the newest at the end."""
    from manor.cli import call_house
    from manor.commands import AuditListed, ListAudit

    listed = call_house(config, "audit.list", ListAudit(action, who, most), AuditListed)
    if as_json:
        print_json(listed.rows)
        return
    print_table(
        ("AT", "ACTION", "WHO", "TO WHOM", "DETAIL"),
        [(f"{row.at:%Y-%m-%dT%H:%M:%SZ}", row.action, row.actor, row.target, row.detail or "") for row in listed.rows],
    )


@audit.command()
@config_option
@json_option
def verify(config: Path | None, as_json: bool) -> None:
    """Check the chain of digests over the whole log; exit 1 when a row was changed, taken out or put in."""
    from manor.cli import call_house
    from manor.commands import AuditVerified, VerifyAudit

    verified = call_house(config, "audit.verify", VerifyAudit(), AuditVerified)
    if as_json:
        print_json(verified)
    elif not verified.faults:
        older = f"; {verified.removed} older ones are gone, as `server.audit_days` says" if verified.removed else ""
        click.echo(f"{verified.rows} rows, unbroken{older}")
    if verified.faults:
        raise Failure("\n".join(verified.faults))
