"""Stream processes are started, watched, started again when they end, and ended with the daemon."""

from __future__ import annotations

import os
import resource
import socket as stdlib_socket
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence

import structlog
import trio

from manor.relay.link import Link

log = structlog.get_logger("manor.relay")

COMMAND = (sys.executable, "-P", "-m", "manor.relay")

ASK_EVERY = 10.0
HANGS_AFTER = 30.0
"""Seconds from one question to the next whether a process is there, and for its answer: then it is killed."""

START_WITHIN = 60.0
"""Seconds for a process to be ready; a machine that has just started is busy."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a process that has ended is started again: twice as long each time."""

STAYS_AFTER = 60.0
"""A process that has served so many seconds has not failed to start: the next pause is the first again."""

END_WITHIN, FAILED_WITHIN = 3.0, 0.2
"""Seconds for a process to end when it is let go, and when it has failed; then it is killed."""


OTHER_FILES = 32
"""That a process has open beside its lines: some twelve."""


class Processes:
    """So many stream processes, as long as `run` does.

    Args:
        count: How many.
        processors: Where they may run; the daemon itself may keep to one.
        on_ready: Called whenever one can be given lines.
        command: Starts one; a descriptor and the processors are put behind it.

    Attributes:
        links: To those that can be given lines; none while none runs.
    """

    def __init__(
        self,
        count: int,
        *,
        processors: Collection[int] = (),
        on_ready: Callable[[], None] = lambda: None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.links: list[Link] = []
        self._count = count
        self._processors = ",".join(str(number) for number in sorted(processors))
        self._on_ready = on_ready
        self._command = command

    async def run(self) -> None:
        """Keep them running; cancelled, it ends them all."""
        async with trio.open_nursery() as nursery:
            for number in range(1, self._count + 1):
                nursery.start_soon(self._keep, str(number))

    async def _keep(self, name: str) -> None:
        pause = FIRST_PAUSE
        while True:
            began = trio.current_time()
            try:
                why = await self._serve(name)
            except OSError as error:
                why = str(error)
            if trio.current_time() - began >= STAYS_AFTER:
                pause = FIRST_PAUSE
            log.error("a stream process has ended", process=name, reason=why, again_in_seconds=pause)
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _serve(self, name: str) -> str:
        """Run one process from its start to its end; gives why it ended.

        Raises:
            OSError: It could not be started.
        """
        ours, theirs = stdlib_socket.socketpair()
        try:
            with theirs:
                process = await self._start(theirs)
        except BaseException:
            ours.close()
            raise
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)  # the process's too
        link, patience = Link(ours, files - OTHER_FILES), END_WITHIN
        try:
            why = await self._hear(link, process.pid, name)
            patience = FAILED_WITHIN
        finally:
            if link in self.links:
                self.links.remove(link)
            link.close()
            code = await _end(process, patience)
        return why or f"it exited with {code}"

    async def _start(self, socket: stdlib_socket.socket) -> trio.Process:
        return await trio.lowlevel.open_process(
            [*self._command, str(socket.fileno()), self._processors],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[socket.fileno()],
            env=_environment(),
            # Ctrl-C in a terminal is the daemon's alone.
            start_new_session=True,
        )

    async def _hear(self, link: Link, pid: int, name: str) -> str:
        why = ""

        async def ask(scope: trio.CancelScope) -> None:
            nonlocal why
            try:
                with trio.fail_after(START_WITHIN):
                    await link.ready.wait()
                self.links.append(link)
                log.info("a stream process serves", process=name, pid=pid)
                self._on_ready()
                while True:
                    await trio.sleep(ASK_EVERY)
                    with trio.fail_after(HANGS_AFTER):
                        await link.answers()
            except trio.TooSlowError:
                why = "it does not answer"
                scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, nursery.cancel_scope)
            await link.run()
            nursery.cancel_scope.cancel()
        return why or link.fault


def _environment() -> dict[str, str]:
    """What a process is started with: none of ours, as it may hold secrets, but for where libraries are."""
    libraries = os.environ.get("LD_LIBRARY_PATH")
    found = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return found if libraries is None else {**found, "LD_LIBRARY_PATH": libraries}


async def _end(process: trio.Process, patience: float) -> int:
    with trio.CancelScope(shield=True):
        with trio.move_on_after(patience):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.wait()
    code = process.returncode
    assert code is not None
    return code
