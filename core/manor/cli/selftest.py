"""`manor selftest`: prove promises on this machine, where they have to hold."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import click

from manor.cli.options import config_option, json_option, print_json


@click.group()
def selftest() -> None:
    """Prove promises on this machine."""


@selftest.command()
@click.option("--kills", type=click.IntRange(1, 1000), default=15, show_default=True, help="How often it is killed.")
@click.option("--connections", type=click.IntRange(1, 64), default=8, show_default=True, help="Publishers at once.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder on the disk to prove; else the configured data directory, or where it would be made.",
)
@config_option
@json_option
@click.pass_context
def durability(
    ctx: click.Context, kills: int, connections: int, folder: Path | None, config: Path | None, as_json: bool
) -> None:
    """Kill a publishing daemon again and again: no message that it acknowledged may be lost.

    The daemon is one of its own with data of its own; a running one is not touched. Its data is in a folder
    selftest-... on the disk that is proven, which is gone afterwards. Each kill is a line on stderr. Exit 1 when a
    promise was broken.
    """
    import trio

    from manor.config import load
    from manor.selftest import Stopped, scratch, survive_kills, until_stopped

    place = folder or _nearest(load(config, os.environ).config.server.data_dir)
    tell = partial(click.echo, err=True)
    try:
        with scratch(place) as inside:
            tell(f"killing a daemon of its own {kills} times in {inside}")
            run = partial(survive_kills, inside, kills=kills, connections=connections, tell=tell)
            report = trio.run(until_stopped, run)
    except Stopped as stopped:
        # All is cleaned up: end as the signal would have ended us.
        signal.signal(stopped.signal, signal.SIG_DFL)
        os.kill(os.getpid(), stopped.signal)
        raise
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"{report.kills} kills in {report.seconds:.1f} s: {report.sent} messages sent, "
            f"{report.acknowledged} acknowledged, {report.stored} stored, {report.heard} heard"
        )
        click.echo("\n".join(report.faults) or "every promise was kept")
    if not report.has_passed:
        ctx.exit(1)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: it is on the same disk."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
