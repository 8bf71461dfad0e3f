"""Broadcasts from a publisher's frames to segments, with the real ffmpeg."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from manor_stream.hls.window import Segment
from manor_stream.media import Kind, Media
from manor_stream.on_air import Phase
from tests.stream_broadcast import AS_IT_COMES, SMALL, Encoder, recorded, send, until
from tests.stream_studio import SPEED, lines_of, probe, studio


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
    async with studio(tmp_path) as here, trio.open_nursery() as nursery:
        intake = here.broadcasts.accept(Encoder())
        nursery.start_soon(partial(send, intake, recorded(audio=False), speed=2))
        await until(lambda: here.on_air.phase is Phase.LIVE)

        assert here.on_air.metadata.audio_codec == ""
        nursery.cancel_scope.cancel()


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
