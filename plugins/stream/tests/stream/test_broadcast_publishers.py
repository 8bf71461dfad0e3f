"""Publishers come and go: when a broadcast goes on, and when it is over."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from manor_stream.broadcast.service import Busy, Unplayable
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.on_air import Phase
from tests.stream_broadcast import AS_IT_COMES, SMALL, Encoder, recorded, send, until
from tests.stream_studio import HASTY, SPEED, lines_of, studio


async def test_a_publisher_who_is_back_in_time_goes_on(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=5.0)) as here:
        first = here.broadcasts.accept(Encoder())
        await send(first, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        broadcast_id = here.on_air.broadcast_id
        first.gone("The connection broke")
        await until(lambda: here.on_air.phase is Phase.RECONNECTING)
        listed = here.window.added(0)
        second = here.broadcasts.accept(Encoder("192.0.2.2"))
        await send(second, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.window.added(0) > listed)

        assert (here.on_air.phase, here.on_air.broadcast_id) == (Phase.LIVE, broadcast_id)
        assert here.on_air.address == "192.0.2.2"
        assert lines_of(here).count("#EXT-X-DISCONTINUITY") == 1
        assert "#EXT-X-ENDLIST" not in lines_of(here)
        assert here.told == [StreamStarted]


async def test_without_a_publisher_it_is_over_and_viewers_see_the_clip(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, reset=60)) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        here.means.viewers.touch("192.0.2.9", "a player")
        here.means.viewers.note_peak()
        intake.gone("The connection broke")
        await until(lambda: here.told == [StreamStarted, StreamStopped])

        stopped = here.heard[-1]
        assert isinstance(stopped, StreamStopped)
        assert (stopped.reason, stopped.peak_viewers) == ("The connection broke", 1)
        row = await here.row()
        assert (row.end_reason, row.peak_viewers, row.ended_at) == ("The connection broke", 1, stopped.timestamp)
        assert (here.on_air.phase, here.on_air.broadcast_id, here.on_air.disconnect) == (Phase.OFFLINE, None, None)
        assert (here.on_air.last_connected_at, here.on_air.last_disconnected_at) == (None, stopped.timestamp)
        assert lines_of(here)[-1] == "#EXT-X-ENDLIST"
        assert lines_of(here)[-2].startswith("offline-")
        assert lines_of(here).count("#EXT-X-DISCONTINUITY") == 1


async def test_later_viewers_are_left_with_the_clip_alone(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        intake.gone("")
        await until(lambda: [line for line in lines_of(here) if line.endswith(".ts")][:1] == lines_of(here)[-2:-1])

        assert lines_of(here)[-2].startswith("offline-")


async def test_a_new_broadcast_in_time_goes_on_in_the_same_playlist(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05, reset=60)) as here:
        for seconds in (3, 4):
            intake = here.broadcasts.accept(Encoder())
            await send(intake, recorded(seconds=seconds), speed=SPEED)
            await until(lambda: here.on_air.phase is Phase.LIVE)
            intake.gone("")
            await until(lambda: here.on_air.phase is Phase.OFFLINE)
            await until(lambda: here.told[-1] is StreamStopped)

        assert here.told == [StreamStarted, StreamStopped] * 2
        assert sum(line.startswith("offline-") for line in lines_of(here)) == 2


async def test_a_publisher_who_leaves_before_it_is_live_was_no_broadcast(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3)[:4], speed=SPEED)
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)

        assert here.told == []
        assert await here.row() == []
        assert here.window.is_empty


async def test_what_one_quality_had_of_a_broadcast_that_never_was_is_cleared_away(tmp_path: Path) -> None:
    async with studio(tmp_path, qualities=(AS_IT_COMES, SMALL)) as here:
        intake = here.broadcasts.accept(Encoder())
        here.window.watch(lambda variant, segment, playlist: intake.gone(""))
        with suppress(Unplayable):
            await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        assert not here.window.is_empty
        await until(lambda: here.window.is_empty)

        assert here.told == []


async def test_a_second_publisher_is_refused_while_the_first_sends(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        encoder = Encoder()
        here.broadcasts.accept(encoder)

        with pytest.raises(Busy, match="publishing"):
            here.broadcasts.accept(Encoder("192.0.2.2"))
        assert encoder.dropped == []
        encoder.silence = 3.0
        with pytest.raises(Busy):
            here.broadcasts.accept(Encoder("192.0.2.2"))


async def test_a_silent_publisher_gives_way(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        silent = Encoder()
        first = here.broadcasts.accept(silent)
        await send(first, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        silent.silence = 3.1
        second = here.broadcasts.accept(Encoder("192.0.2.2"))
        listed = here.window.added(0)
        await send(second, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.window.added(0) > listed)

        assert len(silent.dropped) == 1
        assert here.on_air.address == "192.0.2.2"
        assert here.told == [StreamStarted]
        with pytest.raises(Unplayable, match="Somebody else publishes now"):
            await first.take(recorded(seconds=3)[0])
        # What the first one's connection says at its end harms nobody.
        first.gone("closed")
        assert here.on_air.phase is Phase.LIVE


async def test_an_admin_ends_it_at_once(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=60)) as here:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder)
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        assert here.on_air.disconnect is not None
        here.on_air.disconnect("An administrator ended the broadcast")
        with pytest.raises(Busy):
            here.broadcasts.accept(Encoder())
        await until(lambda: here.told == [StreamStarted, StreamStopped])

        assert encoder.dropped == ["An administrator ended the broadcast"]
        assert (await here.row()).end_reason == "An administrator ended the broadcast"


async def test_an_admin_ends_it_while_the_publisher_is_waited_for(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=60)) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.RECONNECTING)
        assert here.on_air.disconnect is not None
        here.on_air.disconnect("Enough")
        await until(lambda: here.told == [StreamStarted, StreamStopped])


async def test_settings_that_change_count_for_the_next_broadcast(tmp_path: Path) -> None:
    async with studio(tmp_path, timing=replace(HASTY, grace=0.05)) as here:
        intake = here.broadcasts.accept(Encoder())
        await here.means.settings.change(qualities=(AS_IT_COMES, SMALL), latency_level=4)
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        assert (here.on_air.qualities, here.on_air.latency_level) == ((AS_IT_COMES,), 0)
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        here.broadcasts.accept(Encoder())
        assert (here.on_air.qualities, here.on_air.latency_level) == ((AS_IT_COMES, SMALL), 4)
