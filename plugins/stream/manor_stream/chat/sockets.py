"""The two sockets: with registration, and without as it was once."""

from __future__ import annotations

from contextlib import ExitStack
from html import escape
from typing import TYPE_CHECKING
from uuid import UUID

import trio

from manor import Closing, Live, LiveService, Refused, Request, Storage, TooManyRequests, Transaction, new_id
from manor_stream.chat import frames, rules, store
from manor_stream.chat.clients import PING_SECONDS, Client, Visit, ping, told_to_one
from manor_stream.chat.people import SentAway
from manor_stream.chat.service import DISABLED, SWITCHED_OFF, Chat
from manor_stream.events import ChatUser
from manor_stream.http.api import CHAT_USER
from manor_stream.settings import Settings

if TYPE_CHECKING:
    from manor import Clock

LONGEST_AGENT = 500

NOTICE_SECONDS = 10.0
"""Somebody is told at most so often why something was not taken."""

UNREGISTERED = Closing(4401, "register first")
TOO_MANY = Closing(4429, "too many connections")
FLOODING = Closing(1008, "too many frames")

_CLOSINGS = {
    frames.NEEDS_REGISTRATION: UNREGISTERED,
    frames.TOO_MANY_CONNECTIONS: TOO_MANY,
    frames.USER_DISABLED: DISABLED,
    frames.CHAT_DISABLED: SWITCHED_OFF,
}


