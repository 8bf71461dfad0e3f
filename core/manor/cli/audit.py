"""`manor audit`: the audit log."""

from __future__ import annotations

from pathlib import Path

import click

from manor.cli.failures import Failure
from manor.cli.options import config_option, json_option, print_json


@click.group()
def audit() -> None:
    """The audit log."""


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
