"""Jobs that a program does: the one that the admin's table names, or the one that rebuilds NixOS."""

from __future__ import annotations

from collections.abc import Mapping

from manor_hostservices.backends.running import run_well
from manor_hostservices.config import Argv, JobCommands
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Invalid
from manor_hostservices.verbs import JobKind

_REBUILD: Mapping[JobKind, Argv] = {
    "apply": ("nixos-rebuild", "switch"),
    "upgrade": ("nixos-rebuild", "switch", "--upgrade"),
    "rollback": ("nixos-rebuild", "switch", "--rollback"),
}
_REHEARSE: Mapping[JobKind, Argv] = {
    kind: ("nixos-rebuild", "dry-activate", *argv[2:]) for kind, argv in _REBUILD.items()
}


async def run_command(programs: Programs, argv: Argv, report: Report, *, dry_run: bool) -> None:
    """Run a program that is a job; a dry run only says which, since nobody but the program knows what it would do.

    Raises:
        NotHere: There is no such program.
        Failed: It failed.
    """
    if dry_run:
        report.message(f"Would run {' '.join(argv)}")
    else:
        report.message(f"Running {argv[0]}")
        await run_well(programs, argv, seconds=None, hear=report.log)
        report.message(f"{argv[0]} is done")
    report.progress(1)


async def rebuild(programs: Programs, own: JobCommands, kind: JobKind, report: Report, *, dry_run: bool) -> None:
    """Do a job as NixOS does it, unless the admin's table says otherwise.

    Args:
        programs: Runs it.
        own: The admin's table.
        kind: `apply`, `upgrade` or `rollback`.
        report: Hears how it fares.
        dry_run: Only say what it would do.

    Raises:
        Invalid: It is another kind of job.
        NotHere: There is no such program.
        Failed: The program failed.
    """
    configured: Mapping[JobKind, Argv] = {"apply": own.apply, "upgrade": own.upgrade, "rollback": own.rollback}
    if argv := configured.get(kind):
        await run_command(programs, argv, report, dry_run=dry_run)
    elif kind in _REBUILD:
        # It has a rehearsal of its own, which says what would change.
        await run_command(programs, (_REHEARSE if dry_run else _REBUILD)[kind], report, dry_run=False)
    else:
        raise Invalid(f"This is no job of the host's: {kind}")
