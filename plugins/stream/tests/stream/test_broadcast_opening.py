"""When a broadcast has enough to begin with."""

from __future__ import annotations

import pytest

from manor_stream.broadcast.opening import (
    KEY_FRAME_SECONDS,
    MOST_BYTES,
    TOLD_SECONDS,
    UNTOLD_SECONDS,
    Beginning,
    Opening,
)
from manor_stream.broadcast.patience import Patience
from manor_stream.media import LEAST_WEIGHT, Kind, Media
from manor_stream.on_air import Metadata

BOTH = Metadata(width=160, height=90, video_codec="H.264", audio_codec="AAC")
VIDEO_ALONE = Metadata(width=160, height=90, video_codec="H.264")
AUDIO_ALONE = Metadata(audio_codec="AAC")
NOTHING_TOLD = Metadata()


def avc_header(at: int = 0, data: bytes = b"one") -> Media:
    return Media.of(Kind.VIDEO, at, b"\x17\0\0\0\0" + data)


def key_frame(at: int = 0) -> Media:
    return Media.of(Kind.VIDEO, at, b"\x17\1\0\0\0key")


def frame(at: int = 0, size: int = 5) -> Media:
    return Media.of(Kind.VIDEO, at, b"\x27\1\0\0\0" + bytes(size))


def aac_header(at: int = 0) -> Media:
    return Media.of(Kind.AUDIO, at, b"\xaf\0\x12\x10")


def aac(at: int = 0) -> Media:
    return Media.of(Kind.AUDIO, at, b"\xaf\1sound")


def mp3(at: int = 0) -> Media:
    return Media.of(Kind.AUDIO, at, b"\x2fsound")


def begin(metadata: Metadata, *steps: tuple[float, Media]) -> Beginning | None:
    opening = Opening(metadata)
    return next((found for now, media in steps if (found := opening.take(media, now)) is not None), None)


def at_once(metadata: Metadata, *media: Media) -> Beginning | None:
    return begin(metadata, *((0.0, each) for each in media))


def test_both_headers_and_a_key_frame_are_a_beginning() -> None:
    beginning = at_once(BOTH, avc_header(), aac_header(), key_frame(40))

    assert beginning is not None
    assert beginning.kinds == {Kind.AUDIO, Kind.VIDEO}
    assert [media.is_header for media in beginning.media] == [True, True, False]


@pytest.mark.parametrize(
    "media",
    [
        (avc_header(), key_frame()),
        (avc_header(), aac_header(), frame()),
        (aac_header(), aac()),
        (key_frame(), aac_header(), aac()),
        (frame(), frame()),
        (aac(), aac()),
    ],
)
@pytest.mark.parametrize("metadata", [BOTH, NOTHING_TOLD])
def test_less_is_none(media: tuple[Media, ...], metadata: Metadata) -> None:
    assert at_once(metadata, *media) is None


def test_headers_are_as_old_as_the_first_frame() -> None:
    beginning = at_once(BOTH, avc_header(0), aac_header(0), frame(500), key_frame(1000))

    assert beginning is not None
    assert [media.timestamp for media in beginning.media] == [1000, 1000, 1000]


def test_sound_before_the_first_picture_is_left_out() -> None:
    beginning = at_once(BOTH, avc_header(), aac_header(), aac(10), aac(20), key_frame(30))

    assert beginning is not None
    assert [media.timestamp for media in beginning.media if not media.is_header] == [30]


def test_nothing_since_the_key_frame_is_lost_while_the_sound_is_waited_for() -> None:
    beginning = at_once(BOTH, avc_header(), key_frame(0), frame(33), frame(66), aac_header(70))

    assert beginning is not None
    assert [media.timestamp for media in beginning.media if not media.is_header] == [0, 33, 66]


@pytest.mark.parametrize("metadata", [VIDEO_ALONE, AUDIO_ALONE])
def test_what_was_not_told_is_not_waited_for(metadata: Metadata) -> None:
    media = (avc_header(), key_frame()) if metadata is VIDEO_ALONE else (aac_header(), aac())

    assert at_once(metadata, *media) is not None


