"""Broadcasts from a publisher's frames to segments, with the real ffmpeg."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from sqlalchemy import select

from manor import Event
from manor.testing import Client, House, open_test_house
from manor.testing.houses import hear_all
from manor_stream.broadcast.means import Means, Timing
from manor_stream.broadcast.service import Broadcasts, Busy, Unplayable
from manor_stream.broadcast.store import broadcasts
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.hls.window import Segment, Window
from manor_stream.media import Kind, Media
from manor_stream.on_air import OnAir, Phase
from manor_stream.transcoding import strays
from tests.stream_broadcast import AS_IT_COMES, SMALL, Encoder, recorded, send, shared_of, until

HASTY = Timing(grace=0.6, reset=0.5, pauses=(0.05,))
SPEED = 8.0
"""Publishers of these tests send so much faster than it plays."""


@dataclass
class Studio:
    """A house whose broadcasts wait for less time."""

    house: House
    means: Means
    broadcasts: Broadcasts
    heard: list[Event]
    folder: Path

    @property
    def on_air(self) -> OnAir:
        return self.means.on_air

    @property
    def window(self) -> Window:
        return self.means.window

    @property
    def told(self) -> list[type[Event]]:
        return [type(event) for event in self.heard if isinstance(event, StreamStarted | StreamStopped)]

    @property
    def encoder_pid(self) -> int:
        path = self.means.folder / strays.NAME
        return int(msgspec.json.decode(path.read_bytes())["pid"]) if path.exists() else 0

    async def row(self) -> Any:
        found = await self.means.context.storage.read(
            lambda transaction: transaction.connection.execute(select(broadcasts)).all()
        )
        return found[0] if len(found) == 1 else found


@asynccontextmanager
async def studio(
    folder: Path, *, timing: Timing = HASTY, ffmpeg: str = "ffmpeg", **settings: Any
) -> AsyncIterator[Studio]:
    config = {"plugins": {"stream": {"rtmp_bind": "", "ffmpeg": ffmpeg}}}
    async with open_test_house(folder, plugins=["stream"], config=config, inline=False) as house:
        shared = shared_of(house)
        await shared.settings.change(**{"qualities": (AS_IT_COMES,), "latency_level": 0, **settings})
        means = replace(shared.broadcasts.means, timing=timing)
        own = Broadcasts(means)
        async with trio.open_nursery() as nursery:
            await nursery.start(own.run)
            yield Studio(house, means, own, hear_all(house), folder)
            nursery.cancel_scope.cancel()


def probe(data: bytes) -> list[dict[str, Any]]:
    """The streams of a segment, as ffprobe finds them."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", "-f", "mpegts", "pipe:0"]
    found = subprocess.run(command, input=data, check=True, capture_output=True)
    streams: list[dict[str, Any]] = json.loads(found.stdout)["streams"]
    return sorted(streams, key=lambda stream: stream["codec_type"], reverse=True)


def lines_of(studio: Studio, variant: int = 0) -> list[str]:
    return (studio.window.playlist(variant) or b"").decode().splitlines()


# --- What is made --------------------------------------------------------------------------------------------------


async def test_every_quality_is_made_as_it_says(tmp_path: Path) -> None:
    async with studio(tmp_path, qualities=(AS_IT_COMES, SMALL)) as here:
        intake = here.broadcasts.accept(Encoder())
        intake.describe({"width": 160.0, "height": 90.0, "framerate": 30.0, "videocodecid": 7.0, "audiocodecid": 10.0})
        await send(intake, recorded(seconds=4), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        first, second = here.window.newest(0), here.window.newest(1)
        assert first is not None
        assert second is not None
        as_it_comes, small = probe(first.data), probe(second.data)
        described = here.window.variants

    assert [(stream["codec_name"], stream.get("width"), stream.get("height")) for stream in as_it_comes] == [
        ("h264", 160, 90),
        ("aac", None, None),
    ]
    assert [(stream["codec_name"], stream.get("width"), stream.get("height")) for stream in small] == [
        ("h264", 82, 46),
        ("aac", None, None),
    ]
    assert small[0]["r_frame_rate"] == "15/1"
    assert (described[0].width, described[0].frame_rate) == (160, 30)
    assert [variant.codecs.startswith("avc1.") for variant in described] == [True, True]
    assert [variant.codecs.endswith(",mp4a.40.2") for variant in described] == [True, True]


async def test_it_is_live_once_every_quality_has_a_segment(tmp_path: Path) -> None:
    async with studio(tmp_path, qualities=(AS_IT_COMES, SMALL)) as here:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder, "OBS")
        assert (here.on_air.phase, here.on_air.address) == (Phase.STARTING, "192.0.2.1")
        first: dict[int, Phase] = {}

        def note(variant: int, segment: Segment, playlist: bytes) -> None:
            first.setdefault(variant, here.on_air.phase)

        here.window.watch(note)
        assert here.told == []
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)

        assert first == {0: Phase.STARTING, 1: Phase.STARTING}
        assert (here.on_air.phase, here.on_air.metadata.width, here.on_air.metadata.video_codec) == (
            Phase.LIVE,
            160,
            "H.264",
        )
        row = await here.row()
        assert (row.id, row.ended_at, row.video_codec, row.audio_codec) == (
            here.on_air.broadcast_id,
            None,
            "H.264",
            "AAC",
        )
        assert here.on_air.last_connected_at == row.started_at


