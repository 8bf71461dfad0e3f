"""The list of jobs: a file for each, which outlives the process that started it and the one that did it.

A job's file is written whole or not at all, by one process at a time: by whoever starts the job, then by the job's own
process, and once that is gone by whoever finds out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec

from manor import Clock
from manor_hostservices.jobs.limits import ran_out
from manor_hostservices.places import Places
from manor_hostservices.refusals import Conflicting, Failed, Missing
from manor_hostservices.stored import write_whole
from manor_hostservices.verbs import Job, StartJob

KEPT = 200
"""Jobs that are remembered: months of nightly backups."""

LOG_LIMIT = 4 << 20
"""Bytes of a job's log; beyond that its older half goes."""

LINE_LIMIT = 4000
"""Characters of a log's line."""

_ID = re.compile(r"[0-9a-f]{32}")
_PROC = Path("/proc")


class Entry(msgspec.Struct, frozen=True):
    """What is written down of a job.

    Args:
        job: How it fares.
        asked: What was asked.
        max_hours: How long it may take; 0: as long as it likes.
    """

    job: Job
    asked: StartJob
    max_hours: int = 0


def boot_id(proc: Path = _PROC) -> str:
    """What tells this start of the host from every other one. Empty where there is nothing that does.

    A container that restarts stays on the same kernel, whose boot id is what a confined program sees there; its first
    process is another one, though, and began at another time.

    Args:
        proc: The host's `/proc`; see proc(5).
    """
    try:
        kernels = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    try:
        # The 22nd value; the name, which is the second, may have blanks and parentheses.
        return f"{kernels}/{int((proc / '1/stat').read_bytes().rpartition(b')')[2].split()[19])}"
    except (OSError, ValueError, IndexError):
        return kernels