@pytest.mark.parametrize(("metadata", "seconds"), [(NOTHING_TOLD, UNTOLD_SECONDS), (BOTH, TOLD_SECONDS)])
def test_what_was_told_is_waited_for_longer(metadata: Metadata, seconds: float) -> None:
    headers = ((0.0, avc_header()), (0.0, key_frame()))

    assert begin(metadata, *headers, (seconds - 0.1, frame())) is None
    beginning = begin(metadata, *headers, (seconds, frame()))
    assert beginning is not None
    assert beginning.kinds == {Kind.VIDEO}


def test_sound_alone_begins_when_no_picture_comes() -> None:
    steps = ((0.0, aac_header()), (0.1, aac(100)), (1.0, aac(1000)))

    assert begin(NOTHING_TOLD, *steps) is None
    beginning = begin(NOTHING_TOLD, *steps, (UNTOLD_SECONDS, aac(1500)))
    assert beginning is not None
    assert beginning.kinds == {Kind.AUDIO}


def test_video_whose_header_came_gets_the_time_of_a_long_group_of_pictures() -> None:
    steps = ((0.0, avc_header()), (0.0, aac_header()), (0.1, aac()), (TOLD_SECONDS + 1, frame()))

    assert begin(NOTHING_TOLD, *steps) is None
    with_picture = begin(NOTHING_TOLD, *steps, (9.0, key_frame()))
    assert with_picture is not None
    assert with_picture.kinds == {Kind.AUDIO, Kind.VIDEO}
    without = begin(NOTHING_TOLD, *steps, (KEY_FRAME_SECONDS, aac()))
    assert without is not None
    assert without.kinds == {Kind.AUDIO}


def test_a_kind_whose_header_came_is_waited_for_whatever_was_told() -> None:
    assert at_once(AUDIO_ALONE, aac_header(), avc_header(), aac(20)) is None
    beginning = at_once(AUDIO_ALONE, aac_header(), avc_header(), aac(20), key_frame(40))

    assert beginning is not None
    assert beginning.kinds == {Kind.AUDIO, Kind.VIDEO}


def test_mp3_needs_no_header() -> None:
    beginning = at_once(BOTH, avc_header(), key_frame(), mp3())

    assert beginning is not None
    assert beginning.kinds == {Kind.AUDIO, Kind.VIDEO}


def test_a_new_header_makes_what_came_before_it_worthless() -> None:
    beginning = at_once(
        BOTH, avc_header(), key_frame(0), avc_header(data=b"two"), frame(10), aac_header(), key_frame(20)
    )

    assert beginning is not None
    assert [media.timestamp for media in beginning.media] == [20, 20, 20]
    assert beginning.headers[Kind.VIDEO].data.endswith(b"two")


@pytest.mark.parametrize(("size", "most"), [(1_000_000, 5), (1, MOST_BYTES // LEAST_WEIGHT)])
def test_what_waits_takes_no_more_memory_than_it_may(size: int, most: int) -> None:
    opening = Opening(BOTH)
    opening.take(avc_header(), 0)
    opening.take(key_frame(), 0)
    beginnings = [opening.take(frame(size=size), 0) for _ in range(most)]

    assert beginnings[:-1] == [None] * (most - 1)
    assert beginnings[-1] is not None
    assert beginnings[-1].kinds == {Kind.VIDEO}


def test_after_an_encoder_ended_a_key_frame_is_enough() -> None:
    before = at_once(BOTH, avc_header(), aac_header(), key_frame())
    again = Opening(BOTH, before)

    assert again.take(frame(2000), 50) is None
    assert again.take(aac(2010), 50) is None
    beginning = again.take(key_frame(2040), 50)
    assert beginning is not None
    assert [media.timestamp for media in beginning.media] == [2040, 2040, 2040]


# --- Starting again ------------------------------------------------------------------------------------------------


def test_pauses_get_longer_and_the_fifth_failure_within_a_minute_is_the_last() -> None:
    patience = Patience()

    assert [patience.note(now) for now in (0, 5, 10, 15, 20)] == [0.5, 1.0, 2.0, 5.0, None]


def test_failures_that_are_far_apart_are_no_reason_to_give_up() -> None:
    patience = Patience()

    assert [patience.note(now * 61.0) for now in range(8)] == [0.5] * 8


def test_failures_in_a_row_that_are_seldom_enough_have_the_longest_pause() -> None:
    patience = Patience()

    assert [patience.note(now * 20.0) for now in range(7)] == [0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0]
