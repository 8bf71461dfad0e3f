"""One publisher's way into the broadcast."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from manor_stream.broadcast.codecs import refusal
from manor_stream.broadcast.feed import Feed, FeedClosed
from manor_stream.broadcast.metadata import read_metadata
from manor_stream.media import Kind, Media
from manor_stream.on_air import Metadata
from manor_stream.quality import Quality
from manor_stream.transcoding.abilities import Abilities, NoFfmpeg


class Publisher(Protocol):
    """Who sends a broadcast, as the ingest knows them."""

    @property
    def address(self) -> str:
        """Where they come from."""
        ...

    def silent_seconds(self) -> float:
        """For how long nothing has come."""
        ...

    def drop(self, reason: str) -> None:
        """Ask the ingest to say why, and to close the connection. Synchronous; twice does no harm."""
        ...


class Unplayable(Exception):
    """What is sent cannot be broadcast; the text says to the publisher why."""


class Intake:
    """Takes what one publisher sends.

    Args:
        publisher: Who sends.
        name: What they call themselves; "" for nothing.
        qualities: What the broadcast is encoded in.
        ask_abilities: Knows what this server's ffmpeg can do.
        on_full: Called when the encoder has been behind for some seconds.
    """

    def __init__(
        self,
        publisher: Publisher,
        name: str,
        *,
        qualities: tuple[Quality, ...],
        ask_abilities: Callable[[], Awaitable[Abilities]],
        on_full: Callable[[], None],
    ) -> None:
        self.publisher = publisher
        self.name = name
        self.feed = Feed(on_full)
        self.metadata = Metadata()
        self.abilities: Abilities | None = None
        self.end_reason = ""
        self._qualities = qualities
        self._ask_abilities = ask_abilities
        self._known: set[Kind] = set()

    def describe(self, raw: Mapping[str, Any]) -> None:
        """What the publisher says of its media: `onMetaData` as it was sent."""
        self.metadata = read_metadata(raw)

    async def take(self, media: Media) -> None:
        """Take one tag; waits while the encoder is behind.

        Raises:
            Unplayable: This server cannot broadcast it, or takes nothing from this publisher any more.
        """
        if self.abilities is None:
            try:
                self.abilities = await self._ask_abilities()
            except NoFfmpeg as error:
                raise Unplayable(str(error)) from error
        if media.kind is Kind.DATA or not media.data:
            return
        if media.is_header or media.kind not in self._known:
            reason = refusal(media, self.abilities, self._qualities)
            if reason:
                raise Unplayable(reason)
            self._known.add(media.kind)
        try:
            await self.feed.put(media)
        except FeedClosed:
            raise Unplayable(self.end_reason or "The broadcast is over") from None

    def gone(self, reason: str) -> None:
        """The publisher has left; what they sent is still encoded. Twice does no harm."""
        if not self.is_gone:
            self.end_reason = reason or "The publisher left"
            self.feed.close()

    def drop(self, reason: str) -> None:
        """Send the publisher away; what they sent and nobody has encoded is forgotten."""
        self.gone(reason)
        self.feed.close(is_emptied=True)
        self.publisher.drop(reason)

    @property
    def is_gone(self) -> bool:
        """Whether nothing more comes."""
        return bool(self.end_reason)
