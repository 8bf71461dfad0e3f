"""An encoder for tests: speaks RTMP from the other side, over whatever carries bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from manor_stream.media import Kind
from manor_stream.rtmp import amf0
from manor_stream.rtmp.chunks import FIRST_CHUNK_SIZE, ChunkReader, in_chunks
from manor_stream.rtmp.events import Event, PublishAsked
from manor_stream.rtmp.handshake import RANDOM_SIZE, SIZE
from manor_stream.rtmp.messages import Message, MessageType, command, set_chunk_size, window_size
from manor_stream.rtmp.session import Session

HELLO = b"\x03" + bytes(SIZE)
"""What an encoder sends first."""
SHAKEN = HELLO + bytes(SIZE)
"""The whole of its handshake."""

RANDOM = (bytes(range(256)) * 6)[:RANDOM_SIZE]

AVC_HEADER = bytes.fromhex("1700000000014d400bffe1000a674d400bda0a0f690801000428ce0f2c80")
"""An H.264 sequence header, and frames that only look like some."""
AAC_HEADER = bytes.fromhex("af00121056e500")
KEY_FRAME = b"\x17\x01\0\0\0" + bytes(range(200))
FRAME = b"\x27\x01\0\0\0" + bytes(range(100))
SOUND = b"\xaf\x01" + bytes(range(60))

HEVC_HEADER = b"\x90hvc1" + bytes(20)
"""The same of H.265, as Enhanced RTMP has it."""


def asks(app: str, name: str) -> list[Message]:
    """What an encoder says until it may publish."""
    return [
        command(
            "connect", 1, {"app": app, "type": "nonprivate", "flashVer": "tests", "tcUrl": "rtmp://localhost/live"}
        ),
        window_size(2_500_000),
        command("releaseStream", 2, None, name),
        command("FCPublish", 3, None, name),
        command("createStream", 4, None),
        command("publish", 5, None, name, "live", stream=1),
    ]


def described(**values: Any) -> Message:
    """What it says of its media."""
    return Message(MessageType.DATA, amf0.write("@setDataFrame", "onMetaData", values), stream=1)


def frame(kind: Kind, timestamp: int, body: bytes) -> Message:
    """A frame or a header."""
    return Message(kind.value, body, timestamp, 1)


def some_media(seconds: float = 1.0, *, begin: int = 0) -> list[Message]:
    """Headers, then video at 25 and sound at 50 frames a second."""
    found = [frame(Kind.VIDEO, 0, AVC_HEADER), frame(Kind.AUDIO, 0, AAC_HEADER)]
    for time in range(begin, begin + int(seconds * 1000), 20):
        if time % 40 == 0:
            found.append(frame(Kind.VIDEO, time, FRAME if time % 1000 else KEY_FRAME))
        found.append(frame(Kind.AUDIO, time, SOUND))
    return found


class Answers:
    """Reads what a server says."""

    def __init__(self) -> None:
        self._chunks = ChunkReader()
        self._missing = 1 + 2 * SIZE

    def read(self, data: bytes) -> list[Message]:
        """The messages in it, the handshake left out."""
        skipped = min(self._missing, len(data))
        self._missing -= skipped
        self._chunks.receive(data[skipped:])
        found = []
        while (message := self._chunks.next_message()) is not None:
            found.append(message)
        return found


def commands(messages: Sequence[Message]) -> list[list[Any]]:
    """The commands among them, as their values."""
    return [amf0.read_all(message.body) for message in messages if message.kind == MessageType.COMMAND]


def statuses(messages: Sequence[Message]) -> list[tuple[str, str, str]]:
    """What is said of the stream: level, code and description."""
    told = [values[3] for values in commands(messages) if values[0] == "onStatus"]
    return [(each["level"], each["code"], each["description"]) for each in told]


class TestEncoder:
    """Publishes over a stream.

    Args:
        stream: Leads to the server.
        chunk_size: Of what it sends.
    """

    __test__ = False

    def __init__(self, stream: trio.abc.Stream, *, chunk_size: int = 4096) -> None:
        self.stream = stream
        self.heard: list[Message] = []
        self._answers = Answers()
        self._chunk_size = chunk_size

    async def publish(self, name: str, *, app: str = "live") -> tuple[str, str, str]:
        """Ask to; returns the status that this is answered with."""
        await self.stream.send_all(
            HELLO + bytes(SIZE) + in_chunks([set_chunk_size(self._chunk_size)], FIRST_CHUNK_SIZE)
        )
        await self.send(*asks(app, name))
        return await self.status()

    async def send(self, *messages: Message) -> None:
        """Send messages."""
        await self.stream.send_all(in_chunks(messages, self._chunk_size))

    async def status(self) -> tuple[str, str, str]:
        """The next status; the server may say other things before."""
        while not (told := statuses(self.heard)):
            data = await self.stream.receive_some(65_536)
            assert data, "the server hung up without a status"
            self.heard += self._answers.read(bytes(data))
        self.heard.clear()
        return told[0]

    async def is_hung_up(self) -> bool:
        """Wait for the server to hang up; everything that it says before is kept."""
        try:
            while data := await self.stream.receive_some(65_536):
                self.heard += self._answers.read(bytes(data))
        except trio.BrokenResourceError:
            pass
        return True


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[TestEncoder]:
    """An encoder over a real socket."""
    async with await trio.open_tcp_stream(*address) as stream:
        yield TestEncoder(stream)


class Heard:
    """A session, and both what it makes of bytes and what it answers."""

    def __init__(self) -> None:
        self.session = Session(RANDOM)
        self.events: list[Event] = []
        self.answers: list[Message] = []
        self._reader = Answers()

    def hear(self, data: bytes) -> Heard:
        """What the network brings."""
        self.session.receive(data)
        while True:
            event = self.session.next_event()
            self.answers += self._reader.read(self.session.data_to_send())
            if event is None:
                return self
            self.events.append(event)
            if isinstance(event, PublishAsked):
                self.session.accept()

    def messages(self, *messages: Message) -> Heard:
        """The same in chunks."""
        return self.hear(in_chunks(messages, 128))

    def control(self, kind: MessageType) -> list[bytes]:
        """The bodies of what was answered in messages of this kind."""
        return [message.body for message in self.answers if message.kind == kind]


def shaken() -> Heard:
    """A session after the handshake."""
    return Heard().hear(SHAKEN)


def publishing(name: str = "key") -> Heard:
    """A session that takes media."""
    return shaken().messages(*asks("live", name))