@pytest.mark.parametrize(("video", "audio"), [(True, False), (False, True)])
async def test_one_kind_alone_is_a_broadcast(tmp_path: Path, video: bool, audio: bool) -> None:
    async with studio(tmp_path, qualities=(AS_IT_COMES, SMALL)) as here:
        intake = here.broadcasts.accept(Encoder())
        # Its metadata lies: both would be there.
        intake.describe({"videocodecid": 7.0} if video else {"audiocodecid": 10.0})
        await send(intake, recorded(seconds=4, video=video, audio=audio), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        segments = [here.window.newest(variant) for variant in (0, 1)]
        kinds = [stream["codec_type"] for segment in segments if segment for stream in probe(segment.data)]

    assert kinds == (["video", "video"] if video else ["audio", "audio"])


async def test_what_nobody_said_and_does_not_come_is_not_waited_for_long(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=4, audio=False), speed=1)
        await until(lambda: here.on_air.phase is Phase.LIVE)

        assert here.on_air.metadata.audio_codec == ""


async def test_a_kind_that_comes_later_is_taken_in(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        intake.describe({"videocodecid": 7.0})
        await send(intake, recorded(seconds=2, audio=False), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        await send(intake, recorded(seconds=3), speed=SPEED, begin=2000)
        intake.gone("")
        await until(lambda: here.on_air.metadata.audio_codec == "AAC")
        await until(lambda: here.on_air.phase is Phase.RECONNECTING)
        newest = here.window.newest(0)

    assert newest is not None
    assert [stream["codec_type"] for stream in probe(newest.data)] == ["video", "audio"]


async def test_a_picture_that_comes_after_the_sound_is_taken_in_without_having_been_told(tmp_path: Path) -> None:
    sound, both = recorded(seconds=2, video=False), recorded(seconds=4)
    video = [media for media in both if media.kind is Kind.VIDEO]
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        intake.describe({"audiocodecid": 10.0})
        await send(intake, sound, speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)
        # Its header, sound for a while, and the first key frame after that.
        await intake.take(Media.of(Kind.VIDEO, 2000, video[0].data))
        await send(intake, [media for media in sound if not media.is_header], speed=SPEED, begin=2000)
        await send(intake, [media for media in both if not media.is_header], speed=SPEED, begin=4000)
        intake.gone("")
        await until(lambda: here.on_air.phase is Phase.RECONNECTING)
        newest = here.window.newest(0)
        codec = here.on_air.metadata.video_codec

    assert newest is not None
    assert [stream["codec_type"] for stream in probe(newest.data)] == ["video", "audio"]
    assert codec == "H.264"


async def test_segments_are_as_long_as_key_frames_are_apart_and_the_admin_is_told(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=7, gop=90), speed=SPEED)
        await until(lambda: here.window.added(0) >= 2)

        assert "#EXTINF:3.000," in lines_of(here)
        assert len(here.on_air.warnings) == 1
        assert "a key frame every 3.0 s" in here.on_air.warnings[0]


# --- Encoders end --------------------------------------------------------------------------------------------------


async def test_an_encoder_that_is_killed_is_started_again_and_the_publisher_stays(tmp_path: Path) -> None:
    async with studio(tmp_path, qualities=(AS_IT_COMES, SMALL)) as here, trio.open_nursery() as nursery:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder)
        nursery.start_soon(partial(send, intake, recorded(seconds=12), speed=1.5))
        await until(lambda: here.on_air.phase is Phase.LIVE)
        before = here.encoder_pid
        os.kill(before, signal.SIGKILL)
        await until(lambda: all("#EXT-X-DISCONTINUITY" in lines_of(here, variant) for variant in (0, 1)))

        assert here.encoder_pid not in (0, before)
        assert encoder.dropped == []
        for variant in (0, 1):
            assert lines_of(here, variant).count("#EXT-X-DISCONTINUITY") == 1
        assert here.told == [StreamStarted]
        assert any("started again" in line.message for line in here.means.logbook.newest_first(only_warnings=True))
        nursery.cancel_scope.cancel()


