"""The window: what is listed, what can be fetched, and the numbers that players count by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manor_stream.hls.window import FEWEST, KEPT_AFTERWARDS, Segment, Window
from tests.stream_hls import CLIP, HIGH, LOW, Clock, read, segment, window_of

# --- Rolling -------------------------------------------------------------------------------------------------------


def test_nothing_is_listed_before_the_first_segment() -> None:
    window = window_of(0)

    assert window.is_empty
    assert window.playlist(0) is None
    assert window.newest(0) is None
    assert window.listed(0) == window.added(0) == 0


def test_the_newest_segments_are_listed() -> None:
    playlist = read(window_of(7, length=3).playlist(0))

    assert playlist.names == ["stream-s-4.ts", "stream-s-5.ts", "stream-s-6.ts"]
    assert (playlist.number, playlist.discontinuity, playlist.is_ended) == (4, 0, False)
    assert [entry.at for entry in playlist.entries] == [segment(number).at for number in (4, 5, 6)]


def test_segments_stay_for_a_while_after_they_left_the_playlist() -> None:
    window = window_of(30, length=3)
    oldest = 30 - 3 - KEPT_AFTERWARDS

    assert window.find(0, f"stream-s-{oldest}.ts") == segment(oldest)
    assert window.find(0, f"stream-s-{oldest - 1}.ts") is None
    assert window.used == 10 * (3 + KEPT_AFTERWARDS) + sum(len(segment(n).data) - 10 for n in range(oldest, 30))


def test_a_playlist_is_encoded_once_for_each_change() -> None:
    window = window_of(3)
    body = window.playlist(0)

    assert window.playlist(0) is body
    window.add(0, segment(3))
    assert window.playlist(0) is not body


def test_what_is_no_variant_has_nothing() -> None:
    window = window_of(3)

    for variant in (-1, 1, 10**9):
        assert window.playlist(variant) is None
        assert window.find(variant, "stream-s-0.ts") is None
    assert window.newest(1) is None
    assert window.added(1) == window.listed(1) == 0


def test_a_segment_that_continues_nothing_stands_behind_a_discontinuity_until_it_is_gone() -> None:
    window = window_of(2, length=3)
    window.add(0, segment(2, breaks=True))
    window.add(0, segment(3))
    before = read(window.playlist(0))
    window.add(0, segment(4))
    first = read(window.playlist(0))
    window.add(0, segment(5))
    after = read(window.playlist(0))

    assert [entry.breaks for entry in before.entries] == [0, 1, 0]
    # The tag is there as long as its segment is, and only then counts as gone.
    assert [entry.breaks for entry in first.entries] == [1, 0, 0]
    assert [before.discontinuity, first.discontinuity, after.discontinuity] == [0, 0, 1]


@pytest.mark.parametrize(("seconds", "target"), [(0.4, 2), (2.49, 2), (2.5, 3), (3.5, 4), (8.341, 8)])
def test_no_segment_is_longer_than_the_target_duration(seconds: float, target: int) -> None:
    window = window_of(1)
    window.add(0, segment(1, seconds=seconds))

    assert read(window.playlist(0)).target == target


def test_the_target_duration_stays_when_the_long_segment_is_gone() -> None:
    window = window_of(1, length=3)
    window.add(0, segment(1, seconds=7))
    for number in range(2, 10):
        window.add(0, segment(number))

    assert read(window.playlist(0)).target == 7


def test_numbers_begin_where_they_are_told_to() -> None:
    window = Window(1_800_000_000, now=lambda: 0.0)
    window.begin([LOW], seconds=2, length=3)
    window.add(0, segment(0))

    assert read(window.playlist(0)).number == 1_800_000_000


# --- Broadcasts ----------------------------------------------------------------------------------------------------


def over(clock: Clock, clip: Segment | None = CLIP, *, variants: int = 1) -> Window:
    """A window whose broadcast has just ended."""
    window = Window(now=clock)
    window.begin([LOW, HIGH][:variants], seconds=2, length=4)
    for number in range(3):
        for variant in range(variants):
            window.add(variant, segment(number))
    window.end([clip] * variants)
    return window


def test_the_end_is_the_clip_behind_a_discontinuity() -> None:
    window = over(Clock())
    playlist = read(window.playlist(0))

    assert playlist.names == ["stream-s-0.ts", "stream-s-1.ts", "stream-s-2.ts", "offline.ts"]
    assert [entry.breaks for entry in playlist.entries] == [0, 0, 0, 1]
    assert playlist.is_ended
    assert playlist.target == 4
    assert window.find(0, "offline.ts") == CLIP
    assert window.newest(0) is None


def test_without_a_clip_the_end_is_just_the_end() -> None:
    playlist = read(over(Clock(), None).playlist(0))

    assert len(playlist.entries) == 3
    assert playlist.is_ended


def test_a_second_end_changes_nothing() -> None:
    window = over(Clock())
    body = window.playlist(0)
    window.begin([LOW], seconds=2, length=4)
    window.end([CLIP])

    assert window.playlist(0) is body


def test_who_is_back_soon_goes_on_in_the_same_playlist() -> None:
    clock = Clock()
    window = over(clock)
    clock.now = 299
    window.begin([LOW], seconds=2, length=4)
    waiting = read(window.playlist(0))
    window.add(0, segment(0, session="t"))
    playlist = read(window.playlist(0))

    assert waiting.is_ended
    assert playlist.names == ["stream-s-1.ts", "stream-s-2.ts", "offline.ts", "stream-t-0.ts"]
    assert [entry.breaks for entry in playlist.entries] == [0, 0, 1, 1]
    assert (playlist.number, playlist.is_ended) == (1, False)
    assert window.added(0) == 1
    assert window.listed(0) == 4


@pytest.mark.parametrize(("later", "variants"), [(300, 1), (10, 2)])
def test_who_is_back_late_or_with_other_variants_begins_anew(later: float, variants: int) -> None:
    clock = Clock()
    window = over(clock)
    before = read(window.playlist(0))
    clock.now = later
    window.begin([LOW, HIGH][:variants], seconds=2, length=4)
    waiting = window.playlist(0)
    window.add(0, segment(0, session="t", breaks=True))
    playlist = read(window.playlist(0))

    assert waiting is not None, "what ended is there until there is something new"
    assert playlist.names == ["stream-t-0.ts"]
    assert [entry.breaks for entry in playlist.entries] == [0]
    assert playlist.number == before.number + 4
    assert playlist.discontinuity > before.entries[-1].discontinuity
    assert playlist.target == 2
    assert not playlist.is_ended
    assert window.find(0, "stream-s-2.ts") is None


def test_fewer_variants_leave_nothing_of_the_others() -> None:
    clock = Clock()
    window = over(clock, variants=2)
    window.begin([LOW], seconds=2, length=4)
    window.add(0, segment(0, session="t"))

    assert window.playlist(1) is None
    assert window.used == len(segment(0, session="t").data)


def test_variants_agree_on_discontinuities_though_one_had_no_segment_for_a_while() -> None:
    window = window_of(2, length=9, variants=2)
    window.add(0, segment(2, breaks=True))
    window.end([CLIP, CLIP])
    window.begin([LOW, HIGH], seconds=2, length=9)
    for variant in range(2):
        window.add(variant, segment(0, session="t"))

    low, high = (read(window.playlist(variant)) for variant in range(2))
    assert [entry.discontinuity for entry in low.entries[-3:]] == [1, 2, 3]
    assert [entry.discontinuity for entry in high.entries[-3:]] == [0, 2, 3]


def test_the_same_clip_can_be_fetched_though_an_older_place_of_it_rolled_off() -> None:
    clock = Clock()
    window = over(clock)
    window.begin([LOW], seconds=2, length=4)
    for number in range(12):
        window.add(0, segment(number, session="t"))
    window.end([replace(CLIP)])
    window.begin([LOW], seconds=2, length=4)
    window.add(0, segment(0, session="u"))

    assert read(window.playlist(0)).names[-2:] == ["offline.ts", "stream-u-0.ts"]
    assert window.find(0, "stream-s-2.ts") is None
    assert window.find(0, "offline.ts") == CLIP


def test_after_a_reset_there_is_the_clip_alone() -> None:
    window = over(Clock(), variants=2)
    before = read(window.playlist(0))
    window.reset([LOW], [CLIP])
    playlist = read(window.playlist(0))

    assert playlist.names == ["offline.ts"]
    assert playlist.is_ended
    assert playlist.number == before.number + 4
    assert window.playlist(1) is None
    assert window.used == len(CLIP.data)


def test_after_a_reset_without_a_clip_there_is_nothing() -> None:
    window = over(Clock())
    window.reset([LOW], [None])

    assert window.is_empty
    assert window.playlist(0) is None


def test_a_broadcast_after_a_reset_begins_anew() -> None:
    window = Window(now=Clock())
    window.reset([LOW], [CLIP])
    window.begin([LOW], seconds=2, length=4)
    offline = read(window.playlist(0))
    window.add(0, segment(0))
    playlist = read(window.playlist(0))

    assert offline.names == ["offline.ts"]
    assert offline.target == 4
    assert playlist.names == ["stream-s-0.ts"]
    assert playlist.target == 2


def test_clips_are_as_many_as_variants() -> None:
    window = window_of(2, variants=2)

    with pytest.raises(ValueError, match="zip"):
        window.end([CLIP])


# --- What variants are ---------------------------------------------------------------------------------------------


def test_variants_are_as_described_and_measured_where_nobody_says() -> None:
    window = window_of(0, variants=2)
    window.describe([LOW, HIGH])
    window.add(0, segment(0, size=100_000))
    window.add(0, segment(1, size=300_000))

    low, high = window.variants
    assert (low.bandwidth, low.average_bandwidth) == (800_000, 800_000)
    assert high == HIGH

    window.describe([replace(LOW, bandwidth=0), HIGH])
    assert (window.variants[0].bandwidth, window.variants[0].average_bandwidth) == (1_200_000, 800_000)


def test_a_description_of_other_variants_is_refused() -> None:
    window = window_of(1)

    with pytest.raises(ValueError, match="1 variants began, 2 are described"):
        window.describe([LOW, HIGH])


def test_watchers_are_told_what_is_listed_with_the_playlist() -> None:
    window = window_of(0)
    told: list[tuple[int, str, list[str]]] = []
    window.watch(lambda variant, listed, body: told.append((variant, listed.name, read(body).names)))
    window.add(0, segment(0))
    window.end([CLIP])
    window.begin([LOW], seconds=2, length=4)
    window.add(0, segment(0, session="t"))
    window.end([None])

    names = ["stream-s-0.ts", "offline.ts", "stream-t-0.ts"]
    assert told == [
        (0, "stream-s-0.ts", names[:1]),
        (0, "offline.ts", names[:2]),
        (0, "stream-t-0.ts", names),
        # Nothing new, but the list is over.
        (0, "stream-t-0.ts", names),
    ]


# --- Memory --------------------------------------------------------------------------------------------------------


def test_what_no_playlist_lists_makes_room_first() -> None:
    window = Window(now=Clock())
    window.begin([LOW], seconds=2, length=5, memory=700)
    for number in range(12):
        window.add(0, segment(number, size=100))

    assert window.used == 700
    assert len(read(window.playlist(0)).entries) == 5
    assert window.find(0, "stream-s-5.ts") is not None
    assert window.find(0, "stream-s-4.ts") is None
    assert not window.is_short_of_memory


def test_playlists_are_shortened_when_that_is_not_enough_and_it_is_said_once() -> None:
    warnings: list[str] = []
    window = Window(now=Clock(), warn=warnings.append)
    window.begin([LOW, HIGH], seconds=2, length=5, memory=800)
    for number in range(12):
        for variant in range(2):
            window.add(variant, segment(number, size=100))

    assert window.used == 800
    assert [len(read(window.playlist(variant)).entries) for variant in range(2)] == [4, 4]
    assert ["0 MiB" in warning for warning in warnings] == [True]
    assert window.is_short_of_memory


def test_another_variants_old_segments_make_room_before_listed_ones_do() -> None:
    window = Window(now=Clock())
    window.begin([LOW, HIGH], seconds=2, length=5, memory=1000)
    for number in range(4):
        window.add(1, segment(number, session="high", size=100))
    for number in range(9):
        window.add(0, segment(number, size=100))

    assert read(window.playlist(1)).number == 0
    assert window.find(0, "stream-s-3.ts") is not None
    assert window.find(0, "stream-s-2.ts") is None


def test_a_playlist_that_another_variant_shortened_is_told_as_it_is() -> None:
    window = Window(now=Clock())
    window.begin([LOW, HIGH], seconds=2, length=5, memory=600)
    for number in range(5):
        window.add(1, segment(number, session="high", size=100))
    before = window.playlist(1)
    for number in range(3):
        window.add(0, segment(number, size=100))

    assert len(read(before).entries) == 5
    assert read(window.playlist(1)).names == ["stream-high-2.ts", "stream-high-3.ts", "stream-high-4.ts"]


def test_three_segments_of_a_variant_stay_whatever_they_take() -> None:
    window = Window(now=Clock())
    window.begin([LOW, HIGH], seconds=2, length=5, memory=1)
    for number in range(6):
        for variant in range(2):
            window.add(variant, segment(number, size=100))

    assert [len(read(window.playlist(variant)).entries) for variant in range(2)] == [FEWEST, FEWEST]
