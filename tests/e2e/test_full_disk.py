"""A disk that fills up while messages come: the daemon says so, keeps its word, and goes on once there is room."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.e2e.clients import Answer, Events, ask, connected, listening
from tests.e2e.conftest import Make

ROOM = 6 * 1024 * 1024
BALLAST = 2 * 1024 * 1024
PUBLISHERS = 8
LAST = "there is room again"
MOST = 400
"""Publishes of one publisher: far more than the disk has room for."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", disk], check=True, timeout=10)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True, timeout=10)


async def publish_until_full(port: int, publisher: int, acknowledged: dict[str, str]) -> Answer:
    """Publish until it is refused; returns the refusal."""
    async with connected(port) as wire:
        for number in range(MOST):
            text = f"{publisher}-{number} ".ljust(4000, "x")
            answer = await wire.ask("POST", "/welcome", text.encode())
            if answer.status != 200:
                return answer
            acknowledged[answer.json["id"]] = text
    raise AssertionError("the disk did not fill up")


def stored(database: Path) -> list[tuple[int, str]]:
    """What is on disk once nobody has it open: (sequence, text), checked for its integrity first."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT sequence, message FROM topics_messages ORDER BY sequence").fetchall()


async def test_a_full_disk_is_a_507_that_takes_nothing_with_it_and_passes_by_itself(
    small_disk: Path, make: Make
) -> None:
    ballast = small_disk / "ballast"
    daemon = make({"server": {"data_dir": str(small_disk / "data"), "limits": {"address_limit_factor": 0}}})
    daemon.start()
    port = daemon.port
    ballast.write_bytes(b"\0" * BALLAST)
    acknowledged: dict[str, str] = {}
    refusals: list[Answer] = []
    heard: dict[str, str] = {}

    async def publisher(number: int) -> None:
        refusals.append(await publish_until_full(port, number, acknowledged))

    async def listen(events: Events) -> None:
        while len(heard) < len(acknowledged) or LAST not in heard.values():
            [message] = await events.messages(1)
            heard[message.id] = message.json["message"]

    async with listening(port, "welcome") as events, trio.open_nursery() as listener:
        listener.start_soon(listen, events)
        async with trio.open_nursery() as nursery:
            for number in range(PUBLISHERS):
                nursery.start_soon(publisher, number)

        assert {(answer.status, *answer.json) for answer in refusals} == {(507, "detail")}
        history = await ask(port, "GET", "/welcome/json?since=all&limit=100")
        assert (history.status, len(history.json["messages"])) == (200, 100)
        assert (await ask(port, "GET", "/livez")).status == 200
        readiness = await ask(port, "GET", "/readyz")
        # What is left may be too little for a message and enough for the few bytes that readiness tries.
        assert (readiness.status, readiness.json["status"]) in {(503, "unwritable"), (200, "ready")}
        assert any("disk" in part["reason"] for part in readiness.json["degraded"]), readiness.json

        ballast.unlink()

        again = await ask(port, "POST", "/welcome", LAST)
        assert again.status == 200, again
        acknowledged[again.json["id"]] = LAST
        assert (await ask(port, "GET", "/readyz")).status == 200

    assert heard == acknowledged, "the stream heard what was acknowledged, and nothing else"
    assert daemon.stop() == 0
    rows = stored(small_disk / "data/manor.db")
    assert sorted(text for _, text in rows) == sorted(acknowledged.values())
    assert [sequence for sequence, _ in rows] == list(range(1, len(rows) + 1))
    daemon.start()
    assert (await ask(port, "POST", "/welcome", "after the restart")).json["sequence"] == len(rows) + 1
