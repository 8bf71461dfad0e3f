"""Programs of the host: run with a list of arguments, a deadline and a bound on what they say; never by a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import trio

from manor_hostservices.refusals import NotHere

SECONDS = 60.0
OUTPUT_LIMIT = 1 << 20
"""Bytes that are kept of what a program says; the end of it counts."""

LONGEST_LINE = 16 << 20
"""Bytes of a line that is heard: restic lists thousands of backups in one. The end of a longer one counts."""

LINGERING_SECONDS = 5.0
"""For what a program said last, where one that it left behind holds its output open, maybe for ever."""

_SEARCHED = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Done:
    """How a program ended.

    Args:
        status: Its exit status; negative: the signal that ended it.
        output: What it said, standard output and error together as they came, at most `OUTPUT_LIMIT` bytes of its end.
    """

    status: int
    output: str


Hear = Callable[[str], None]
"""Gets each line that a program says, without its end."""


class Programs(Protocol):
    """Runs programs."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        seconds: float | None = SECONDS,
        hear: Hear | None = None,
        cwd: str | None = None,
    ) -> Done:
        """Run one to its end.

        Args:
            argv: The program and its arguments; secrets go by `stdin` or `env`, for all users see these.
            stdin: What it reads.
            env: Variables beside `PATH`, `HOME` and `LC_ALL=C.UTF-8`, which it always has.
            seconds: After which it is ended, and so are its children; None: never.
            hear: Gets each line as it comes.
            cwd: Where it runs.

        Raises:
            NotHere: There is no such program, or it is none.
            trio.TooSlowError: It was ended because it took too long.
        """
        ...


class HostPrograms:
    """Programs that really run."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        seconds: float | None = SECONDS,
        hear: Hear | None = None,
        cwd: str | None = None,
    ) -> Done:
        """Run one to its end; see `Programs`."""
        kept = _Kept(hear)
        with trio.fail_after(float("inf") if seconds is None else seconds):
            # Outside the nursery, which would wrap the refusal into a group.
            process = await _open(argv, env or {}, cwd)
            status: int | None = None
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_feed, process, stdin)
                    nursery.start_soon(_listen, process, kept)
                    status = await process.wait()
                    nursery.cancel_scope.deadline = trio.current_time() + LINGERING_SECONDS
            finally:
                if status is None:
                    _end_group(process.pid)
                    with trio.CancelScope(shield=True):
                        await process.wait()
        return Done(status, kept.end())


@dataclass
class WrittenDown:
    """Programs that a sandbox only writes down.

    Attributes:
        ran: The arguments of each, in order; the newest thousand.
        answers: What a program says and how it ends, by the beginning of its arguments; any other says nothing, with 0.
    """

    ran: list[tuple[str, ...]] = field(default_factory=list)
    answers: dict[tuple[str, ...], Done] = field(default_factory=dict)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        seconds: float | None = SECONDS,
        hear: Hear | None = None,
        cwd: str | None = None,
    ) -> Done:
        """Write one down; see `Programs`."""
        await trio.lowlevel.checkpoint()
        self.ran.append(tuple(argv))
        del self.ran[:-1000]
        for beginning, done in self.answers.items():
            if tuple(argv[: len(beginning)]) == beginning:
                if hear is not None:
                    for line in done.output.splitlines():
                        hear(line)
                return done
        return Done(0, "")


class _Kept:
    """Gathers the end of what a program says, and cuts lines for whoever hears them."""

    def __init__(self, hear: Hear | None) -> None:
        self._hear = hear
        self._bytes = bytearray()
        self._line = bytearray()

    def take(self, chunk: bytes | bytearray) -> None:
        self._bytes += chunk
        if len(self._bytes) > 2 * OUTPUT_LIMIT:
            del self._bytes[:-OUTPUT_LIMIT]
        if self._hear is None:
            return
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._line += end
            self._hear(self._line.decode(errors="replace"))
            self._line.clear()
        self._line += rest
        # A line without an end is cut where it gets too long to be one.
        if len(self._line) > 2 * LONGEST_LINE:
            del self._line[:-LONGEST_LINE]

    def end(self) -> str:
        if self._hear is not None and self._line:
            self._hear(self._line.decode(errors="replace"))
        return bytes(self._bytes[-OUTPUT_LIMIT:]).decode(errors="replace")


async def _open(argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> trio.Process:
    try:
        return await trio.lowlevel.open_process(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": _SEARCHED, "HOME": "/root", "LC_ALL": "C.UTF-8", **env},
            cwd=cwd,
            # A group of its own, so that its children end with it.
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise NotHere(f"{argv[0]} is not installed") from error
    except OSError as error:
        # Such as a script that does not say by what it is run.
        raise NotHere(f"{argv[0]} cannot be run: {error.strerror}") from error


async def _feed(process: trio.Process, data: bytes) -> None:
    assert process.stdin is not None
    async with process.stdin:
        try:
            await process.stdin.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # it does not read what it is told; how it ends says whether that matters


async def _listen(process: trio.Process, kept: _Kept) -> None:
    assert process.stdout is not None
    async with process.stdout:
        async for chunk in process.stdout:
            kept.take(chunk)


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, 9)
    except ProcessLookupError:
        return
