"""A session with an encoder, from the handshake to the last frame."""

from __future__ import annotations

from itertools import pairwise

import pytest

from manor_stream.media import Kind, Media
from manor_stream.rtmp import amf0
from manor_stream.rtmp.chunks import in_chunks
from manor_stream.rtmp.commands import key_of
from manor_stream.rtmp.events import Described, PublishAsked, PublishEnded
from manor_stream.rtmp.handshake import SIZE
from manor_stream.rtmp.messages import Message, MessageType, command, window_size
from manor_stream.rtmp.session import CHUNK_SIZE, WINDOW, Session, State
from tests.stream_rtmp import (
    AVC_HEADER,
    FRAME,
    HEVC_HEADER,
    KEY_FRAME,
    RANDOM,
    SHAKEN,
    SOUND,
    Heard,
    asks,
    commands,
    described,
    frame,
    publishing,
    shaken,
    some_media,
    statuses,
)


def test_the_handshake_sends_back_what_came() -> None:
    theirs = bytes(reversed(range(256))) * 6
    session = Session(RANDOM)
    session.receive(b"\x03" + theirs)

    assert session.next_event() is None
    assert session.data_to_send() == b"\x03" + bytes(8) + RANDOM + theirs

    session.receive(bytes(SIZE))
    session.next_event()
    assert session.state is State.CONNECTING


def test_an_encoder_that_connects_is_told_how_to_go_on() -> None:
    heard = shaken().messages(asks("live", "key")[0])

    assert heard.control(MessageType.WINDOW_SIZE) == [WINDOW.to_bytes(4, "big")]
    assert heard.control(MessageType.PEER_BANDWIDTH) == [WINDOW.to_bytes(4, "big") + b"\x02"]
    assert heard.control(MessageType.SET_CHUNK_SIZE) == [CHUNK_SIZE.to_bytes(4, "big")]
    [[name, transaction, _, told]] = commands(heard.answers)
    assert (name, transaction, told["code"]) == ("_result", 1, "NetConnection.Connect.Success")


def test_every_command_of_an_encoder_is_answered() -> None:
    heard = publishing()

    told = [(values[0], values[1]) for values in commands(heard.answers)]
    assert told == [("_result", 1), ("_result", 2), ("_result", 3), ("onFCPublish", 0), ("_result", 4), ("onStatus", 0)]
    [created] = [values for values in commands(heard.answers) if values[:2] == ["_result", 4]]
    assert created[3] == 1
    assert statuses(heard.answers) == [("status", "NetStream.Publish.Start", "Go ahead")]
    assert heard.control(MessageType.USER_CONTROL) == [bytes.fromhex("0000 00000001")]


def test_what_is_published_comes_out_as_it_went_in() -> None:
    heard = publishing().messages(
        described(width=1280, encoder="tests"),
        frame(Kind.VIDEO, 0, AVC_HEADER),
        frame(Kind.VIDEO, 40, KEY_FRAME),
        frame(Kind.AUDIO, 45, SOUND),
        frame(Kind.VIDEO, 80, FRAME),
    )

    assert heard.events == [
        PublishAsked("key"),
        Described({"width": 1280.0, "encoder": "tests"}),
        Media(Kind.VIDEO, 0, AVC_HEADER, is_header=True),
        Media(Kind.VIDEO, 0, KEY_FRAME, is_key_frame=True),
        Media(Kind.AUDIO, 5, SOUND),
        Media(Kind.VIDEO, 40, FRAME),
    ]


def test_it_does_not_matter_how_the_bytes_are_cut() -> None:
    sent = SHAKEN + in_chunks([*asks("live", "key"), described(width=1280), *some_media(0.2)], 128)
    at_once = Heard().hear(sent)
    one_by_one = Heard()
    for at, end in pairwise(range(len(sent) + 1)):
        one_by_one.hear(sent[at:end])

    assert one_by_one.events == at_once.events
    assert len(at_once.events) == 19


def test_metadata_may_come_without_the_order_to_keep_it() -> None:
    heard = publishing().messages(Message(MessageType.DATA, amf0.write("onMetaData", {"height": 720}), stream=1))

    assert heard.events[1:] == [Described({"height": 720.0})]


