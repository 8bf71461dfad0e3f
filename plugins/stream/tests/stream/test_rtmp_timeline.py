"""Times of frames, from the encoder's clock to ours."""

from __future__ import annotations

import pytest

from manor_stream.media import Kind
from manor_stream.rtmp.timeline import MOST_AHEAD, MOST_BACK, Timeline

A, V = Kind.AUDIO, Kind.VIDEO


def placed(*frames: tuple[Kind, int]) -> list[int]:
    timeline = Timeline()
    return [timeline.place(kind, stamp) for kind, stamp in frames]


def test_time_begins_with_the_first_frame() -> None:
    assert placed((V, 5_000), (A, 5_010), (V, 5_040)) == [0, 10, 40]


def test_headers_and_data_do_not_say_when_time_begins() -> None:
    timeline = Timeline()

    assert timeline.place(V, 0, is_frame=False) == 0
    assert timeline.place(V, 30_000) == 0
    assert timeline.place(V, 30_040) == 40
    assert timeline.place(Kind.DATA, 0, is_frame=False) == 40
    assert timeline.place(V, 30_080) == 80


def test_audio_and_video_may_be_out_of_step() -> None:
    assert placed((V, 1_000), (V, 1_400), (A, 1_020), (A, 1_040)) == [0, 400, 20, 40]


def test_what_is_older_than_the_first_frame_is_as_old() -> None:
    assert placed((V, 1_000), (A, 980), (A, 1_001)) == [0, 0, 1]


def test_frames_of_one_kind_never_go_back() -> None:
    assert placed((V, 1_000), (V, 1_080), (V, 1_040), (V, 1_120)) == [0, 80, 80, 120]


def test_time_goes_on_when_the_stamps_wrap_around() -> None:
    assert placed((V, 0xFFFFFFFE), (V, 0xFFFFFFFF), (V, 1)) == [0, 1, 3]


@pytest.mark.parametrize("stamp", [0, 1_000_000 - MOST_BACK - 1, 1_000_000 + MOST_AHEAD + 1, 0xFFFFFFFF])
def test_a_clock_that_is_set_makes_no_gap(stamp: int) -> None:
    start = 1_000_000 - 400
    assert placed((V, start), (V, 1_000_000), (V, stamp), (V, stamp + 40)) == [0, 400, 400, 440]


@pytest.mark.parametrize("behind", [MOST_BACK + 1, 2_000, 50_000])
def test_a_kind_that_is_far_behind_the_other_goes_on_at_its_own_pace(behind: int) -> None:
    start = 100_000
    frames = [(kind, start + 40 * n - (behind if kind is V else 0)) for n in range(1_000) for kind in (A, V)]

    times = placed(*frames)

    assert times[0::2] == times[1::2] == [40 * n for n in range(1_000)]


def test_a_frame_of_the_old_clock_among_those_of_the_new_makes_no_gap() -> None:
    assert placed((V, 50_000), (A, 50_010), (V, 0), (A, 50_030), (V, 40), (A, 50)) == [0, 10, 10, 30, 50, 60]


def test_a_kind_that_was_silent_for_long_goes_on_with_the_other() -> None:
    video = [(V, 1_000 * n) for n in range(200)]

    assert placed((V, 0), (A, 0), *video[1:], (A, 199_010), (A, 199_030))[-3:] == [199_000, 199_010, 199_030]


def test_both_kinds_may_have_their_clock_set_and_wrap() -> None:
    before = [(A, 0xFFFFFFF0), (V, 0xFFFFFFF8), (A, 4), (V, 12)]
    after = [(V, 500_000), (A, 500_010), (V, 500_040), (A, 500_050)]

    assert placed(*before, *after) == [0, 8, 20, 28, 28, 38, 68, 78]
