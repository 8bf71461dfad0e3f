"""Encoders that are sent away, and how much is heard of them before."""

from __future__ import annotations

import pytest

from manor_stream.media import Kind, Media
from manor_stream.rtmp import amf0
from manor_stream.rtmp.chunks import in_chunks
from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.events import PublishAsked
from manor_stream.rtmp.handshake import SIZE
from manor_stream.rtmp.messages import Message, MessageType, command
from manor_stream.rtmp.session import LEAST_MESSAGE, MOST_COMMANDS, Session, State
from tests.stream_rtmp import (
    KEY_FRAME,
    RANDOM,
    SHAKEN,
    Answers,
    Heard,
    asks,
    frame,
    publishing,
    shaken,
    some_media,
    statuses,
)


def asking() -> Session:
    session = Session(RANDOM)
    session.receive(SHAKEN + in_chunks([*asks("live", "key"), *some_media(0.1)], 128))
    assert session.next_event() == PublishAsked("key")
    session.data_to_send()
    return session


def said(session: Session) -> list[tuple[str, str, str]]:
    reader = Answers()
    reader.read(bytes(1 + 2 * SIZE))
    return statuses(reader.read(session.data_to_send()))


def test_a_refused_encoder_reads_why_and_is_not_heard() -> None:
    session = asking()
    session.refuse("The stream key is wrong")

    assert said(session) == [("error", "NetStream.Publish.BadName", "The stream key is wrong")]
    assert session.next_event() is None
    session.receive(in_chunks(some_media(1), 128))
    assert session.next_event() is None
    assert session.state is State.OVER


def test_what_was_sent_along_counts_once_it_is_accepted() -> None:
    session = asking()
    session.accept()

    assert isinstance(session.next_event(), Media)


def test_a_publisher_that_is_dropped_reads_why() -> None:
    session = asking()
    session.accept()
    session.data_to_send()
    session.drop("The server stops")

    assert said(session) == [("error", "NetStream.Failed", "The server stops")]
    assert session.next_event() is None


def test_one_that_has_asked_and_is_dropped_reads_why() -> None:
    session = asking()
    session.drop("The server stops")

    assert said(session) == [("error", "NetStream.Failed", "The server stops")]


def test_before_it_asks_nobody_can_be_told() -> None:
    session = Session(RANDOM)
    session.drop("The server stops")

    assert session.data_to_send() == b""


@pytest.mark.parametrize("name", ["play", "play2"])
def test_players_are_told_where_to_watch(name: str) -> None:
    heard = shaken().messages(asks("live", "")[0], command(name, 2, None, "key"))

    [(level, code, text)] = statuses(heard.answers)
    assert (level, code) == ("error", "NetStream.Play.Failed")
    assert "browser" in text
    assert heard.session.state is State.OVER


@pytest.mark.parametrize(
    "start",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x06" + bytes(SIZE), b"\0", b"\xff"],
    ids=["HTTP", "TLS", "RTMPE", "zero", "noise"],
)
def test_another_protocol_is_known_by_its_first_byte(start: bytes) -> None:
    with pytest.raises(ProtocolError, match="not RTMP"):
        Heard().hear(start)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([frame(Kind.VIDEO, 0, KEY_FRAME)], "before it was asked for"),
        ([command("createStream", 1, None)], "before connect"),
        ([command("connect", 1, {}), command("connect", 2, {})], "connect came twice"),
        ([*asks("live", "key"), command("publish", 6, None, "key")], "publish came twice"),
        ([Message(MessageType.COMMAND, b"")], "without its name"),
        ([Message(MessageType.COMMAND, amf0.write("connect"))], "without its name"),
        ([Message(MessageType.COMMAND, amf0.write(1, "connect"))], "without its name"),
        ([Message(MessageType.COMMAND, b"\x02\0\xffabc")], "before its time"),
        ([*asks("live", "key"), Message(MessageType.DATA, amf0.write(1))], "without its name"),
        ([*asks("live", "key"), Message(MessageType.DATA, b"\x02\0\x0aonMetaData\x03")], "before its time"),
    ],
)
def test_what_no_encoder_says_ends_the_session(messages: list[Message], text: str) -> None:
    heard = shaken()

    with pytest.raises(ProtocolError, match=text):
        heard.messages(*messages)
    assert heard.session.state is State.OVER


@pytest.mark.parametrize(
    ("message", "most"),
    [
        (Message(MessageType.USER_CONTROL, bytes.fromhex("0006 01020304")), MOST_COMMANDS // LEAST_MESSAGE),
        (Message(MessageType.ACKNOWLEDGEMENT, bytes(4)), MOST_COMMANDS // LEAST_MESSAGE),
        (Message(22, b""), MOST_COMMANDS // LEAST_MESSAGE),
        (Message(22, bytes(8_192)), 2),
    ],
)
def test_little_may_be_said_before_it_asks_to_publish(message: Message, most: int) -> None:
    shaken().messages(*[message] * most)
    with pytest.raises(ProtocolError, match="of messages without asking to publish"):
        shaken().messages(*[message] * (most + 1))
    # Connecting does not make it more.
    connected = shaken().messages(asks("live", "key")[0])
    with pytest.raises(ProtocolError, match="of messages without asking to publish"):
        connected.messages(*[message] * most)


def test_what_comes_without_a_message_is_bounded_too() -> None:
    # Messages are begun and not ended, or not even begun.
    begun = b"".join(bytes([number]) + b"\0\0\0\0\xff\xff\x14" + bytes(4 + 128) for number in range(3, 64))
    going_on = b"".join(bytes([0xC0 | number]) + bytes(128) for number in range(3, 64))
    heard = shaken().hear(begun + 14 * going_on)

    with pytest.raises(ProtocolError, match="bytes without asking to publish"):
        heard.hear(going_on + going_on)


def test_media_may_follow_without_waiting_for_an_answer() -> None:
    heard = shaken().hear(in_chunks([*asks("live", "key"), frame(Kind.VIDEO, 0, KEY_FRAME + bytes(60_000))], 128))

    assert isinstance(heard.events[-1], Media)


def test_the_key_is_in_no_traceback() -> None:
    assert "hush" not in repr(PublishAsked("hush"))


@pytest.mark.parametrize(
    "message",
    [
        Message(MessageType.ACKNOWLEDGEMENT, bytes(4)),
        Message(MessageType.WINDOW_SIZE, b"\0"),
        Message(MessageType.WINDOW_SIZE, bytes(4)),
        Message(MessageType.USER_CONTROL, b"\0"),
        Message(MessageType.USER_CONTROL, b"\0\x03" + bytes(8)),
        Message(MessageType.PEER_BANDWIDTH, b""),
        Message(22, b"an aggregate"),
        Message(0, b""),
        Message(255, b"nothing"),
        Message(MessageType.VIDEO, b"", 0, 1),
        command("_checkbw", 9, None),
        command("getStreamLength", 9, None, "key"),
        command("releaseStream", float("nan"), None, "key"),
    ],
)
def test_what_means_nothing_here_does_no_harm(message: Message) -> None:
    heard = publishing().messages(message, frame(Kind.VIDEO, 0, KEY_FRAME))

    assert len(heard.events) == 2
