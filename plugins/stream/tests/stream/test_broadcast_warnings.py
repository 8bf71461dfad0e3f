"""What an admin is warned of while a broadcast is on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from manor.testing import open_test_house
from manor_stream.broadcast.following import BACKLOG_BYTES, Following
from manor_stream.broadcast.intake import Intake
from manor_stream.broadcast.means import Means
from manor_stream.broadcast.plan import Plan
from manor_stream.broadcast.warnings import Warnings
from manor_stream.media import Kind, Media
from manor_stream.quality import Quality
from manor_stream.transcoding.progress import Progress
from manor_stream.transcoding.segment_receiver import SegmentReceiver
from tests.stream_broadcast import AS_IT_COMES, SMALL, Encoder, shared_of

NO_RTMP = {"plugins": {"stream": {"rtmp_bind": ""}}}


def following(means: Means, *qualities: Quality, latency_level: int = 1) -> Following:
    """One that follows a publisher who sends what the test says."""

    def ignore(*told: object) -> None:
        """Nobody is told."""

    intake = Intake(
        Encoder(), "", qualities=qualities, ask_abilities=lambda: means.known.ask(means.ffmpeg), on_full=ignore
    )
    return Following(
        means,
        SegmentReceiver(),
        intake,
        Plan(qualities, latency_level, "libx264"),
        Warnings(means.on_air, means.logbook),
        on_beginning=ignore,
        on_segment=ignore,
    )


async def report(one: Following, speeds: Sequence[float], done: float = 0.0) -> float:
    """A report a second; of each second so much is encoded. Gives how much that is."""
    for speed in speeds:
        done += speed
        one._watch_pace(Progress(done, 1.0, 0, 0))
        await trio.sleep(1)
    return done


@pytest.mark.parametrize(("backlog", "word"), [(0, "The broadcaster sends 0.80 s"), (BACKLOG_BYTES + 1, "The encoder")])
async def test_who_is_slow_is_named(tmp_path: Path, autojump_clock: MockClock, backlog: int, word: str) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=NO_RTMP) as house:
        means = shared_of(house).broadcasts.means
        one = following(means, SMALL)
        one._intake.feed.bytes = backlog
        done = await report(one, [0.8] * 9)
        assert not means.on_air.warnings
        await report(one, [0.8] * 3, done)
        assert "; ".join(means.on_air.warnings).startswith(word)


async def test_a_warning_ends_when_it_is_over_and_is_logged_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=NO_RTMP) as house:
        means = shared_of(house).broadcasts.means
        one = following(means, SMALL)
        done = await report(one, [0.5] * 20)
        assert len(means.on_air.warnings) == 1
        assert len(means.logbook.newest_first(only_warnings=True)) == 1
        await report(one, [1.0] * 15, done)

        assert not means.on_air.warnings


async def test_an_encoder_that_is_still_starting_is_not_slow(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=NO_RTMP) as house:
        means = shared_of(house).broadcasts.means
        await report(following(means, SMALL), [0.0] * 5 + [1.0] * 10)

        assert not means.on_air.warnings


@pytest.mark.parametrize(
    ("quality", "distance", "is_warned"),
    [(AS_IT_COMES, 2000, False), (AS_IT_COMES, 2500, False), (AS_IT_COMES, 2600, True), (SMALL, 9000, False)],
)
async def test_rare_key_frames_matter_where_video_passes_through(
    tmp_path: Path, autojump_clock: MockClock, quality: Quality, distance: int, is_warned: bool
) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=NO_RTMP) as house:
        means = shared_of(house).broadcasts.means
        one = following(means, quality)
        for at in (0, distance):
            one._watch_key_frames(Media.of(Kind.VIDEO, at, b"\x17\1\0\0\0"))
        assert bool(means.on_air.warnings) is is_warned

        one._watch_key_frames(Media.of(Kind.VIDEO, distance + 1000, b"\x17\1\0\0\0"))
        assert not means.on_air.warnings
