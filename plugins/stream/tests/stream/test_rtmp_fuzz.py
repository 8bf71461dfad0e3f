"""Whatever comes, a session takes it or refuses it: 20,000 cases, several of each that is made up.

The recording is of ffmpeg 5.1, which publishes a second of a test pattern.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manor_stream.media import Media
from manor_stream.rtmp import amf0
from manor_stream.rtmp.chunks import MOST_CHUNK_STREAMS, in_chunks
from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.events import Event, PublishAsked, PublishEnded
from manor_stream.rtmp.handshake import RANDOM_SIZE
from manor_stream.rtmp.messages import Message
from manor_stream.rtmp.session import Session, State
from tests.stream_rtmp import SHAKEN, asks, some_media

RECORDED = Path(__file__).with_name("data").joinpath("ffmpeg.rtmp").read_bytes()
BEGIN = RECORDED[:5_600]
PUBLISHING = SHAKEN + in_chunks([*asks("live", "key"), *some_media(0.02)], 128)
RANDOM = bytes(RANDOM_SIZE)


def cases(count: int) -> settings:
    """The same cases in every run, and nothing written down."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=slow)


def heard(pieces: list[bytes]) -> list[Event]:
    """What a session makes of the pieces, until it has enough; it never keeps or says more than it was sent."""
    session, received, said = Session(RANDOM), 0, 0
    events: list[Event] = []
    for piece in pieces:
        session.receive(piece)
        received += len(piece)
        try:
            while (event := session.next_event()) is not None:
                events.append(event)
                if isinstance(event, PublishAsked):
                    session.accept()
        except ProtocolError:
            assert session.state is State.OVER
            assert session.next_event() is None
        said += len(session.data_to_send())
        chunks = session._chunks
        assert len(chunks.buffer) - chunks._begin + chunks._unfinished <= received
        assert len(chunks._chunk_streams) <= MOST_CHUNK_STREAMS
        assert len(events) <= received
        # The longest answer is to `FCPublish`, which is 20 bytes at the least.
        assert said <= 8_192 + 20 * received
    return events


def cut(data: bytes, places: bytes) -> list[bytes]:
    """The same bytes in pieces: cut where two bytes each say."""
    at = sorted({0, len(data), *(place % len(data) for place in numbers(places))}) if data else [0]
    return [data[begin:end] for begin, end in pairwise(at)]


def numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]


def spoiled(data: bytes, how: bytes) -> bytes:
    """Other bytes in one place: two say where, one in how many bytes' place, the rest are put there."""
    at = len(SHAKEN) + int.from_bytes(how[:2], "big") % (len(data) - len(SHAKEN))
    return data[:at] + how[3:] + data[at + how[2] % 16 :]


@given(st.binary(max_size=400), st.binary(max_size=6))
@cases(2_000)
def test_noise_is_taken_or_refused(noise: bytes, places: bytes) -> None:
    pieces = cut(noise, places)
    heard(pieces)
    heard([b"\x03", *pieces])
    heard([SHAKEN, *pieces])
    heard([PUBLISHING, *pieces])


@given(st.binary(min_size=20, max_size=20))
@cases(1_500)
def test_a_spoiled_recording_is_taken_or_refused(how: bytes) -> None:
    heard([spoiled(BEGIN, how[:4])])
    heard([spoiled(BEGIN, how[:10])])
    heard([spoiled(BEGIN, how[10:])])
    heard(cut(spoiled(spoiled(BEGIN, how[4:12]), how[12:17]), how[17:]))


@given(st.binary(max_size=24))
@cases(500)
def test_a_recording_says_the_same_however_it_is_cut(places: bytes) -> None:
    assert heard(cut(RECORDED, places)) == AT_ONCE
    assert heard(cut(RECORDED, places[2:])) == AT_ONCE


COMMANDS = ("connect", "createStream", "releaseStream", "FCPublish", "publish", "play", "deleteStream", "onMetaData")


@given(st.lists(st.binary(max_size=40), max_size=6))
@cases(500)
def test_messages_of_all_kinds_are_taken_or_refused(bodies: list[bytes]) -> None:
    noise = [Message(sum(body) % 24, body, *stamps(body)) for body in bodies]
    named = [
        Message(17 + sum(body) % 4, amf0.write(COMMANDS[len(body) % len(COMMANDS)], 1) + body, *stamps(body))
        for body in bodies
    ]
    for start in (SHAKEN, PUBLISHING):
        heard([start, in_chunks(noise, 128)])
        heard([start, in_chunks(named, 128)])


def stamps(body: bytes) -> tuple[int, int]:
    return int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "little")


OPENINGS = (b"\x03\0\x01a", b"\x0a\0\0\0\x01", b"\x08\0\0\0\0\0\x01b", b"\x10\0\0\0\x01c", b"\0\0\x09", b"\x05")


@given(st.binary(max_size=100), st.binary(max_size=12))
@cases(1_000)
def test_nested_values_are_taken_or_refused(nesting: bytes, end: bytes) -> None:
    values = b"".join(OPENINGS[each % len(OPENINGS)] for each in nesting)
    named = b"\x02\0\x07connect" + amf0.write(1)
    heard([SHAKEN, in_chunks([Message(20, named + values + end)], 128)])
    heard([SHAKEN, in_chunks([Message(20, named + values * 15 + end)], 128)])
    deeper = b"".join(OPENINGS[each % 4] for each in nesting)
    heard([SHAKEN, in_chunks([Message(20, named + deeper * (12_000 // (1 + len(deeper))) + end)], 128)])
    heard([PUBLISHING, in_chunks([Message(18, b"\x02\0\x0aonMetaData" + values + end)], 128)])


AT_ONCE = heard([RECORDED])


def test_the_recording_is_a_whole_session() -> None:
    assert AT_ONCE[0] == PublishAsked("recorded")
    assert AT_ONCE[-1] == PublishEnded()
    assert sum(isinstance(event, Media) and event.is_header for event in AT_ONCE) == 2
    assert len(AT_ONCE) == 61


def test_a_recording_may_come_byte_by_byte() -> None:
    assert heard([RECORDED[at : at + 1] for at in range(len(RECORDED))]) == AT_ONCE
