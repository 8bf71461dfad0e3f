"""Who is connected: each with the channel that only they hear."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import trio

from manor import Channel, Closing, Entry, LiveService, Outlet, Source, Write
from manor_stream.chat.frames import PING, Told, encode
from manor_stream.events import ChatUser

CHANNEL = "stream:chat"

PING_SECONDS = 30.0

LAST_WORDS_SECONDS = 2.0
"""Until then a client has read why it is sent away, or is sent away without."""


class Feed(Source, Protocol):
    """A source that can be ended."""

    def end(self, closing: Closing) -> None:
        """End it, and say why."""
        ...


@dataclass(eq=False)
class Client:
    """One connection.

    Args:
        id: Its number; the same never again until the daemon starts anew.
        connected_at: When it came.
        address: Where from.
        user_agent: With which program.
        channel: What only this one is told.
        is_registered: Whether it came by `/ws`; by `/entry` if not.
        user: Who it is; None on `/entry` until they say something.
        message_count: What was sent.
        noticed_at: `trio.current_time()` of the last notice about something that was not taken.
        visit: Ends it.
    """

    id: int
    connected_at: datetime
    address: str
    user_agent: str
    channel: Channel
    is_registered: bool
    user: ChatUser | None = None
    message_count: int = 0
    noticed_at: float = float("-inf")
    visit: Visit | None = field(default=None, repr=False)

    def end(self, closing: Closing, last: Told | None = None) -> None:
        """Send it away, with a last frame that says why."""
        if self.visit is not None:
            self.visit.end(closing, last)


class Visit:
    """What one client hears, as a door wants it: it knows when the client comes and goes, and has a last word.

    Args:
        feed: What is heard.
        came: Called when it is heard from; may end it at once.
        left: Called once when it is over.

    Attributes:
        is_ended: Whether it was sent away.
    """

    def __init__(self, feed: Feed, came: Callable[[], None], left: Callable[[], None]) -> None:
        self._feed = feed
        self._came = came
        self._left: Callable[[], None] | None = left
        self._last: Entry | None = None
        self.is_ended = False

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Hear everything from here on."""
        self._feed.attach(outlet, cursor)
        self._came()

    def detach(self, outlet: Outlet) -> None:
        """Hear no more; twice does no harm."""
        self._feed.detach(outlet)
        left, self._left = self._left, None
        if left is not None:
            left()

    def pump(self, outlet: Outlet, write: Write) -> Coroutine[Any, Any, Closing]:
        """Write frames until it is ended, then the last word."""
        return self._pump(outlet, write)

    async def _pump(self, outlet: Outlet, write: Write) -> Closing:
        closing = await self._feed.pump(outlet, write)
        if self._last is not None:
            with trio.move_on_after(LAST_WORDS_SECONDS):
                await write(self._last.frame(outlet.wire))
        return closing

    def end(self, closing: Closing, last: Told | None = None) -> None:
        """End it; the first reason stays."""
        if self.is_ended:
            return
        self.is_ended = True
        if last is not None:
            self._last = told_to_one(last)
        self._feed.end(closing)


class Clients:
    """Those who are connected, and what they are told.

    Args:
        live: Where channels are.
    """

    def __init__(self, live: LiveService) -> None:
        self._live = live
        self._numbers = itertools.count(1)
        # One row of positions for all channels of the chat: a client hears two of them in one order. They are ours
        # alone, because nobody resumes a chat's socket; what was missed stands in the history.
        self._positions = itertools.count(1)
        self._clients: dict[int, Client] = {}
        self._by_user: dict[str, dict[int, Client]] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._clients.values()))

    def new(
        self, *, connected_at: datetime, address: str, user_agent: str, is_registered: bool, user: ChatUser | None
    ) -> Client:
        """A connection that is about to be heard from."""
        number = next(self._numbers)
        channel = self._live.channel(f"{CHANNEL}:{number}")
        return Client(number, connected_at, address, user_agent, channel, is_registered, user)

    @property
    def channel(self) -> Channel:
        """What everybody is told."""
        return self._live.channel(CHANNEL)

    def add(self, client: Client) -> None:
        """It is there."""
        self._clients[client.id] = client
        if client.user is not None:
            self._by_user.setdefault(client.user.id, {})[client.id] = client

    def remove(self, client: Client) -> None:
        """It is gone."""
        self._clients.pop(client.id, None)
        if client.user is not None:
            theirs = self._by_user.get(client.user.id, {})
            theirs.pop(client.id, None)
            if not theirs:
                self._by_user.pop(client.user.id, None)

    def find(self, number: int) -> Client | None:
        """The connection with that number."""
        return self._clients.get(number)

    def of(self, user_id: str) -> list[Client]:
        """All connections of somebody."""
        return list(self._by_user.get(user_id, {}).values())

    def know(self, client: Client, user: ChatUser) -> None:
        """Note who a connection is."""
        is_here = client.id in self._clients
        if is_here:
            self.remove(client)
        client.user = user
        if is_here:
            self.add(client)

    def tell(self, told: Told) -> None:
        """Tell everybody: encoded once."""
        channel = self._live.find(CHANNEL)
        if channel is not None:
            channel.append(_entry(next(self._positions), told))

    def tell_one(self, client: Client, told: Told) -> None:
        """Tell one alone."""
        client.channel.append(_entry(next(self._positions), told))


def told_to_one(told: Told) -> Entry:
    """A frame outside of all channels: a greeting, or a last word."""
    return _entry(0, told)


_PING = Entry(0, "PING", b"", text=PING)


def ping() -> Entry:
    """The same for everybody, at any time."""
    return _PING


def _entry(position: int, told: Told) -> Entry:
    data = encode(told)
    return Entry(position, "", data, text=data)