class Sockets:
    """Opens sockets, and does what clients say.

    Args:
        chat: What is said.
        live: Makes feeds.
        storage: Knows people.
        clock: For frames' times.
        settings: Say whether there is a chat.
    """

    def __init__(self, chat: Chat, live: LiveService, storage: Storage, clock: Clock, settings: Settings) -> None:
        self._chat = chat
        self._live = live
        self._storage = storage
        self._clock = clock
        self._settings = settings

    # --- Opening -------------------------------------------------------------------------------------------------

    async def open(self, request: Request) -> Live:
        """Take part in the chat: the socket of those who are registered; it says in its first frame who one is."""
        user_id = next((each.credential_id for each in request.principals if each.kind == CHAT_USER), None)
        kind = self._trouble(request.head.address, None if user_id is None else str(user_id))
        if kind is not None or user_id is None:
            return self._refused(kind or frames.NEEDS_REGISTRATION)
        return await self._open(request, user_id)

    async def open_without_registration(self, request: Request) -> Live:
        """Take part in the chat without registration: clients say in each frame who they are."""
        kind = self._trouble(request.head.address, None)
        return await self._open(request, None) if kind is None else self._refused(kind)

    async def _open(self, request: Request, user_id: UUID | None) -> Live:
        address = request.head.address
        with ExitStack() as places:
            try:
                self._chat.pace.hold_places(address, None if user_id is None else str(user_id), places)
            except TooManyRequests:
                return self._refused(frames.TOO_MANY_CONNECTIONS)
            user = None
            if user_id is not None:
                user = await self._known(user_id)
                if user is None:
                    return self._refused(frames.NEEDS_REGISTRATION)
            client = self._chat.connections.new(
                connected_at=self._clock.now(),
                address=address,
                user_agent=(request.headers.get("user-agent") or "")[:LONGEST_AGENT],
                is_registered=user is not None,
                user=user,
            )
            return self._live_for(client, places.pop_all())

    async def _known(self, user_id: UUID) -> ChatUser | None:
        def work(transaction: Transaction) -> store.Person | None:
            return store.touch(transaction, user_id)

        person = await self._storage.write(work)
        return None if person is None else person.user

    def _live_for(self, client: Client, places: ExitStack) -> Live:
        greeting = []
        if client.user is not None:
            info = frames.ConnectedUserInfo(id=new_id(), timestamp=self._clock.now(), user=client.user)
            greeting.append(told_to_one(info))
        feed = self._live.feed(
            [self._chat.connections.channel, client.channel],
            greeting=greeting,
            ping=ping,
            ping_seconds=PING_SECONDS,
            released=places.close,
        )

        def came() -> None:
            # Looked at once more: it takes a moment to open a socket, and who was sent away in it is not there yet.
            kind = self._trouble(client.address, client.user.id if client.user else None)
            if kind is None:
                self._chat.presence.came(client)
            else:
                self._chat.send_away(client, kind)

        async def hear(text: str) -> None:
            await self.hear(client, text)

        client.visit = Visit(feed, came, lambda: self._chat.presence.left(client))
        return Live(client.visit, on_message=hear, message_limit=rules.MOST_FRAME_BYTES)

    def _trouble(self, address: str, user_id: str | None) -> str | None:
        """Why somebody may not come in; None when they may."""
        if self._settings.now.is_chat_disabled:
            return frames.CHAT_DISABLED
        standing = self._chat.standing
        is_out = standing.is_banned(address) or (user_id is not None and standing.is_disabled(user_id))
        return frames.USER_DISABLED if is_out else None

    def _refused(self, kind: str) -> Live:
        """A socket that says one frame and is closed: browsers are shown nothing of a refused handshake."""
        told = frames.trouble(kind, new_id(), self._clock.now())
        feed = self._live.feed([], greeting=[told_to_one(told)])
        feed.end(_CLOSINGS[kind])
        return Live(feed)

    # --- Hearing -------------------------------------------------------------------------------------------------

    async def hear(self, client: Client, text: str) -> None:
        """Do what a client's frame says; what nobody understands is dropped without a word."""
        if client.visit is None or client.visit.is_ended:
            return
        if self._chat.pace.is_flooding(client):
            client.end(FLOODING)
            return
        for heard in frames.read_frame(text):
            if not self._chat.pace.allows(client):
                self._notice(client, "You write faster than others can read: what comes too fast is not taken")
                return
            try:
                await self._act(client, heard)
            except SentAway as away:
                self._chat.send_away(client, away.kind)
                return
            except Refused as refused:
                self._notice(client, refused.detail)

    async def _act(self, client: Client, heard: frames.Heard) -> None:
        match heard:
            case frames.Said():
                await self._say(client, heard)
            case frames.Renamed():
                await self._rename(client, heard)
            case frames.Recolored() if client.user is not None:
                await self._chat.recolor(client, heard.new_color)
            case frames.Joined() if not client.is_registered:
                await self._join(client, heard.username)

    async def _say(self, client: Client, said: frames.Said) -> None:
        words = self._chat.words(said.body)
        if words is None:
            return
        if not self._chat.is_open:
            self._notice(client, "The broadcast has ended, and so has its chat")
            return
        name = "" if client.is_registered else self._name(client, said.author)
        if name is not None:
            await self._chat.say(client, words, name=name)

    async def _rename(self, client: Client, renamed: frames.Renamed) -> None:
        name = rules.clean_name(renamed.new_name)
        if not name:
            return
        if self._name(client, name):
            old_name = self._name(client, renamed.old_name) if client.user is None else ""
            await self._chat.rename(client, name, old_name=old_name or "")

    async def _join(self, client: Client, username: str) -> None:
        if client.user is None:
            name = self._name(client, username)
            if name is None:
                return
            await self._chat.identify(client, name)
        if client.user is not None:
            self._chat.presence.joined(client, client.user)

    def _name(self, client: Client, wanted: str) -> str | None:
        """A name that was asked for, clean; "" for none, None for one that is not to be had, which is said."""
        name = rules.clean_name(wanted)
        user = client.user
        if not name or (user is not None and name == user.display_name):
            return name
        if self._chat.people.may_be_called(name, user.id if user else None):
            return name
        self._notice(client, "This name is not to be had; choose another one")
        return None

    def _notice(self, client: Client, sentence: str) -> None:
        """Tell somebody why something was not taken, now and then."""
        now = trio.current_time()
        if now - client.noticed_at >= NOTICE_SECONDS:
            client.noticed_at = now
            self._chat.connections.tell_one(client, self._chat.presence.server_says(f"<p>{escape(sentence)}</p>"))
