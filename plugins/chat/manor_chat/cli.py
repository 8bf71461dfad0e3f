"""`manor chat`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from manor.cli import call_house, config_option, json_option, print_json

if TYPE_CHECKING:
    from manor_chat.moving.report import Report


@click.group()
def chat() -> None:
    """Chat on this server."""


@chat.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only say what would become of it.")
@config_option
@json_option
def import_(file: Path, dry_run: bool, config: Path | None, as_json: bool) -> None:
    """Take over teams, channels, people and posts from FILE: a bulk export of Mattermost, a .zip or its .jsonl.

    What is there already stays; done twice it changes nothing. Works with the daemon stopped and running; the daemon
    reads the file itself, and has to be allowed to.
    """
    from manor_chat.commands import IMPORT_SECONDS, Import
    from manor_chat.moving.report import Report

    wanted = Import(path=str(file.absolute()), is_dry_run=dry_run)
    report = call_house(config, "chat.import", wanted, Report, seconds=IMPORT_SECONDS)
    if as_json:
        print_json(report)
        return
    for line in imported_lines(report):
        click.echo(line)


@chat.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--no-files", is_flag=True, help="Leave files, pictures and emoji out.")
@config_option
@json_option
def export(file: Path, no_files: bool, config: Path | None, as_json: bool) -> None:
    """Write all that is in chat into FILE, a zip of the bulk format that `manor chat import` and Mattermost read.

    It is of one moment, whatever is written meanwhile. Works with the daemon stopped and running; the daemon writes the
    file itself, and has to be allowed to.
    """
    from manor_chat.commands import IMPORT_SECONDS, Export
    from manor_chat.moving.report import Report

    wanted = Export(path=str(file.absolute()), with_files=not no_files)
    report = call_house(config, "chat.export", wanted, Report, seconds=IMPORT_SECONDS)
    if as_json:
        print_json(report)
        return
    click.echo(f"{file}: {report.lines} lines")
    for line in [*_counts("written", report.made), *_rest(report)]:
        click.echo(line)


def imported_lines(report: Report) -> list[str]:
    """What became of an import, for a terminal."""
    verb = "would be" if report.is_dry_run else "were"
    lines = [f"{report.lines} lines"]
    if not report.made and not report.changed:
        lines.append("nothing in it is new: nothing " + ("would be changed" if report.is_dry_run else "was changed"))
    lines += _counts(f"{verb} new", report.made)
    lines += _counts(f"{verb} changed", report.changed)
    lines += _counts("are there already", report.unchanged)
    return [*lines, *_rest(report)]


def _counts(what: str, counts: Mapping[str, int]) -> list[str]:
    return [f"{count} {kind} {what}" for kind, count in counts.items()]


def _rest(report: Report) -> list[str]:
    lines = [f"not carried over: {count} {what}" for what, count in report.left_out.items()]
    lines += [f"line {each.line}: {each.what}" if each.line else each.what for each in report.troubles]
    more = report.trouble_count - len(report.troubles)
    return [*lines, f"and {more} more"] if more else lines
