"""One encoder's connection: bytes between its socket and the protocol, with a deadline on every wait."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from manor import Address, RateLimiter, TooManyRequests
from manor_stream.broadcast.service import Busy, Publisher, Unplayable
from manor_stream.ingest.bitrate import SECONDS, Bitrate
from manor_stream.ingest.counting import IngestMetrics
from manor_stream.logbook import Logbook
from manor_stream.media import Media
from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.events import Described, PublishAsked, PublishEnded
from manor_stream.rtmp.handshake import RANDOM_SIZE
from manor_stream.rtmp.session import CHUNK_SIZE, Session, State

READ_SIZE = 65_536

MOST_HALF_OPEN = 64
"""Connections that have not published yet."""

MOST_HALF_OPEN_OF_ADDRESS = 8

WRONG_KEY = "The stream key is wrong"
STOPPING = "The server stops"
HUNG_UP = "the encoder hung up"


@dataclass(frozen=True)
class Patience:
    """How long a connection is waited for; all times in seconds.

    Args:
        publish: From connecting to the stream key, whatever comes in between.
        idle: For anything at all from an encoder that publishes.
        write: For it to take what is said to it, which is little.
        farewell: For it to read why it is sent away.
        goodbye: For one that has ended the stream to hang up: some take it for a failure when the server does.
    """

    publish: float = 5.0
    idle: float = 8.0
    write: float = 2.0
    farewell: float = 0.2
    goodbye: float = 1.0


class Intake(Protocol):
    """Takes what one encoder publishes; `manor_stream.broadcast.intake.Intake` is one."""

    def describe(self, raw: Mapping[str, Any], /) -> None:
        """What it says of its media."""
        ...

    async def take(self, media: Media, /) -> None:
        """Take one frame; waits when frames come faster than they can be used. Raises Unplayable."""
        ...

    def gone(self, reason: str, /) -> None:
        """It has left."""
        ...


class Broadcasts(Protocol):
    """Knows whether somebody may publish now; `manor_stream.broadcast.service.Broadcasts` does."""

    def accept(self, publisher: Publisher, /) -> Intake:
        """Take what it publishes from now on. Raises Busy."""
        ...


@dataclass(frozen=True)
class Reception:
    """What every connection needs.

    Args:
        check_key: `(key, address)`: whether it is the key; raises TooManyRequests for who guesses.
        broadcasts: Take what is published.
        logbook: For the admin.
        limits: Count connections that have not published yet.
        counted: The metrics.
        most_bits: What an encoder may send in a second, in the long run.
        patience: Deadlines.
        chunk_size: What is announced; ffmpeg makes its own chunks as large.
    """

    check_key: Callable[[str, str], bool]
    broadcasts: Broadcasts
    logbook: Logbook
    limits: RateLimiter
    counted: IngestMetrics
    most_bits: int
    patience: Patience = field(default_factory=Patience)
    chunk_size: int = CHUNK_SIZE


class _SentAway(Exception):  # the way out of the conversation; never leaves this module
    """The connection ends here. The text says why, for the encoder and for the admin."""


class Encoder:
    """Serves one encoder until one of the two has enough. To the broadcast it is the publisher.

    Args:
        stream: The connection.
        address: Where it comes from.
        reception: What it needs.

    Attributes:
        address: Where it comes from.
    """

    def __init__(self, stream: trio.abc.Stream, address: str, reception: Reception) -> None:
        self.address = address
        self._stream = stream
        self._reception = reception
        self._session = Session(secrets.token_bytes(RANDOM_SIZE), chunk_size=reception.chunk_size)
        self._scope = trio.CancelScope()
        self._publish_by = trio.current_time() + reception.patience.publish
        self._bitrate = Bitrate(reception.most_bits, trio.current_time())
        self._waiting_since: float | None = None
        self._intake: Intake | None = None
        self._half_open = ExitStack()
        self._dropped_for = ""
        self._has_ended = False

    def silent_seconds(self) -> float:
        """For how long nothing has come from it. The time in which it is not listened to does not count."""
        return 0.0 if self._waiting_since is None else trio.current_time() - self._waiting_since

    def drop(self, reason: str) -> None:
        """Tell it why, and hang up."""
        self._dropped_for = self._dropped_for or reason
        self._scope.cancel()

    async def serve(self) -> None:
        """Hear it to the end."""
        reason = STOPPING
        try:
            with self._half_open, self._scope:
                reason = await self._conversation()
            if self._scope.cancelled_caught:
                reason = self._dropped_for
        finally:
            # Also when the house closes: viewers' players and encoders are told rather than cut off.
            patience = self._reception.patience
            parting = patience.goodbye if self._has_ended else patience.farewell
            with trio.CancelScope(deadline=trio.current_time() + patience.write + parting, shield=True):
                await self._leave(reason, parting)

    async def _conversation(self) -> str:
        """Why it has ended."""
        try:
            self._enter()
            return await self._publish()
        except _SentAway as sent_away:
            return str(sent_away)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return HUNG_UP

    def _enter(self) -> None:
        try:
            for who, most in ((Address(self.address), MOST_HALF_OPEN_OF_ADDRESS), ("", MOST_HALF_OPEN)):
                self._half_open.enter_context(self._reception.limits.hold("connections of encoders", who, most))
        except TooManyRequests as crowd:
            raise self._sent_away("crowd", str(crowd)) from None

    async def _publish(self) -> str:
        session = self._session
        while True:
            try:
                event = session.next_event()
            except ProtocolError as error:
                raise self._sent_away("protocol", f"It does not speak RTMP as it should: {error}") from error
            if event is None and session.state is State.OVER:
                raise self._sent_away("protocol", "It does not publish")
            await self._send(session.data_to_send())
            match event:
                case Media():
                    await self._take(event)
                case None:
                    data = await self._receive()
                    if not data:
                        return HUNG_UP
                    session.receive(data)
                case PublishAsked(key):
                    self._accept(key)
                case Described(values) if self._intake is not None:
                    self._intake.describe(values)
                case PublishEnded():
                    self._has_ended = True
                    return "the encoder ended the stream"

    def _accept(self, key: str) -> None:
        try:
            if not self._reception.check_key(key, self.address):
                raise self._refused("key", WRONG_KEY)
            self._intake = self._reception.broadcasts.accept(self)
        except TooManyRequests as guesses:
            raise self._refused("guesses", str(guesses)) from None
        except Busy as busy:
            raise self._refused("busy", str(busy)) from None
        self._half_open.close()
        self._bitrate = Bitrate(self._reception.most_bits, trio.current_time())
        self._session.accept()

    async def _take(self, media: Media) -> None:
        if self._intake is None:
            return
        try:
            await self._intake.take(media)
        except Unplayable as unplayable:
            raise self._sent_away("unplayable", str(unplayable)) from None

    # --- The socket ------------------------------------------------------------------------------------------------

    async def _receive(self) -> bytes:
        patience, is_publishing = self._reception.patience, self._intake is not None
        now = trio.current_time()
        data = b""
        with trio.move_on_at(now + patience.idle if is_publishing else self._publish_by) as waiting:
            self._waiting_since = now
            data = bytes(await self._stream.receive_some(READ_SIZE))
            self._waiting_since = None
        if waiting.cancelled_caught:
            why = f"Nothing came for {patience.idle:g} s" if is_publishing else "No stream key came in time"
            raise self._sent_away("slow", why)
        if is_publishing:
            self._reception.counted.note_received(len(data))
            if self._bitrate.exceeds(len(data), trio.current_time()):
                most = self._reception.most_bits / 1_000_000
                raise self._sent_away("fast", f"More than {most:g} Mbit/s came for {SECONDS:g} s; lower the bitrate")
        return data

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        with trio.move_on_after(self._reception.patience.write) as waiting:
            await self._stream.send_all(data)
        if waiting.cancelled_caught:
            raise self._sent_away("slow", "It does not read what it is told")

    def _refused(self, kind: str, reason: str) -> _SentAway:
        self._session.refuse(reason)
        if kind != "guesses":
            # Who goes on guessing fills no log.
            self._reception.logbook.warning(f"An encoder at {self.address} was refused: {reason}")
        return self._sent_away(kind, reason)

    def _sent_away(self, kind: str, reason: str) -> _SentAway:
        self._reception.counted.note_refused(kind)
        return _SentAway(reason)

    async def _leave(self, reason: str, parting: float) -> None:
        if self._intake is not None:
            self._intake.gone(reason)
            self._reception.logbook.info(f"The encoder at {self.address} is gone: {reason}")
        self._session.drop(reason)
        data = self._session.data_to_send()
        try:
            if data:
                await self._stream.send_all(data)
            if data or self._has_ended:
                # Closing with unread bytes in the socket resets the connection, and the text may be lost with it.
                with trio.move_on_after(parting):
                    while await self._stream.receive_some(READ_SIZE):
                        pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(self._stream)
