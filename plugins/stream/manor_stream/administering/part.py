"""The part for administrators and their programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import (
    Authenticator,
    BackgroundTask,
    Delivery,
    JobHandler,
    Migration,
    Part,
    Route,
    ScopeDeclaration,
    Subscription,
)
from manor_stream.administering.changing import Changing
from manor_stream.administering.directory import Directory
from manor_stream.administering.tokens import Tokens
from manor_stream.events import (
    ChatMessageSent,
    ChatNameChanged,
    ChatUserJoined,
    ChatUserParted,
    ChatVisibilityChanged,
    StreamStarted,
    StreamStopped,
    StreamTitleChanged,
)
from manor_stream.http.access_tokens import TokenHandlers, token_routes
from manor_stream.http.api import SCOPES
from manor_stream.http.server_config import ServerHandlers, server_routes
from manor_stream.http.settings import SettingHandlers, setting_routes
from manor_stream.http.webhooks import WebhookHandlers, webhook_routes
from manor_stream.migrations import webhooks as migration
from manor_stream.parts import Shared
from manor_stream.settings import SettingsChanged
from manor_stream.webhooks.delivering import DELIVER, Deliveries
from manor_stream.webhooks.keeping import Webhooks

POSTED = (
    ChatMessageSent,
    ChatNameChanged,
    ChatUserJoined,
    ChatUserParted,
    ChatVisibilityChanged,
    StreamStarted,
    StreamStopped,
    StreamTitleChanged,
)
"""Events that webhooks may want to hear of."""


class Administering(Part):
    """Settings, access tokens, webhooks and the directory.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self.changing = Changing(shared)
        self._deliveries = Deliveries(shared)
        self._directory = Directory(shared)
        self.tokens = Tokens(shared)
        self._server = ServerHandlers(shared, self.changing)
        self.webhooks = Webhooks(shared, self._deliveries)

    def routes(self) -> Sequence[Route]:
        """What the user `admin` and bots may ask."""
        return [
            *server_routes(self._server),
            *setting_routes(SettingHandlers(self.changing)),
            *token_routes(TokenHandlers(self.tokens)),
            *webhook_routes(WebhookHandlers(self.webhooks)),
        ]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What is posted is heard for certain; the directory is told when it happens, or not at all."""
        directory = self._directory
        return [
            *(Subscription(event.name, event, self._deliveries.hear, Delivery.DURABLE) for event in POSTED),
            Subscription(StreamStarted.name, StreamStarted, directory.hear_start, Delivery.INLINE),
            Subscription(StreamStopped.name, StreamStopped, directory.hear_stop, Delivery.INLINE),
            Subscription(SettingsChanged.name, SettingsChanged, directory.hear_settings, Delivery.INLINE),
        ]

    def authenticators(self) -> Sequence[Authenticator]:
        """Access tokens."""
        return [self.tokens.authenticator]

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """What access tokens may carry."""
        return [ScopeDeclaration(name, description) for name, description in SCOPES.items()]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """A job for each delivery."""
        return [JobHandler(DELIVER, self._deliveries.deliver)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Tells the directory."""
        return [BackgroundTask("directory", self._directory.run)]

    def migrations(self) -> Sequence[Migration]:
        """The table of webhooks."""
        return [migration.STEP]