class Ledger:
    """Jobs by their ids, and what their programs said. Its methods wait for the disk: call them on a thread.

    Args:
        places: Where the host's files are.
        clock: What time it is.
        boot: What tells this start of the host from others.
        kept: Jobs that are remembered; those that run are not forgotten.
    """

    def __init__(self, places: Places, clock: Clock, boot: str, kept: int = KEPT) -> None:
        self.folder = places.own / "jobs"
        self.clock = clock
        self.boot = boot
        self._kept = kept

    def create(self, asked: StartJob, max_hours: int = 0) -> Job:
        """Write a new job down, as running; the oldest ones that have ended are forgotten.

        Args:
            asked: What was asked.
            max_hours: How long it may take; 0: as long as it likes.

        Raises:
            Conflicting: There is one with this id.
            Failed: The disk does not take it.
        """
        try:
            return self._create(asked, max_hours)
        except OSError as error:
            raise Failed(f"The job cannot be written down: {error.strerror}") from error

    def _create(self, asked: StartJob, max_hours: int) -> Job:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._file(asked.id).exists():
            raise Conflicting("There is a job with this id")
        job = Job(
            asked.id,
            asked.kind,
            "running",
            self.clock.now(),
            dry_run=asked.dry_run,
            snapshot=asked.snapshot,
            boot_id=self.boot,
        )
        self.write(Entry(job, asked, max_hours))
        self._forget_old()
        return job

    def entry(self, id_: str) -> Entry:
        """What is written down of a job.

        Raises:
            Missing: There is no such job, or it cannot be read.
        """
        entry = self._read(self._file(id_))
        if entry is None:
            raise Missing("Job not found")
        return entry

    def write(self, entry: Entry) -> None:
        """Write down how a job fares."""
        write_whole(self._file(entry.job.id), msgspec.json.encode(entry), 0o600)

    def remove(self, id_: str) -> None:
        """Forget a job and what belongs to it."""
        for suffix in ("log", "end", "json"):
            self.folder.joinpath(f"{id_}.{suffix}").unlink(missing_ok=True)

    def jobs(self, ids: Sequence[str] = (), limit: int = 1000) -> list[Job]:
        """Jobs, newest first.

        Args:
            ids: Only these; none: all.
            limit: So many at most.
        """
        paths = [self._file(id_) for id_ in dict.fromkeys(ids)] if ids else self._files()
        found = [entry.job for entry in map(self._read, paths) if entry is not None]
        return sorted(found, key=lambda job: (job.began_at, job.id), reverse=True)[:limit]

    def settle(self, job: Job) -> Job:
        """Write down how a job ended whose process is gone, unless it has said so itself meanwhile."""
        entry = self.entry(job.id)
        if entry.job.state != "running":
            return entry.job
        settled = self._without_a_word(entry)
        # With a full disk it is found out again the next time, and the list of jobs is told all the same.
        with suppress(OSError):
            self.write(msgspec.structs.replace(entry, job=settled))
        return settled

    def _without_a_word(self, entry: Entry) -> Job:
        job = entry.job
        over = msgspec.structs.replace(job, ended_at=self.clock.now(), seconds_left=None)
        is_restarted = bool(job.boot_id and self.boot) and job.boot_id != self.boot
        if job.kind == "reboot" and is_restarted:
            return msgspec.structs.replace(over, state="done", progress=1.0, message="The host has restarted")
        if self.is_to_end(job.id):
            return msgspec.structs.replace(over, state="cancelled", message="Cancelled")
        if not is_restarted and self.is_out_of_time(entry):
            return msgspec.structs.replace(over, state="failed", message=ran_out(job.kind, entry.max_hours))
        reason = "The host was restarted meanwhile" if is_restarted else "Its process ended and never said how"
        return msgspec.structs.replace(over, state="lost", message=reason)

    def is_out_of_time(self, entry: Entry) -> bool:
        """Whether a job has had all the time that it may take."""
        hours = entry.max_hours
        return hours > 0 and self.clock.now() - entry.job.began_at >= timedelta(hours=hours)

    # --- Asking a job to end ---------------------------------------------------------------------------------------

    def ask_to_end(self, id_: str) -> None:
        """Leave word that somebody wants the job to end: that tells a wish from a crash.

        A disk that takes no word is no reason to let the job go on: it is what may have filled it.
        """
        with suppress(OSError):
            self.folder.joinpath(f"{id_}.end").touch(mode=0o600)

    def is_to_end(self, id_: str) -> bool:
        """Whether somebody wants it to end."""
        return self.folder.joinpath(f"{id_}.end").exists()

    # --- What programs said ----------------------------------------------------------------------------------------

    def append(self, id_: str, lines: Sequence[str]) -> None:
        """Add lines to a job's log."""
        path = self.folder / f"{id_}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{_one_line(line)}\n" for line in lines)
            file.flush()
            size = os.fstat(file.fileno()).st_size
        if size > LOG_LIMIT:
            _, _, newer = path.read_bytes()[-LOG_LIMIT // 2 :].partition(b"\n")
            write_whole(path, newer, 0o600)

    def log(self, id_: str, lines: int) -> list[str]:
        """The newest lines of a job's log, oldest first.

        Raises:
            Missing: There is no such job.
        """
        self.entry(id_)
        try:
            text = (self.folder / f"{id_}.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return text.split("\n")[:-1][-lines:]

    # --- Files -----------------------------------------------------------------------------------------------------

    def _file(self, id_: str) -> Path:
        if not _ID.fullmatch(id_):
            raise Missing("Job not found")
        return self.folder / f"{id_}.json"

    def _read(self, path: Path) -> Entry | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Entry)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            # Nobody but root writes here: what cannot be read is a later version's, or the disk's fault.
            return None

    def _files(self) -> list[Path]:
        try:
            paths = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in paths if path.suffix == ".json" and not path.name.startswith(".")]

    def _forget_old(self) -> None:
        jobs = self.jobs()
        for job in jobs[self._kept :]:
            if job.state != "running":
                self.remove(job.id)
        running = {job.id for job in jobs if job.state == "running"}
        for half in self.folder.glob(".*"):
            # A process that was killed while it wrote left the beginning of a file.
            if half.name[1:33] not in running:
                half.unlink(missing_ok=True)


def _one_line(line: str) -> str:
    return line.replace("\r", "").replace("\n", " ")[:LINE_LIMIT]
