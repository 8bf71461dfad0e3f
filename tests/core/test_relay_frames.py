"""What the core and its stream processes say to each other, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor.relay.frames import MOST_PAYLOAD, BadFrame, Frames, Kind, Terms, frame, joined_group, joining

Told = tuple[Kind, int, bytes]

_told = st.tuples(st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.binary(max_size=300))


def all_of(frames: Frames) -> list[Told]:
    found = []
    while (told := frames.next()) is not None:
        found.append(told)
    return found


@given(st.lists(_told, max_size=12), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_frames_are_found_whole_wherever_the_bytes_are_cut(told: list[Told], sizes: list[int]) -> None:
    data = b"".join(frame(*each) for each in told)
    frames, found, place, number = Frames(), [], 0, 0
    while place < len(data):
        size = sizes[number % len(sizes)]
        frames.feed(data[place : place + size])
        found += all_of(frames)
        place, number = place + size, number + 1

    assert found == told


def test_nothing_is_told_before_a_frame_is_whole() -> None:
    whole = frame(Kind.SAY, 7, b"hello")
    frames = Frames()
    for end in range(len(whole)):
        frames.feed(whole[end : end + 1])
        assert (frames.next() is not None) == (end == len(whole) - 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00" + frame(Kind.SAY, 7)[1:], id="no such kind"),
        pytest.param(frame(Kind.SAY, 7)[:9] + (MOST_PAYLOAD + 1).to_bytes(4, "big"), id="longer than any message"),
    ],
)
def test_what_cannot_be_a_frame_is_a_fault(data: bytes) -> None:
    frames = Frames()
    frames.feed(data)
    with pytest.raises(BadFrame):
        frames.next()


@given(st.floats(0, 1e6), st.booleans())
def test_terms_arrive_as_they_were_meant(write_seconds: float, is_watched: bool) -> None:
    terms = Terms.decode(Terms(write_seconds, is_watched=is_watched).encode())
    assert (terms.write_seconds, terms.is_watched) == (write_seconds, is_watched)


def test_a_join_names_its_line_and_its_group() -> None:
    frames = Frames()
    frames.feed(joining(3, 2**60))
    told = frames.next()
    assert told is not None
    assert told[:2] == (Kind.JOIN, 3)
    assert joined_group(told[2]) == 2**60


@pytest.mark.parametrize("payload", [b"", b"1234567", b"x" * 10])
def test_a_take_without_terms_and_a_join_without_a_group_are_faults(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        joined_group(payload)
    with pytest.raises(BadFrame):
        Terms.decode(payload)
