"""The power fails while the real daemon publishes: what it acknowledged is on the disk, whole and in order.

The daemon runs under the shim; afterwards the power is cut at many random moments of its recorded life. The same test,
held against a daemon that does not wait for the disk and one that answers too early, finds the loss.
"""

from __future__ import annotations

import sqlite3
import sys
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import trio

from manor.selftest import Acknowledged, Daemon, Publishers, Stored, faults
from tests.torture import powercut
from tests.torture.powercut import Disk, Note, Operation, Survival

pytestmark = pytest.mark.torture

VARIANTS = Path(__file__).with_name("variant.py")
TOPIC = "powercut"
PUBLISHING = 3.0  # seconds
PADDING = 3000
"""Bytes a message: enough pages for the log to be moved into the database while the daemon publishes."""
RANDOM_CUTS = 30
WORST_CUTS = 60


@dataclass
class Life:
    """A daemon's recorded life: the disk it began with, what it wrote, and what it promised meanwhile."""

    disk: Disk
    notes: list[Note]
    acknowledged: list[Acknowledged]


async def live(folder: Path, shim: Path, *command: str) -> Life:
    """Run a daemon under the shim, publish to it, and stop it."""
    log = folder / "notes"
    data = folder / "data"
    daemon = Daemon(folder, command=command, environment=powercut.environment(shim, data, log))
    await daemon.command("topics", "create", TOPIC)
    disk = Disk(data)
    publishers = Publishers(daemon.port, TOPIC, connections=8, padding=PADDING)
    await daemon.start()
    try:
        await daemon.ready()
        with trio.move_on_after(PUBLISHING):
            await publishers.run()
        assert await daemon.stop() == 0, daemon.log_end()
    finally:
        if not daemon.ended():
            with trio.CancelScope(shield=True):
                await daemon.kill()
    return Life(disk, powercut.read_notes(log), publishers.acknowledged)


def lost_in_cuts(life: Life, folder: Path, random: Random) -> list[str]:
    """Cut the power at random moments after the first acknowledgement, and name what is wrong afterwards.

    Most of the moments are the worst there are: right before a sync would have ended.
    """
    first = life.acknowledged[0].nanoseconds
    moments = [index for index, note in enumerate(life.notes) if note.nanoseconds >= first]
    worst = [index - 1 for index in moments if life.notes[index].operation is Operation.SYNC_END]
    cuts = {*random.sample(moments, RANDOM_CUTS), *random.sample(worst, min(WORST_CUTS, len(worst)))}
    cuts.add(len(life.notes) - 1)
    found: list[str] = []
    for index, note in enumerate(life.notes):
        life.disk.follow(note)
        if index in cuts:
            survival = random.choice(list(Survival))
            ruin = folder / f"cut-{index}"
            ruin.mkdir()
            life.disk.cut(ruin, survival, random)
            # Nothing was written until the next note began: all that was promised by then counts.
            is_last = index + 1 == len(life.notes)
            now = None if is_last else life.notes[index + 1].nanoseconds
            promised = [each for each in life.acknowledged if now is None or each.nanoseconds < now]
            found += [f"cut {index} ({survival.value}): {fault}" for fault in faults(promised, read(ruin))]
    return found


def read(data: Path) -> list[Stored]:
    """What SQLite finds in a directory after the power came back; its integrity is not negotiable."""
    [path] = data.glob("*.db")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
        rows = database.execute(
            "SELECT messages.id, sequence, message FROM topics_messages messages"
            " JOIN topics_topics topics ON topics.id = topic_id WHERE name = ? ORDER BY sequence",
            (TOPIC,),
        ).fetchall()
    return [Stored(str(uuid.UUID(bytes=identity)), sequence, text) for identity, sequence, text in rows]


async def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path, shim: Path) -> None:
    life = await live(tmp_path, shim, sys.executable, "-m", "manor")

    assert len(life.acknowledged) > 100, "it published"
    last = life.acknowledged[-1].nanoseconds
    moved = [note for note in life.notes if note.operation is Operation.WRITE and note.path.suffix == ".db"]
    assert moved, "the log was moved into the database"
    assert moved[0].nanoseconds < last, "and that while it published"
    assert lost_in_cuts(life, tmp_path, Random(1)) == []


@pytest.mark.parametrize("variant", ["normal", "early"])
async def test_a_daemon_that_acknowledges_too_early_is_found_out(tmp_path: Path, shim: Path, variant: str) -> None:
    life = await live(tmp_path, shim, sys.executable, str(VARIANTS), variant)
    found = lost_in_cuts(life, tmp_path, Random(1))

    assert found
    # Losing is not damaging: what is there is in order, and nothing is there twice.
    assert [fault for fault in found if "acknowledged and lost" not in fault] == []
