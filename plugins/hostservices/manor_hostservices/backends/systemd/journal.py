"""What services' units said, out of systemd's journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from manor_hostservices.backends.running import run_to_its_end
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed, Invalid, NotHere
from manor_hostservices.verbs import Lines

LONGEST = 4096
"""Characters that are kept of a line."""


class _Record(msgspec.Struct):
    """What is read of an entry; names as in systemd.journal-fields(7), forms as in journalctl(1), `json`."""

    cursor: str = msgspec.field(name="__CURSOR")
    microseconds: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: Any = msgspec.field(name="MESSAGE", default=None)
    identifier: Any = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)
    pid: Any = msgspec.field(name="_PID", default=None)


async def read_journal(programs: Programs, units: Sequence[str], *, newest: int, after: str) -> Lines:
    """Read what units said.

    Args:
        programs: Runs journalctl.
        units: Whole names.
        newest: How many lines at most.
        after: Only what came after this cursor; empty: any.

    Raises:
        NotHere: The journal is not ours to read, or there is none.
        Invalid: The cursor is none.
    """
    if not units:
        return Lines([], after)
    argv = [
        "journalctl", "--quiet", "--no-pager", "--output=json", "--all",
        # Whole entries would soon be more than is kept of a program's output.
        "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID",
        f"--lines={newest}", *(f"--unit={unit}" for unit in units),
    ]  # fmt: skip
    if after:
        argv.append(f"--after-cursor={after}")
    done = await run_to_its_end(programs, argv)
    # Entries are objects: what services say is not what journalctl says.
    own_words = "\n".join(line for line in done.output.split("\n") if not line.startswith("{"))
    if "insufficient permissions" in own_words:
        raise NotHere("The journal is not ours to read")
    if done.status != 0:
        if after and "cursor" in own_words:
            raise Invalid("There is no such place in the journal")
        raise Failed(f"journalctl: {own_words.strip()[-500:]}")
    return read_entries(done.output, after)


def read_entries(output: str, after: str = "") -> Lines:
    """Read what journalctl wrote: an object a line; one that is cut off or none is left out.

    Args:
        output: What it wrote, oldest first.
        after: The cursor when there is nothing.
    """
    lines = []
    for text in output.split("\n"):
        try:
            record = msgspec.json.decode(text, type=_Record)
            when = datetime.fromtimestamp(int(record.microseconds) / 1e6, UTC)
        except (msgspec.MsgspecError, ValueError, OverflowError):
            continue
        after = record.cursor
        who = _text(record.identifier) + (f"[{_text(record.pid)}]" if record.pid else "")
        said = _text(record.message)[:LONGEST]
        stamp = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines.append(f"{stamp} {who}: {said}" if who else f"{stamp} {said}")
    return Lines(lines, after)


def _text(value: Any) -> str:
    """A field's value: text, a list of bytes when it is not UTF-8, a list of several values, or null."""
    match value:
        case str():
            return value
        case [int(), *_]:
            return bytes(value).decode(errors="replace")
        case [first, *_]:
            return _text(first)
    return ""
