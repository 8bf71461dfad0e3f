"""ffmpeg as a child: fed with FLV, watched while it works, and seen off when it is to end."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from manor_stream.transcoding import children, strays
from manor_stream.transcoding.progress import Progress, ProgressReader

KEPT_LINES = 50
LAST_WORDS_SECONDS = 1.0
LONGEST_LINE = 500


@dataclass(frozen=True)
class Deadlines:
    """How long an encoder is waited for, in seconds.

    Args:
        finish: Until it has encoded what it has read.
        term: Until it has done as SIGTERM says.
        stuck: Until it takes something; it is taken for dead then.
    """

    finish: float = 5.0
    term: float = 3.0
    stuck: float = 20.0


class EncoderGone(Exception):
    """The encoder takes nothing any more."""


class Encoder:
    """One run of ffmpeg.

    Args:
        argv: The whole command.
        variables: Added to its environment: what no command may say.
        folder: Where a note of it is left, for a daemon that comes after a crash.
        secret: Stands in no line of the log.
        on_progress: Called with each report.
        deadlines: How long it is waited for.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        folder: Path,
        secret: str,
        on_progress: Callable[[Progress], None],
        deadlines: Deadlines = Deadlines(),
    ) -> None:
        self._argv = argv
        self._variables = variables
        self._folder = folder
        self._secret = secret
        self._on_progress = on_progress
        self._deadlines = deadlines
        self._process: trio.Process | None = None
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.ended = trio.Event()

    async def start(self) -> None:
        """Start it; `watch` follows at once.

        Raises:
            ChildFailed: It cannot be started.
        """
        process = self._process = await children.start(
            self._argv, niceness=children.ENCODER_NICENESS, variables=self._variables
        )
        strays.note(self._folder, process.pid)

    async def watch(self) -> None:
        """Stay until it has ended; it ends when this is cancelled."""
        process = self._process
        assert process is not None, "watched before it runs"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_lines, process.stderr)
                nursery.start_soon(self._read_progress, process.stdout)
                await process.wait()
                # Whatever else has the other ends of the pipes would have us wait for words that do not come.
                children.signal_all(process, signal.SIGKILL)
                nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_SECONDS
        finally:
            await children.end(process)
            strays.forget(self._folder)
            self.ended.set()

    async def write(self, data: bytes) -> None:
        """Have it encode this; waits while it is busy.

        Raises:
            EncoderGone: It has ended, or hangs.
        """
        process = self._process
        assert process is not None, "written to before it runs"
        stdin = process.stdin
        assert stdin is not None, "started with a pipe"
        try:
            with trio.move_on_after(self._deadlines.stuck) as patience:
                await stdin.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EncoderGone from error
        if patience.cancelled_caught:
            self.lines.append(f"took nothing for {self._deadlines.stuck:g} s")
            children.signal_all(process, signal.SIGKILL)
            raise EncoderGone

    async def finish(self) -> None:
        """Let it encode what it has, and end it."""
        process = self._process
        assert process is not None, "finished before it runs"
        assert process.stdin is not None, "started with a pipe"
        await process.stdin.aclose()
        deadlines = self._deadlines
        for seconds, insistence in ((deadlines.finish, signal.SIGTERM), (deadlines.term, signal.SIGKILL)):
            with trio.move_on_after(seconds):
                await self.ended.wait()
                return
            children.signal_all(process, insistence)
        await self.ended.wait()

    @property
    def pid(self) -> int:
        """The process; 0 before there is one."""
        return self._process.pid if self._process is not None else 0

    @property
    def complaint(self) -> str:
        """What it said last, or what it ended with: for the admin."""
        if self.lines:
            return self.lines[-1]
        code = self._process.returncode if self._process is not None else None
        return "it ended" if code is None else f"it ended with {code}"

    async def _read_lines(self, stream: trio.abc.ReceiveStream | None) -> None:
        assert stream is not None, "started with a pipe"
        rest = b""
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-LONGEST_LINE:]
            for line in lines:
                self._keep(line)
        self._keep(rest)

    def _keep(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").replace(self._secret, "…").strip()
        if text:
            self.lines.append(text[:LONGEST_LINE])

    async def _read_progress(self, stream: trio.abc.ReceiveStream | None) -> None:
        assert stream is not None, "started with a pipe"
        reader = ProgressReader()
        async for chunk in stream:
            for report in reader.feed(bytes(chunk)):
                self._on_progress(report)
