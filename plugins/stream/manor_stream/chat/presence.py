"""Who came and who left, told while a broadcast is on; and the welcome."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from manor import Clock, Refused, Storage, Transaction, new_id
from manor_stream.chat import frames
from manor_stream.chat.clients import Client, Clients
from manor_stream.chat.rendering import render
from manor_stream.events import ChatUser, ChatUserJoined, ChatUserParted
from manor_stream.on_air import OnAir
from manor_stream.settings import Settings
from manor_stream.watching.emoji import emoji_paths

WELCOME_SECONDS = 7.0
PARTED_SECONDS = 10.0
"""Somebody who comes back in this time was never gone."""

T = TypeVar("T")


class Delayed(Generic[T]):
    """Does one thing with each of many, always the same time after it was put in: they come out as they went in.

    Args:
        seconds: How long.
        act: What is done.
    """

    def __init__(self, seconds: float, act: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._waiting: deque[tuple[float, T]] = deque()
        self._has_some = trio.Event()

    def put(self, item: T) -> None:
        """Have it done with this, too."""
        self._waiting.append((trio.current_time() + self._seconds, item))
        self._has_some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._has_some.wait()
            due, item = self._waiting[0]
            await trio.sleep_until(due)
            self._waiting.popleft()
            if not self._waiting:
                self._has_some = trio.Event()
            self._act(item)


class Presence:
    """Notes comings and goings.

    Args:
        storage: Tells events.
        clients: Who is connected.
        settings: Have the welcome.
        on_air: Says whether a broadcast is on.
        clock: For the welcome's time.
    """

    def __init__(self, storage: Storage, clients: Clients, settings: Settings, on_air: OnAir, clock: Clock) -> None:
        self._storage = storage
        self._clients = clients
        self._settings = settings
        self._on_air = on_air
        self._clock = clock
        self._told: set[str] = set()
        # As it was typed, and as it is shown: made once, for a broadcast that begins brings everybody at once.
        self._rendered = ("", "")
        self.welcomes = Delayed(WELCOME_SECONDS, self._welcome)
        self.partings = Delayed(PARTED_SECONDS, self._part)

    def came(self, client: Client) -> None:
        """A connection is there. Everybody hears of one with a user; of the others when they say who they are."""
        self._clients.add(client)
        if self._settings.now.welcome_message:
            self.welcomes.put(client)
        if client.user is not None:
            self.joined(client, client.user)

    def left(self, client: Client) -> None:
        """It is gone."""
        self._clients.remove(client)
        if client.user is not None and client.user.id in self._told and not self._clients.of(client.user.id):
            self.partings.put(client.user)

    def joined(self, client: Client, user: ChatUser) -> None:
        """Somebody is there: told once, whatever their connections."""
        if user.id in self._told or not self._on_air.is_online:
            return
        self._told.add(user.id)
        self._submit(
            lambda transaction: transaction.emit(
                ChatUserJoined(id=new_id(), user=user, client_id=client.id, timestamp=transaction.now)
            )
        )

    def _part(self, user: ChatUser) -> None:
        if user.id not in self._told or self._clients.of(user.id):
            return
        self._told.discard(user.id)
        if self._on_air.is_online:
            self._submit(
                lambda transaction: transaction.emit(ChatUserParted(id=new_id(), user=user, timestamp=transaction.now))
            )

    def _submit(self, work: Callable[[Transaction], None]) -> None:
        try:
            self._storage.submit(work)
        except Refused:
            # The writer has more to do than it can: that somebody is there is not worth the wait.
            return

    def _welcome(self, client: Client) -> None:
        typed = self._settings.now.welcome_message
        if self._rendered[0] != typed:
            self._rendered = typed, render(typed, emoji_paths())
        body = self._rendered[1]
        if body and self._clients.find(client.id) is client:
            self._clients.tell_one(client, self.server_says(body))

    def server_says(self, body: str) -> frames.Message:
        """A frame of the server for one alone; it is in no history."""
        now, name = self._clock.now(), self._settings.now.name
        return frames.Message(
            type=frames.SYSTEM,
            id=new_id(),
            timestamp=now,
            author=name,
            body=body,
            visible=True,
            user=frames.server_user(name, now),
        )
