"""The chat: everything that is said goes through here, onto the disk and then to everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from manor import BadRequest, Closing, Lifespan, Transaction, Unauthorized, find_credential, new_id
from manor_stream.chat import frames, rules, store
from manor_stream.chat.clients import Client, Clients
from manor_stream.chat.history import History
from manor_stream.chat.listing import ChatClient, listed
from manor_stream.chat.pace import Pace
from manor_stream.chat.people import People, SentAway, random_color
from manor_stream.chat.presence import Presence
from manor_stream.chat.rendering import render
from manor_stream.chat.standing import Standing
from manor_stream.events import (
    ChatAddressBanned,
    ChatMessageSent,
    ChatNameChanged,
    ChatUser,
    ChatUserJoined,
    ChatUserModerated,
    ChatUserParted,
)
from manor_stream.on_air import OnAir
from manor_stream.settings import Settings, SettingsChanged
from manor_stream.watching.emoji import emoji_paths

if TYPE_CHECKING:
    from manor import PluginContext
    from manor_stream.config import StreamConfig
    from manor_stream.watching.geoip import GeoIp

DISABLED = Closing(4403, "you may not take part in this chat")
SWITCHED_OFF = Closing(4503, "the chat is disabled")


class Words(msgspec.Struct, frozen=True):
    """What somebody says: as it was typed, and as it is shown."""

    raw: str
    html: str


class Chat:
    """What is said, by whom, and who hears it.

    Args:
        context: The plugin's own.
        settings: What the admin API sets.
        on_air: What is on now.
        geoip: Where addresses are.

    Attributes:
        standing: Who may take part.
        connections: Who is there.
        people: Who there is.
        pace: How much anybody may say.
        history: What somebody who comes is shown.
        presence: Who came and left.
    """

    def __init__(self, context: PluginContext[StreamConfig], settings: Settings, on_air: OnAir, geoip: GeoIp) -> None:
        self._storage = context.storage
        self._clock = context.clock
        self._settings = settings
        self._on_air = on_air
        self._geoip = geoip
        self.standing = Standing()
        self.connections = Clients(context.live)
        self.people = People(context.storage, self.standing, settings)
        self.pace = Pace(context.limits)
        self.history = History(context.storage)
        self.presence = Presence(context.storage, self.connections, settings, on_air, context.clock)

    def lifespan(self) -> Lifespan:
        """Before anybody comes it is known who may not."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[None]:
            self.standing.take(*await self._storage.read(self.standing.read))
            yield

        return opened

    # --- Reading -------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(self.connections)

    async def clients(self, user_id: str | None = None) -> list[ChatClient]:
        """All connections, or somebody's, the oldest first."""
        return await listed(self.connections if user_id is None else self.connections.of(user_id), self._geoip)

    @property
    def is_open(self) -> bool:
        """Whether people may write now."""
        on_air = self._on_air
        return rules.is_open(is_online=on_air.is_online, ended_at=on_air.last_disconnected_at, now=self._clock.now())

    def words(self, text: str) -> Words | None:
        """What a text says; None for nothing.

        Raises:
            BadRequest: It is too long.
        """
        raw = rules.clean_body(text)
        if rules.is_too_long(raw):
            raise BadRequest(f"A message has at most {rules.MOST_BODY_BYTES} bytes")
        html = render(raw, emoji_paths()) if raw else ""
        return Words(raw, html) if html else None

    # --- Saying --------------------------------------------------------------------------------------------------

    async def say(self, client: Client, words: Words, *, name: str = "") -> None:
        """Have somebody who is connected say something.

        Args:
            client: Their connection.
            words: What.
            name: Who they say they are; "" for who they are known to be.

        Raises:
            SentAway: They may not take part any more.
        """

        def work(transaction: Transaction) -> ChatUser:
            person = self._writer(transaction, client, name)
            if name and person.user.display_name != name:
                person = store.rename(transaction.connection, person, name)
            _send(transaction, frames.CHAT, words, person.user, client_id=client.id)
            return person.user

        user = await self._storage.write(work)
        self.connections.know(client, user)
        client.message_count += 1

    async def say_system(self, body_markdown: str) -> None:
        """Have the server say something.

        Raises:
            BadRequest: It is nothing, or too much, or nobody may hear it.
        """
        await self._say_as_server(frames.SYSTEM, body_markdown, "")

    async def say_action(self, body: str, author: str = "") -> None:
        """Have the server say what happened.

        Args:
            body: Markdown.
            author: Who did it; "" for nobody.

        Raises:
            BadRequest: As `say_system`.
        """
        await self._say_as_server(frames.ACTION, body, rules.clean_name(author))

    async def say_to_one(self, client_id: int, body_markdown: str) -> None:
        """Have the server say something to one connection; it is in no history.

        Raises:
            BadRequest: As `say_system`, or there is no such connection.
        """
        words = self._certain_words(body_markdown)
        client = self.connections.find(client_id)
        if client is None:
            raise BadRequest("No connection has this number")
        self.connections.tell_one(client, self.presence.server_says(words.html))

    async def say_as_bot(self, credential_id: UUID, body_markdown: str, *, name: str | None = None) -> None:
        """Have a credential of the integrations say something.

        Args:
            credential_id: The credential; what it is called is the bot's name.
            body_markdown: What.
            name: Another name, for this message.

        Raises:
            BadRequest: As `say_system`; or the name cannot be shown, or the bot was disabled.
            Unauthorized: The credential is gone.
        """
        words = self._certain_words(body_markdown)
        shown = None if name is None else rules.clean_name(name)
        if shown == "":
            raise BadRequest("The name has nothing that can be shown")

        def work(transaction: Transaction) -> None:
            credential = find_credential(transaction, credential_id)
            if credential is None:
                raise Unauthorized("The credential is unknown, expired or revoked")
            label = rules.clean_name(credential.label) or "bot"
            person = store.touch(transaction, credential_id) or store.add_person(
                transaction, store.NewPerson(id=credential_id, name=label, color=random_color(), is_bot=True)
            )
            if person.disabled_at is not None:
                raise BadRequest("This bot may not take part in the chat")
            if person.user.display_name != label:
                person = store.rename(transaction.connection, person, label)
            user = msgspec.structs.replace(person.user, display_name=shown or label)
            _send(transaction, frames.CHAT, words, user)

        await self._storage.write(work)

    async def _say_as_server(self, kind: str, body_markdown: str, author: str) -> None:
        words = self._certain_words(body_markdown)
        author = author or self._settings.now.name
        await self._storage.write(lambda transaction: _send(transaction, kind, words, None, author=author))

    def _certain_words(self, body_markdown: str) -> Words:
        words = self.words(body_markdown)
        if words is None:
            raise BadRequest("The message says nothing that can be shown")
        if self._settings.now.is_chat_disabled:
            raise BadRequest("The chat is disabled")
        return words

    # --- Names and colors ----------------------------------------------------------------------------------------

    async def identify(self, client: Client, name: str) -> None:
        """Have somebody without registration be known.

        Raises:
            SentAway: They may not take part any more.
        """
        user = await self._storage.write(lambda transaction: self._writer(transaction, client, name).user)
        self.connections.know(client, user)

    async def rename(self, client: Client, name: str, *, old_name: str = "") -> None:
        """Call somebody otherwise, and tell everybody.

        Args:
            client: Their connection.
            name: What they are called from now on.
            old_name: What they say they were called, where nobody knows them yet.

        Raises:
            SentAway: They may not take part any more.
        """

        def work(transaction: Transaction) -> ChatUser:
            person = self._writer(transaction, client, old_name or name)
            before = person.user.display_name
            if before == name:
                return person.user
            user = store.rename(transaction.connection, person, name).user
            transaction.emit(
                ChatNameChanged(
                    id=new_id(),
                    user=user,
                    client_id=client.id,
                    old_name=before,
                    new_name=name,
                    timestamp=transaction.now,
                )
            )
            return user

        self.connections.know(client, await self._storage.write(work))

    async def recolor(self, client: Client, color: int) -> None:
        """Give somebody another color, and tell everybody.

        Raises:
            SentAway: They may not take part any more.
        """

        def work(transaction: Transaction) -> ChatUser:
            return store.recolor(transaction.connection, self._writer(transaction, client, ""), color).user

        user = await self._storage.write(work)
        self._is_now(user)
        changed = frames.ColorChange(id=new_id(), timestamp=self._clock.now(), new_color=color, user=user)
        self.connections.tell(changed)

    def _writer(self, transaction: Transaction, client: Client, name: str) -> store.Person:
        """Who acts, as they are now; made where they are not known and need not be."""
        person = None if client.user is None else store.find_person(transaction.connection, UUID(client.user.id))
        if person is None and not client.is_registered:
            new = store.NewPerson(name=name or self.people.invented_name(), color=random_color())
            return store.add_person(transaction, new)
        if person is None:
            raise SentAway(frames.NEEDS_REGISTRATION)
        if person.disabled_at is not None:
            raise SentAway(frames.USER_DISABLED)
        return person

    # --- INLINE --------------------------------------------------------------------------------------------------

    def message_sent(self, event: ChatMessageSent) -> None:
        """It is on disk: everybody hears it."""
        self.history.forget()
        self.connections.tell(frames.message_of(event))

    def name_changed(self, event: ChatNameChanged) -> None:
        """Somebody is called otherwise."""
        self.standing.renamed(event)
        self._is_now(event.user)
        self.connections.tell(frames.name_change_of(event))

    def user_joined(self, event: ChatUserJoined) -> None:
        """Somebody came."""
        self.connections.tell(frames.joined_of(event))

    def user_parted(self, event: ChatUserParted) -> None:
        """Somebody left."""
        self.connections.tell(frames.parted_of(event))

    def user_moderated(self, event: ChatUserModerated) -> None:
        """Somebody may not take part any more, or may do more or less than before: in force at once."""
        self.standing.moderated(event)
        self._is_now(event.user)
        for client in self.connections.of(event.user.id):
            if event.is_enabled:
                info = frames.ConnectedUserInfo(id=new_id(), timestamp=event.timestamp, user=event.user)
                self.connections.tell_one(client, info)
            else:
                self.send_away(client, frames.USER_DISABLED)

    def address_banned(self, event: ChatAddressBanned) -> None:
        """An address is shut out: whoever is there from it leaves."""
        self.standing.address_banned(event)
        if event.is_banned:
            for client in self.connections:
                if self.standing.is_banned(client.address):
                    self.send_away(client, frames.USER_DISABLED)

    def settings_changed(self, event: SettingsChanged) -> None:
        """Where the chat is switched off everybody leaves."""
        if "is_chat_disabled" in event.names and self._settings.now.is_chat_disabled:
            for client in self.connections:
                self.send_away(client, frames.CHAT_DISABLED)

    def send_away(self, client: Client, kind: str) -> None:
        """Close a connection with a frame that says why."""
        closing = SWITCHED_OFF if kind == frames.CHAT_DISABLED else DISABLED
        client.end(closing, frames.trouble(kind, new_id(), self._clock.now()))

    def _is_now(self, user: ChatUser) -> None:
        self.history.forget()
        for client in self.connections.of(user.id):
            client.user = user


def _send(
    transaction: Transaction,
    kind: str,
    words: Words,
    user: ChatUser | None,
    *,
    author: str = "",
    client_id: int = 0,
) -> None:
    event = ChatMessageSent(
        id=new_id(),
        kind=kind,
        user=user,
        author=user.display_name if user else author,
        client_id=client_id,
        body=words.html,
        raw_body=words.raw,
        visible=True,
        timestamp=transaction.now,
    )
    store.add_message(transaction, frames.message_of(event), words.raw)
    transaction.emit(event)
