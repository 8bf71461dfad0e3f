"""One encoder's session, from the handshake to the last frame: bytes in, events out, and what to answer."""

from __future__ import annotations

import enum
import math
from typing import Any

from manor_stream.media import Kind, Media
from manor_stream.rtmp import amf0, messages
from manor_stream.rtmp.chunks import FIRST_CHUNK_SIZE, ChunkReader, in_chunks
from manor_stream.rtmp.commands import Command, key_of, read_command
from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.events import Described, Event, PublishAsked, PublishEnded
from manor_stream.rtmp.handshake import Handshake
from manor_stream.rtmp.messages import Message, MessageType, UserControl
from manor_stream.rtmp.timeline import Timeline

CHUNK_SIZE = 60_000
"""Of what we send, which is little; ffmpeg makes its own chunks as large as the server's."""

WINDOW = 2_500_000
"""Bytes after which either side wants to hear from the other."""

MOST_BEFORE_PUBLISH = 128 << 10
"""Bytes until it asks to publish, which takes four thousand."""

MOST_COMMANDS = 16 << 10
"""Bytes of messages until it asks to publish, which take one thousand; each counts for `LEAST_MESSAGE` at least.

A message may take a single byte of the network, and a value of AMF 0 too, but ten microseconds and two to read."""

LEAST_MESSAGE = 64

STREAM = 1
"""The message stream that everybody is given: one publishes one stream."""

_SET_DATA_FRAME = "@setDataFrame"
_METADATA = "onMetaData"


class State(enum.Enum):
    """How far it is."""

    SHAKING_HANDS = "shaking hands"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ASKING = "asking"
    PUBLISHING = "publishing"
    OVER = "over"


_BEFORE_PUBLISH = (State.SHAKING_HANDS, State.CONNECTING, State.CONNECTED)