async def test_an_encoder_that_never_works_is_given_up(tmp_path: Path) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text(
        '#!/bin/sh\ncase "$2" in -version|-encoders) exec ffmpeg "$@";; esac\necho no memory >&2\nexit 1\n'
    )
    broken.chmod(0o755)
    async with studio(tmp_path / "house", ffmpeg=str(broken)) as here:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder)
        with pytest.raises(Unplayable, match="no memory"):
            await send(intake, recorded(seconds=12), speed=6)

        assert encoder.dropped == ["The encoder failed 5 times in 60 s, last with: no memory"]
        await until(lambda: here.on_air.phase is Phase.OFFLINE)
        assert here.told == []


async def test_an_ffmpeg_that_is_gone_meanwhile_is_missed(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\nexec ffmpeg "$@"\n')
    program.chmod(0o755)
    async with studio(tmp_path / "house", ffmpeg=str(program)) as here:
        encoder = Encoder()
        intake = here.broadcasts.accept(encoder)
        await intake.take(recorded(seconds=3)[0])
        program.unlink()
        with pytest.raises(Unplayable, match="No such file"):
            await send(intake, recorded(seconds=12), speed=SPEED)

        assert len(encoder.dropped) == 1
        await until(lambda: here.on_air.phase is Phase.OFFLINE)


# --- Publishers come and go ------------------------------------------------------------------------------------------


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


# --- What cannot be broadcast ----------------------------------------------------------------------------------------


async def test_a_codec_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    refused = {
        Media.of(Kind.VIDEO, 0, b"\x1c\0\0\0\0"): "cannot read H.265 over RTMP; send H.264",
        Media.of(Kind.VIDEO, 0, b"\x12"): "cannot read H.263 over RTMP; send H.264",
        Media.of(Kind.AUDIO, 0, b"\xb2speex"): "cannot read Speex over RTMP; send AAC",
    }
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        for media, reason in refused.items():
            with pytest.raises(Unplayable, match=reason):
                await intake.take(media)


async def test_without_ffmpeg_everything_else_works(tmp_path: Path) -> None:
    async with studio(tmp_path, ffmpeg="no-such-ffmpeg") as here:
        intake = here.broadcasts.accept(Encoder())
        with pytest.raises(Unplayable, match="no ffmpeg"):
            await intake.take(recorded(seconds=3)[0])
        client = Client(here.house.dispatcher)
        answer = await client.get("/readyz")

        assert answer.status == 200
        assert [(part["plugin"], "no-such-ffmpeg" in part["reason"]) for part in answer.json()["degraded"]] == [
            ("stream", True)
        ]
        assert (await client.get("/api/status")).status == 200


async def test_an_encoder_that_this_ffmpeg_has_not_is_replaced(tmp_path: Path) -> None:
    async with studio(tmp_path, qualities=(SMALL,), codec="h264_videotoolbox") as here:
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)

        assert any("libx264 is used" in line.message for line in here.means.logbook.newest_first())


async def test_media_that_makes_no_sense_harms_nobody(tmp_path: Path) -> None:
    async with studio(tmp_path) as here:
        intake = here.broadcasts.accept(Encoder())
        for data in (b"", b"\x17", b"\x17\0", b"\xff" * 50, b"\x17\1\0\0\0" + b"\xff" * 500):
            for kind in Kind:
                try:
                    await intake.take(Media.of(kind, 0, data))
                except Unplayable:
                    assert data
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.on_air.phase is Phase.LIVE)


# --- The daemon stops ------------------------------------------------------------------------------------------------


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
        intake = here.broadcasts.accept(Encoder())
        await send(intake, recorded(seconds=3), speed=SPEED)
        await until(lambda: here.told)
        left = await here.row()
        another = Broadcasts(here.means)
        async with trio.open_nursery() as nursery:
            await nursery.start(another.run)
            row = await here.row()
            nursery.cancel_scope.cancel()

        assert (left.ended_at, row.id, row.end_reason) == (None, left.id, "The server stopped")
        assert row.ended_at is not None
        assert here.told == [StreamStarted, StreamStopped]