def test_other_data_goes_on_as_it_is() -> None:
    cue = amf0.write("onCuePoint", {"name": "here"})
    heard = publishing().messages(Message(MessageType.DATA, amf0.write("@setDataFrame") + cue, stream=1))

    assert heard.events[1:] == [Media(Kind.DATA, 0, cue)]


@pytest.mark.parametrize("first", [b"\0", b""])
def test_messages_of_amf_3_have_a_zero_first_or_none(first: bytes) -> None:
    def as_amf3(message: Message) -> Message:
        match message.kind:
            case MessageType.COMMAND:
                return Message(MessageType.COMMAND_AMF3, first + message.body, message.timestamp, message.stream)
            case MessageType.DATA:
                return Message(MessageType.DATA_AMF3, first + message.body, message.timestamp, message.stream)
            case _:
                return message

    heard = shaken().messages(*map(as_amf3, [*asks("live", "key"), described(width=1280)]))

    assert heard.events == [PublishAsked("key"), Described({"width": 1280.0})]


def test_enhanced_headers_are_known_for_what_they_are() -> None:
    heard = publishing().messages(frame(Kind.VIDEO, 0, HEVC_HEADER))

    [_, media] = heard.events
    assert isinstance(media, Media)
    assert (media.codec, media.is_header, media.is_enhanced) == ("H.265", True, True)


@pytest.mark.parametrize("last", ["FCUnpublish", "deleteStream", "closeStream"])
def test_an_encoder_says_when_it_stops(last: str) -> None:
    heard = publishing().messages(command(last, 6, None, "key"), frame(Kind.VIDEO, 40, FRAME))

    assert heard.events[1:] == [PublishEnded()]
    assert statuses(heard.answers)[1:] == [("status", "NetStream.Unpublish.Success", "Goodbye")]


def test_a_ping_is_answered() -> None:
    heard = publishing().messages(Message(MessageType.USER_CONTROL, bytes.fromhex("0006 01020304")))

    assert heard.control(MessageType.USER_CONTROL)[1:] == [bytes.fromhex("0007 01020304")]


def test_what_came_is_acknowledged_after_every_half_window() -> None:
    heard = publishing()
    for time in range(20):
        heard.messages(frame(Kind.VIDEO, time, bytes(200_000)))

    acknowledged = [int.from_bytes(body, "big") for body in heard.control(MessageType.ACKNOWLEDGEMENT)]
    assert [number // 1_250_000 for number in acknowledged] == [1, 2]


def test_an_encoder_says_how_often_it_wants_to_hear_that() -> None:
    heard = publishing().messages(window_size(100_000))
    for time in range(20):
        heard.messages(frame(Kind.VIDEO, time, bytes(50_000)))

    assert len(heard.control(MessageType.ACKNOWLEDGEMENT)) == 20


def test_a_window_of_nothing_is_as_large_as_ours() -> None:
    heard = publishing().messages(window_size(0), *some_media(1))

    assert heard.control(MessageType.ACKNOWLEDGEMENT) == []


@pytest.mark.parametrize("transaction", [0.0, -0.0, float("nan"), float("inf")])
def test_a_command_that_wants_no_answer_gets_none(transaction: float) -> None:
    heard = publishing()
    before = len(heard.answers)
    heard.messages(command("releaseStream", transaction, None, "key"))

    assert len(heard.answers) == before


# --- The key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "name", "key"),
    [
        ("live", "KEY", "KEY"),
        ("whatever", "KEY", "KEY"),
        ("live", "KEY?user=me&x=/y", "KEY"),
        ("live", "room/KEY", "KEY"),
        ("live/KEY", "", "KEY"),
        ("live/KEY/", "", "KEY"),
        ("live/KEY?x=1", "", "KEY"),
        ("/live/KEY", "", "KEY"),
        ("", "KEY", "KEY"),
        ("live", "KEY/", "KEY"),
        ("live", "KEY/?x=1", "KEY"),
        ("live", "", "live"),
        ("", "", ""),
        ("live", "with space", "with space"),
    ],
)
def test_the_key_is_what_stands_last(app: str, name: str, key: str) -> None:
    assert key_of(app, name) == key
    assert shaken().messages(*asks(app, name)).events == [PublishAsked(key)]
