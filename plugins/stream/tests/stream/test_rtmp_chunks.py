"""The chunk stream: messages come out as they went in, however they are cut, and nothing larger than agreed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from manor_stream.rtmp import chunks
from manor_stream.rtmp.chunks import ChunkReader, in_chunks
from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.messages import Message, MessageType, set_chunk_size

VIDEO = MessageType.VIDEO.to_bytes(1, "big")
TEN = b"\0\0\x0a"
"""A length of ten, as headers have it."""
STREAM = b"\x01\0\0\0"
BODY = b"0123456789"


def read(*pieces: bytes, takes_media: bool = True) -> list[Message]:
    reader = ChunkReader()
    reader.takes_media = takes_media
    found = []
    for piece in pieces:
        reader.receive(piece)
        while (message := reader.next_message()) is not None:
            found.append(message)
    return found


def whole(stamp: int, body: bytes = BODY, *, number: int = 4, rest: bytes = b"") -> bytes:
    """A chunk with a whole header."""
    extension = stamp.to_bytes(4, "big") if stamp >= 0xFFFFFF else b""
    head = bytes([number]) + min(stamp, 0xFFFFFF).to_bytes(3, "big") + len(body + rest).to_bytes(3, "big")
    return head + VIDEO + STREAM + extension + body


def stamps(messages: list[Message]) -> list[int]:
    return [message.timestamp for message in messages]


def test_a_message_has_what_its_header_says() -> None:
    assert read(whole(1000)) == [Message(MessageType.VIDEO, BODY, 1000, 1)]


def test_headers_leave_out_what_has_not_changed() -> None:
    same_stream = b"\x44" + b"\0\0\x14" + TEN + VIDEO + BODY
    time_alone = b"\x84" + b"\0\0\x28" + BODY
    nothing = b"\xc4" + BODY

    found = read(whole(1000) + same_stream + time_alone + nothing)

    assert stamps(found) == [1000, 1020, 1060, 1100]
    assert {(message.kind, message.body, message.stream) for message in found} == {(MessageType.VIDEO, BODY, 1)}


def test_without_a_header_a_time_is_a_step_too() -> None:
    # RTMP 1.0, 5.3.1.2.4: after a whole header, the step is that header's own time. ffmpeg does so.
    assert stamps(read(whole(23) + b"\xc4" + BODY)) == [23, 46]


@pytest.mark.parametrize("number", [2, 3, 63, 64, 319, 320, 65599])
def test_chunk_streams_have_numbers_of_one_two_and_three_bytes(number: int) -> None:
    match number:
        case _ if number < 64:
            basic = bytes([number])
        case _ if number < 320:
            basic = bytes([0, number - 64])
        case _:
            basic = b"\x01" + (number - 64).to_bytes(2, "little")

    again = bytes([basic[0] | 0xC0]) + basic[1:]
    assert len(read(basic + whole(1)[1:] + again + BODY)) == 2


@pytest.mark.parametrize("stamp", [0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF])
def test_long_times_stand_behind_the_header(stamp: int) -> None:
    assert stamps(read(whole(stamp))) == [stamp]


def test_long_times_are_repeated_on_further_chunks() -> None:
    stamp = 0x1000000
    first = whole(stamp, bytes(128), rest=BODY)

    repeated = read(first + b"\xc4" + stamp.to_bytes(4, "big") + BODY + whole(5))
    left_out = read(first + b"\xc4" + BODY + whole(5))

    assert repeated == left_out
    assert stamps(repeated) == [stamp, 5]
    assert repeated[0].body == bytes(128) + BODY


def test_after_a_long_time_a_short_one_is_not_repeated() -> None:
    body = (5).to_bytes(4, "big") + BODY

    found = read(whole(0x1000000) + whole(5, body) + b"\xc4" + body)

    assert [message.body for message in found] == [BODY, body, body]


def test_the_last_bytes_of_a_message_with_a_long_time_may_be_few() -> None:
    stamp = 0x1000000
    sent = whole(stamp, bytes(128), rest=b"ab") + b"\xc4" + stamp.to_bytes(4, "big") + b"ab" + whole(5)

    found = read(*(sent[at:end] for at, end in pairwise(range(len(sent) + 1))))

    assert [message.body for message in found] == [bytes(128) + b"ab", BODY]


def test_long_steps_are_repeated_too() -> None:
    step = 0x1000000
    later = b"\x84\xff\xff\xff" + step.to_bytes(4, "big") + BODY
    once_more = b"\xc4" + step.to_bytes(4, "big") + BODY

    assert stamps(read(whole(1) + later + once_more)) == [1, step + 1, 2 * step + 1]


def test_times_wrap_around_without_a_header_too() -> None:
    step = 0x80000001

    assert stamps(read(whole(step) + b"\xc4" + step.to_bytes(4, "big") + BODY)) == [step, 2]


def test_long_times_are_repeated_in_what_is_written() -> None:
    stamp = (0x1234567).to_bytes(4, "big")

    assert in_chunks([Message(MessageType.VIDEO, bytes(200), 0x1234567, 1)], 128).endswith(stamp + bytes(72))


def test_times_wrap_around() -> None:
    assert stamps(read(whole(0xFFFFFFFF) + b"\x84\0\0\x02" + BODY)) == [0xFFFFFFFF, 1]


def test_messages_of_several_chunk_streams_are_told_apart() -> None:
    video, audio = bytes(range(200)), bytes(reversed(range(200)))
    pieces = [
        whole(1, video[:128], number=4, rest=video[128:]),
        whole(2, audio[:128], number=5, rest=audio[128:]),
        b"\xc4" + video[128:],
        b"\xc5" + audio[128:],
    ]

    assert [message.body for message in read(b"".join(pieces))] == [video, audio]


def test_the_number_of_three_bytes_has_its_lowest_first() -> None:
    begun = b"\0\x01" + whole(1, bytes(128), rest=BODY)[1:]
    other = b"\x01\0\x01" + whole(2)[1:]

    assert [message.body for message in read(begun + other + b"\xc0\x01" + BODY)] == [BODY, bytes(128) + BODY]


def test_the_highest_bit_of_a_chunk_size_says_nothing() -> None:
    larger = control(MessageType.SET_CHUNK_SIZE, (0x80000000 | 4096).to_bytes(4, "big"))

    assert read(larger + whole(1, bytes(4096)))[1].body == bytes(4096)


@pytest.mark.parametrize("size", [128, 129, 4096, 60_000])
def test_what_is_written_is_read(size: int) -> None:
    messages = [
        set_chunk_size(size),
        Message(MessageType.VIDEO, bytes(70_000), 0x1234567, 1),
        Message(MessageType.AUDIO, b"", 7, 1),
        Message(MessageType.COMMAND, b"x" * size, 0xFFFFFF, 0),
        Message(MessageType.COMMAND, b"y" * 5_000, 0xFFFFFF, 1),
    ]

    assert read(in_chunks(messages[:1], 128) + in_chunks(messages[1:], size)) == messages


def test_bytes_may_come_one_by_one() -> None:
    sent = whole(1) + whole(0x1000000, bytes(128), rest=BODY) + b"\xc4" + (0x1000000).to_bytes(4, "big") + BODY
    sent += b"\x01\x10\x20" + whole(9)[1:]

    assert read(*(sent[at:end] for at, end in pairwise(range(len(sent) + 1)))) == read(sent)


def test_an_aborted_message_is_forgotten() -> None:
    begun = whole(1, bytes(128), rest=BODY)
    abort = b"\x02\0\0\0\0\0\x04\x02\0\0\0\0" + (4).to_bytes(4, "big")

    found = read(begun + abort + whole(2))

    assert [message.kind for message in found] == [MessageType.ABORT, MessageType.VIDEO]
    assert found[1].body == BODY


# --- What is refused -----------------------------------------------------------------------------------------------


def control(kind: MessageType, body: bytes) -> bytes:
    return b"\x02\0\0\0" + len(body).to_bytes(3, "big") + bytes([kind]) + bytes(4) + body


@pytest.mark.parametrize("size", [0, 1, 127, 0x1000000, 0x7FFFFFFF])
def test_chunks_have_a_least_and_a_largest_size(size: int) -> None:
    with pytest.raises(ProtocolError, match="chunks of"):
        read(control(MessageType.SET_CHUNK_SIZE, size.to_bytes(4, "big")))


@pytest.mark.parametrize("kind", [MessageType.SET_CHUNK_SIZE, MessageType.ABORT])
def test_a_control_message_has_its_number(kind: MessageType) -> None:
    with pytest.raises(ProtocolError, match="without its number"):
        read(control(kind, b"\0\0"))


@pytest.mark.parametrize("layout", [1, 2, 3])
def test_a_chunk_stream_begins_with_a_whole_header(layout: int) -> None:
    with pytest.raises(ProtocolError, match="leaves something out"):
        read(bytes([layout << 6 | 4]) + bytes(20))


def test_a_message_does_not_begin_within_another() -> None:
    with pytest.raises(ProtocolError, match="within another"):
        read(whole(1, bytes(128), rest=BODY) + whole(2))


def head_of(kind: int, size: int) -> bytes:
    return b"\x04\0\0\0" + size.to_bytes(3, "big") + bytes([kind]) + STREAM


@pytest.mark.parametrize("kind", [MessageType.AUDIO, MessageType.VIDEO])
def test_frames_have_a_largest_size(kind: MessageType) -> None:
    assert read(head_of(kind, chunks.MOST_MEDIA)) == []
    with pytest.raises(ProtocolError, match="8388608 are taken"):
        read(head_of(kind, chunks.MOST_MEDIA + 1))


@pytest.mark.parametrize("kind", [MessageType.COMMAND, MessageType.DATA, MessageType.SET_CHUNK_SIZE, 22, 255])
def test_everything_else_has_a_smaller_one(kind: int) -> None:
    assert read(head_of(kind, chunks.MOST_COMMAND)) == []
    with pytest.raises(ProtocolError, match="65536 are taken"):
        read(head_of(kind, chunks.MOST_COMMAND + 1))


def test_frames_are_as_small_until_they_are_asked_for() -> None:
    with pytest.raises(ProtocolError, match="65536 are taken"):
        read(head_of(MessageType.VIDEO, chunks.MOST_COMMAND + 1), takes_media=False)


def test_there_are_so_many_chunk_streams_and_no_more() -> None:
    numbers = range(3, 3 + chunks.MOST_CHUNK_STREAMS)
    basics = [bytes([number]) if number < 64 else bytes([0, number - 64]) for number in numbers]
    all_of_them = b"".join(basic + whole(1)[1:] for basic in basics)

    assert len(read(all_of_them)) == chunks.MOST_CHUNK_STREAMS
    with pytest.raises(ProtocolError, match="64 chunk streams"):
        read(all_of_them + b"\x00\xff" + whole(1)[1:])


def test_unfinished_messages_are_bounded_together() -> None:
    size = 7 << 20
    larger = control(MessageType.SET_CHUNK_SIZE, size.to_bytes(4, "big"))
    begun = [bytes([number]) + head_of(MessageType.VIDEO, chunks.MOST_MEDIA)[1:] + bytes(size) for number in (3, 4, 5)]

    assert len(read(larger, *begun[:2])) == 1
    with pytest.raises(ProtocolError, match="begun and not ended"):
        read(larger, *begun)


def test_messages_that_are_ended_or_aborted_do_not_count_among_them() -> None:
    half = bytes(chunks.MOST_MEDIA // 2)
    larger = control(MessageType.SET_CHUNK_SIZE, len(half).to_bytes(4, "big"))
    begun = head_of(MessageType.VIDEO, chunks.MOST_MEDIA) + half
    abort = control(MessageType.ABORT, (4).to_bytes(4, "big"))

    assert len(read(larger, *[begun + b"\xc4" + half] * 3)) == 1 + 3
    assert len(read(larger, *[begun + abort] * 5)) == 1 + 5
