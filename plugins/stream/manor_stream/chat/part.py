"""The part that people talk with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from manor import (
    Authenticator,
    BackgroundTask,
    Delivery,
    Event,
    Lifespan,
    Migration,
    Part,
    Route,
    ScopeDeclaration,
    Subscription,
)
from manor_stream.chat.moderation import Moderation
from manor_stream.chat.retention import Retention
from manor_stream.chat.sockets import Sockets
from manor_stream.chat.store import MODERATOR
from manor_stream.events import (
    ChatAddressBanned,
    ChatMessageSent,
    ChatNameChanged,
    ChatUserJoined,
    ChatUserModerated,
    ChatUserParted,
    ChatVisibilityChanged,
)
from manor_stream.http.chat import ChatHandlers
from manor_stream.http.chat_admin import ChatAdminHandlers
from manor_stream.http.chat_integrations import ChatIntegrationHandlers
from manor_stream.migrations import chat as migrations
from manor_stream.parts import Shared
from manor_stream.settings import SettingsChanged


class Chatting(Part):
    """Both sockets of the chat, its history, and those who keep order in it.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._chat = shared.chat
        moderation = Moderation(shared)
        sockets = Sockets(self._chat, context.live, context.storage, context.clock, shared.settings)
        self._viewers = ChatHandlers(self._chat, moderation, sockets)
        self._admin = ChatAdminHandlers(self._chat, moderation)
        self._bots = ChatIntegrationHandlers(self._chat, moderation)
        self._retention = Retention(context.storage, context.log)

    def routes(self) -> Sequence[Route]:
        """What viewers, administrators and bots do."""
        return [*self._viewers.routes(), *self._admin.routes(), *self._bots.routes()]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What everybody hears, and what sends somebody away."""
        chat = self._chat
        heard: list[tuple[type[Event], Callable[[Any], None]]] = [
            (ChatMessageSent, chat.message_sent),
            (ChatNameChanged, chat.name_changed),
            (ChatVisibilityChanged, chat.history.forget),
            (ChatUserJoined, chat.user_joined),
            (ChatUserParted, chat.user_parted),
            (ChatUserModerated, chat.user_moderated),
            (ChatAddressBanned, chat.address_banned),
            (SettingsChanged, chat.settings_changed),
        ]
        return [Subscription(event.name, event, hear, Delivery.INLINE) for event, hear in heard]

    def authenticators(self) -> Sequence[Authenticator]:
        """Tokens of the chat's users."""
        return [self._chat.people.authenticator]

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """Of the chat's users."""
        return [ScopeDeclaration(MODERATOR, "Keep order in the stream's chat.")]

    def migrations(self) -> Sequence[Migration]:
        """People, messages and who is shut out."""
        return [migrations.STEP]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """What is said later, and what goes."""
        return [
            BackgroundTask("chat welcomes", self._chat.presence.welcomes.run),
            BackgroundTask("chat partings", self._chat.presence.partings.run),
            BackgroundTask("chat retention", self._retention.run),
        ]

    def lifespan(self) -> Lifespan:
        """Who may not take part is known before anybody comes."""
        return self._chat.lifespan()