class Session:
    """The server's side of RTMP with an encoder.

    After `receive`, ask for `next_event` until it is None, and send what `data_to_send` has in between: what comes
    after an event is not read before the next one is asked for, so an answer to it counts for all of that.

    Args:
        random: `handshake.RANDOM_SIZE` bytes that nobody foresees.
        chunk_size: What is announced.

    Attributes:
        state: How far it is.
    """

    def __init__(self, random: bytes, *, chunk_size: int = CHUNK_SIZE) -> None:
        self.state = State.SHAKING_HANDS
        self._handshake = Handshake(random)
        self._chunks = ChunkReader()
        self._timeline = Timeline()
        self._announced_chunk_size = chunk_size
        self._chunk_size = FIRST_CHUNK_SIZE
        self._out = bytearray()
        self._app = ""
        self._commands = 0
        self._received = 0
        self._acknowledged = 0
        self._window = WINDOW

    def receive(self, data: bytes) -> None:
        """Take what came from the network."""
        self._received += len(data)
        if self.state is not State.OVER:
            self._chunks.receive(data)

    def next_event(self) -> Event | None:
        """What the encoder does next, or None until more has come.

        Raises:
            ProtocolError: It does not speak RTMP. The session is over.
        """
        try:
            return self._next_event()
        except ProtocolError:
            self.state = State.OVER
            raise

    def data_to_send(self) -> bytes:
        """What belongs on the network now; each byte is returned once."""
        if self._received - self._acknowledged >= max(1, self._window // 2) and self.state is not State.SHAKING_HANDS:
            self._acknowledged = self._received
            self._say(messages.acknowledgement(self._received))
        data = bytes(self._out)
        self._out.clear()
        return data

    def accept(self) -> None:
        """Have the encoder publish, after `PublishAsked`."""
        self.state = State.PUBLISHING
        self._chunks.takes_media = True
        self._say(
            messages.stream_begin(STREAM),
            messages.status("status", "NetStream.Publish.Start", "Go ahead", stream=STREAM),
        )

    def refuse(self, reason: str) -> None:
        """Have it not publish, after `PublishAsked`. Nothing else that it sends counts."""
        self._end("NetStream.Publish.BadName", reason)

    def drop(self, reason: str) -> None:
        """End it at any time. Only an encoder that has come as far as to publish can be told why."""
        if self.state in (State.ASKING, State.PUBLISHING):
            self._end("NetStream.Failed", reason)
        self.state = State.OVER

    # --- What comes ------------------------------------------------------------------------------------------------

    def _next_event(self) -> Event | None:
        if self.state in _BEFORE_PUBLISH and self._received > MOST_BEFORE_PUBLISH:
            raise ProtocolError(f"{self._received} bytes without asking to publish")
        if self.state is State.SHAKING_HANDS:
            self._out += self._handshake.proceed(self._chunks.buffer)
            if not self._handshake.is_over:
                return None
            self.state = State.CONNECTING
        while self.state is not State.OVER:
            message = self._chunks.next_message()
            if message is None:
                return None
            if self.state in _BEFORE_PUBLISH:
                self._weigh(message)
            event = self._hear(message)
            if event is not None:
                return event
        return None

    def _weigh(self, message: Message) -> None:
        self._commands += max(LEAST_MESSAGE, len(message.body))
        if self._commands > MOST_COMMANDS:
            raise ProtocolError(f"{self._commands} bytes of messages without asking to publish")

    def _hear(self, message: Message) -> Event | None:
        match message.kind:
            case MessageType.AUDIO | MessageType.VIDEO:
                return self._media(message)
            case MessageType.COMMAND | MessageType.COMMAND_AMF3:
                return self._obey(read_command(_as_amf0(message)))
            case MessageType.DATA | MessageType.DATA_AMF3:
                return self._data(message)
            case MessageType.WINDOW_SIZE if len(message.body) >= 4:
                self._window = int.from_bytes(message.body[:4], "big") or WINDOW
            case MessageType.USER_CONTROL if message.body[:2] == UserControl.PING.to_bytes(2, "big"):
                self._say(messages.pong(message.body[2:6]))
        return None

    def _media(self, message: Message) -> Media | None:
        if self.state is not State.PUBLISHING:
            raise ProtocolError("a frame came before it was asked for")
        if not message.body:
            return None
        media = Media.of(Kind(message.kind), 0, message.body)
        time = self._timeline.place(media.kind, message.timestamp, is_frame=not media.is_header)
        return Media(media.kind, time, media.data, media.is_header, media.is_key_frame)

    def _data(self, message: Message) -> Event | None:
        if self.state is not State.PUBLISHING:
            return None
        body = _as_amf0(message)
        name, rest = amf0.read_string(body)
        if name == _SET_DATA_FRAME:
            # An order to the server, to keep what follows; players are sent the rest.
            body = body[rest:]
            name, _ = amf0.read_string(body)
        if name == _METADATA:
            _, *values = amf0.read_all(body)
            return Described(next((value for value in values if isinstance(value, dict)), {}))
        return Media.of(Kind.DATA, self._timeline.place(Kind.DATA, message.timestamp, is_frame=False), body)

    # --- Commands --------------------------------------------------------------------------------------------------

    def _obey(self, command: Command) -> Event | None:
        if command.name == "connect":
            self._connect(command)
            return None
        if self.state is State.CONNECTING:
            raise ProtocolError("a command came before connect")
        match command.name:
            case "createStream":
                self._answer(command, STREAM)
            case "releaseStream":
                self._answer(command, None)
            case "FCPublish":
                self._answer(command, None)
                self._say(messages.command("onFCPublish", 0, None, _told("NetStream.Publish.Start", "Go ahead")))
            case "publish":
                return self._publish(command)
            case "FCUnpublish":
                self._answer(command, None)
                return self._unpublish()
            case "deleteStream" | "closeStream":
                return self._unpublish()
            case "play" | "play2":
                self._end("NetStream.Play.Failed", "This server takes streams by RTMP; they are watched in a browser")
        return None

    def _connect(self, command: Command) -> None:
        if self.state is not State.CONNECTING:
            raise ProtocolError("connect came twice")
        self._app = command.text_of("app")
        self._say(messages.window_size(WINDOW), messages.peer_bandwidth(WINDOW))
        self._say(messages.set_chunk_size(self._announced_chunk_size))
        self._chunk_size = self._announced_chunk_size
        told = _told("NetConnection.Connect.Success", "Connected") | {"objectEncoding": 0}
        self._say(
            messages.command("_result", command.transaction, {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31}, told)
        )
        self.state = State.CONNECTED

    def _publish(self, command: Command) -> PublishAsked:
        if self.state is not State.CONNECTED:
            raise ProtocolError("publish came twice")
        self.state = State.ASKING
        return PublishAsked(key_of(self._app, command.first_text))

    def _unpublish(self) -> PublishEnded | None:
        if self.state is not State.PUBLISHING:
            return None
        self.state = State.OVER
        self._say(messages.status("status", "NetStream.Unpublish.Success", "Goodbye", stream=STREAM))
        return PublishEnded()

    # --- What is said ----------------------------------------------------------------------------------------------

    def _answer(self, command: Command, value: amf0.Value) -> None:
        if math.isfinite(command.transaction) and command.transaction:
            self._say(messages.command("_result", command.transaction, None, value))

    def _end(self, code: str, reason: str) -> None:
        self.state = State.OVER
        self._say(messages.status("error", code, reason, stream=STREAM))

    def _say(self, *said: Message) -> None:
        self._out += in_chunks(said, self._chunk_size)


def _told(code: str, description: str) -> dict[str, Any]:
    return {"level": "status", "code": code, "description": description}


def _as_amf0(message: Message) -> bytes:
    # The AMF 3 forms have a zero first, and then AMF 0 all the same; not every encoder sends that zero.
    is_amf3 = message.kind in (MessageType.COMMAND_AMF3, MessageType.DATA_AMF3)
    return message.body[1:] if is_amf3 and message.body[:1] == b"\0" else message.body
