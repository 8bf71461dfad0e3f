"""Kills a publishing daemon again and again, and checks that every acknowledged message outlived it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import trio

from manor.selftest.child import Daemon, DaemonFailed
from manor.selftest.ledger import Stored, faults, stream_faults
from manor.selftest.publishing import Publishers, Reader, read_history
from manor.selftest.wire import BROKEN

TOPIC = "selftest"
KILLED_WHILE_STARTING = 0.2
"""The share of kills that do not wait for readiness: recovery must outlive being killed, too."""
LONGEST_LIFE = 0.8
"""Seconds that a daemon publishes at most before it is killed."""
CATCH_UP_WITHIN = 10.0
"""Seconds after which what the reader has not heard counts as never heard."""


class Report(msgspec.Struct, frozen=True):
    """What a run of `survive_kills` found."""

    kills: int
    seconds: float
    sent: int
    acknowledged: int
    stored: int
    heard: int
    faults: list[str]
    """A sentence for each kind of broken promise; empty when all were kept."""

    @property
    def has_passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.faults


async def survive_kills(
    folder: Path,
    *,
    kills: int = 15,
    connections: int = 8,
    random: Random | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Publish to a daemon of its own in `folder`, kill it `kills` times, and compare.

    A daemon that does not come back is a fault in the report, with the end of its log.

    Args:
        folder: an empty directory on the disk to prove; configuration, data and log stay in it.
        kills: how many times the daemon is killed, at random moments.
        connections: how many publishers run at once.
        random: the source of the moments.
        tell: takes a line for people after every kill.
    """
    daemon = Daemon(folder)
    await daemon.command("topics", "create", TOPIC)
    run = _Run(daemon, kills, connections, random or Random(), tell)  # noqa: S311 - moments, not secrets
    began = trio.current_time()
    found: list[str] = []
    try:
        await run.publish_and_kill()
    finally:
        if not daemon.ended():
            with trio.CancelScope(shield=True):
                await daemon.kill()
    if run.failure:
        found.append(run.failure)
    else:
        found += faults(run.publishers.acknowledged, run.stored) + stream_faults(run.reader.heard, run.stored)
    return Report(
        kills=run.killed,
        seconds=trio.current_time() - began,
        sent=run.publishers.sent,
        acknowledged=len(run.publishers.acknowledged),
        stored=len(run.stored),
        heard=len(run.reader.heard),
        faults=found,
    )


class _Run:
    """The moving parts of one run and what they saw."""

    def __init__(
        self, daemon: Daemon, kills: int, connections: int, random: Random, tell: Callable[[str], None]
    ) -> None:
        self.publishers = Publishers(daemon.port, TOPIC, connections=connections)
        self.reader = Reader(daemon.port, TOPIC)
        self.stored: list[Stored] = []
        self.failure = ""
        self.killed = 0
        self._daemon = daemon
        self._kills = kills
        self._random = random
        self._tell = tell

    async def publish_and_kill(self) -> None:
        await self._daemon.start()
        async with trio.open_nursery() as listening:
            listening.start_soon(self.reader.run)
            async with trio.open_nursery() as publishing:
                publishing.start_soon(self.publishers.run)
                try:
                    while self.killed < self._kills:
                        await self._live_and_die()
                    await self._daemon.ready()
                except DaemonFailed as failed:  # caught here, where it is not yet part of a group
                    self.failure = f"after {self.killed} kills {failed}"
                publishing.cancel_scope.cancel()
            if not self.failure:
                await self._read_back()
            listening.cancel_scope.cancel()
        if not self.failure:
            await self._stop()

    async def _read_back(self) -> None:
        try:
            self.stored = await read_history(self._daemon.port, TOPIC)
        except BROKEN as broken:
            self.failure = f"the history could not be read: {broken!r}\n{self._daemon.log_end()}"
        with trio.move_on_after(CATCH_UP_WITHIN):
            await self.reader.catch_up(self.stored)

    async def _stop(self) -> None:
        try:
            status = await self._daemon.stop()
        except DaemonFailed as failed:
            self.failure = str(failed)
            return
        if status != 0:
            self.failure = f"the last daemon ended with {status}:\n{self._daemon.log_end()}"

    async def _live_and_die(self) -> None:
        if self._random.random() > KILLED_WHILE_STARTING:
            await self._daemon.ready()
        await trio.sleep(self._random.uniform(0.05, LONGEST_LIFE))
        await self._daemon.kill()
        self.killed += 1
        self._tell(f"kill {self.killed} of {self._kills}: {len(self.publishers.acknowledged)} messages acknowledged")
        await self._daemon.start()
