"""Encoders that end, fail or are not there, and what they cannot broadcast."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import trio

from manor.testing import Client
from manor_stream.broadcast.service import Unplayable
from manor_stream.events import StreamStarted
from manor_stream.media import Kind, Media
from manor_stream.on_air import Phase
from tests.stream_broadcast import AS_IT_COMES, SMALL, Encoder, recorded, send, until
from tests.stream_studio import SPEED, lines_of, studio


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
