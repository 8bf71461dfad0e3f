"""Running the host's programs, whose failure is the host's refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from manor_hostservices.programs import SECONDS, Done, Hear, Programs
from manor_hostservices.refusals import Failed

_SAID = 500
"""Characters of what a program said that a refusal carries."""


async def run_to_its_end(
    programs: Programs,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    seconds: float | None = SECONDS,
    hear: Hear | None = None,
) -> Done:
    """Run a program; see `Programs.run`.

    Raises:
        NotHere: There is no such program.
        Failed: It took too long.
    """
    try:
        return await programs.run(argv, stdin=stdin, env=env, seconds=seconds, hear=hear)
    except trio.TooSlowError as error:
        raise Failed(f"{argv[0]} did not end within {seconds:.0f} seconds") from error


async def run_well(
    programs: Programs,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    seconds: float | None = SECONDS,
    hear: Hear | None = None,
) -> str:
    """Run a program that has to end well, and give what it said.

    Raises:
        NotHere: There is no such program.
        Failed: It took too long, or ended with another status than 0.
    """
    done = await run_to_its_end(programs, argv, stdin=stdin, env=env, seconds=seconds, hear=hear)
    if done.status != 0:
        said = done.output.strip()[-_SAID:]
        raise Failed(f"{argv[0]}: {said}" if said else f"{argv[0]} ended with status {done.status}")
    return done.output
