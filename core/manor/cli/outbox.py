"""`manor outbox`: deferred work and durable deliveries that wait or failed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from manor.cli.failures import Misuse
from manor.cli.options import config_option, json_option, print_json, print_table


@click.group()
def outbox() -> None:
    """Deferred work and deliveries that wait or failed."""


@outbox.command("list")
@click.option("--state", type=click.Choice(["waiting", "dead"]), help="Only these; all by default.")
@config_option
@json_option
def list_rows(state: Literal["waiting", "dead"] | None, config: Path | None, as_json: bool) -> None:
    """List what waits and what failed for good, the oldest first."""
    from manor.cli import call_house
    from manor.commands import ListOutbox, OutboxListed

    listed = call_house(config, "outbox.list", ListOutbox(state=state), OutboxListed)
    if as_json:
        print_json(listed.rows)
        return
    print_table(
        ("ID", "STATE", "KIND", "NAME", "SUBSCRIBER", "TRIED", "DUE", "LAST ERROR"),
        [
            (
                str(row.id),
                row.state,
                row.kind,
                row.name,
                row.subscriber,
                str(row.attempts),
                f"{row.due_at:%Y-%m-%dT%H:%M:%SZ}" if row.due_at else "now",
                row.last_error or "",
            )
            for row in listed.rows
        ],
    )


@outbox.command()
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
@config_option
def retry(ids: tuple[int, ...], every: bool, config: Path | None) -> None:
    """Try dead letters again, with all their attempts anew."""
    from manor.cli import call_house
    from manor.commands import OutboxRetried, RetryOutbox

    if bool(ids) == every:
        raise Misuse("name the dead letters, or say --all")
    retried = call_house(config, "outbox.retry", RetryOutbox(ids=None if every else list(ids)), OutboxRetried)
    click.echo(f"{retried.count} to be tried again")
