"""What is kept of broadcasts: over the daemon's end, a crash and a full disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from manor import new_id
from manor_stream.broadcast import broadcast
from manor_stream.broadcast.service import Broadcasts
from manor_stream.broadcast.store import record_start
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.on_air import Metadata, Phase
from manor_stream.transcoding import strays
from tests.stream_broadcast import Encoder, recorded, send, until
from tests.stream_studio import HASTY, SPEED, lines_of, studio


async def test_a_broadcast_ends_with_its_daemon(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder)
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        pid = here.encoder_pid
        assert strays.start_of(pid) is not None

    assert strays.start_of(pid) is None
    assert encoder.dropped == ["The server stopped"]
    async with studio(tmp_path) as again:
        assert (await again.row()).end_reason == "The server stopped"


async def test_a_broadcast_that_a_crash_left_open_is_closed_by_the_next_daemon(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        left = new_id()
        await record_start(here.means, left, here.means.context.clock.now(), "192.0.2.1", Metadata())
        async with trio.open_nursery() as nursery:
            await nursery.start(Broadcasts(here.means).run)
            row = await here.row()
            nursery.cancel_scope.cancel()

        assert (row.id, row.end_reason) == (left, "The server stopped")
        assert row.ended_at is not None
        assert here.told == [StreamStarted, StreamStopped]


# --- A full disk -----------------------------------------------------------------------------------------------------


async def test_on_a_full_disk_viewers_watch_and_the_start_is_told_once_there_is_room(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        here.disk.is_full = True
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.warnings)
        assert here.on_air.phase is Phase.LIVE
        assert here.on_air.warnings == ("The broadcast cannot be recorded for now: The disk is full",)
        assert here.told == []

        here.disk.is_full = False
        await until(lambda: here.told)
        await until(lambda: not here.on_air.warnings)
        row = await here.row()
        assert (row.started_at, row.ended_at) == (here.on_air.live_since, None)


async def test_a_broadcast_that_begins_and_ends_on_a_full_disk_is_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "LAST_WORDS_SECONDS", 0.2)
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05, reset=60)) as here:
        here.disk.is_full = True
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        assert lines_of(here)[-1] == "#EXT-X-ENDLIST"

        here.disk.is_full = False
        here.broadcasts.accept(Encoder())
        assert (here.told, await here.row()) == ([], [])


@pytest.mark.parametrize("trouble", ["full", "late"])
async def test_an_end_that_could_not_be_kept_is_kept_and_told_once_later(
    tmp_path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "LAST_WORDS_SECONDS", 0.2)
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05, reset=60)) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        here.disk.is_full, here.disk.is_late = trouble == "full", trouble == "late"
        asked = here.disk.asked
        intake.gone("The connection broke")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        ended_at = here.on_air.last_disconnected_at
        # Nobody waits for that.
        here.broadcasts.accept(Encoder()).gone("")
        await until(lambda: here.disk.asked > asked and here.disk.unanswered == (trouble == "late"))
        asked = here.disk.asked
        here.disk.is_full = here.disk.is_late = False
        await until(lambda: here.told[1:] and here.disk.asked > asked)
        await here.disk.write(lambda transaction: None)
        row = await here.row()
        await until(lambda: here.on_air.phase is Phase.OFFLINE)

        assert (row.ended_at, row.end_reason) == (ended_at, "The connection broke")
    assert here.told == [StreamStarted, StreamStopped]


async def test_a_folder_in_which_nothing_can_be_kept_is_no_reason_not_to_broadcast(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05, reset=60)) as here:
        (here.means.folder / strays.NAME).mkdir()
        (here.means.folder / "offline").write_bytes(b"")
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        intake.gone("")
        await until(lambda: here.told[1:])

        assert lines_of(here)[-2].startswith("offline-")


# --- After the end ---------------------------------------------------------------------------------------------------


async def test_a_clip_that_takes_too_long_is_not_waited_for_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "CLIP_PATIENCE", 0.1)
    slow = tmp_path / "ffmpeg"
    slow.write_text('#!/bin/sh\ncase "$*" in *lavfi*) exec sleep 60;; esac\nexec ffmpeg "$@"\n')
    slow.chmod(0o755)
    async with studio(tmp_path / "house", ffmpeg=str(slow), timing=replace(HASTY, grace=0.05, reset=0.1)) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        intake.gone("")
        await until(lambda: here.window.is_empty)

        assert here.told == [StreamStarted, StreamStopped]
        here.broadcasts.accept(Encoder())


async def test_the_end_of_one_broadcast_does_not_clear_away_the_next(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05, reset=0.4)) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        # Its end is on its way to the disk while another comes, and goes before it is live.
        here.disk.free = trio.Event()
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        here.broadcasts.accept(Encoder()).gone("")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        here.disk.free.set()
        await until(lambda: here.told[1:])
        await trio.testing.wait_all_tasks_blocked(0.01)
        body = here.window.playlist(0)
        here.broadcasts.accept(Encoder())
        await trio.sleep(0.6)

        assert here.window.playlist(0) is body
