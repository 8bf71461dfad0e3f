"""Webhooks, slash commands, buttons and dialogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from manor import BackgroundTask, JobHandler, Lifespan, Migration, Part, Route, Subscription, Transaction
from manor_chat.http.actions import action_routes
from manor_chat.http.command_running import running_routes
from manor_chat.http.commands import command_routes
from manor_chat.http.hooks import hook_routes
from manor_chat.http.incoming_webhooks import incoming_routes
from manor_chat.http.outgoing_webhooks import outgoing_routes
from manor_chat.integrations.acting import sealed
from manor_chat.integrations.echoing import ECHO, Echoes
from manor_chat.integrations.proving import Proofs
from manor_chat.integrations.replying import Saying
from manor_chat.integrations.running import Running
from manor_chat.integrations.triggering import PostSeen, Triggering
from manor_chat.migrations.integrations import STEPS
from manor_chat.parts import Shared
from manor_chat.store.integrations_of import remove_some

KEY_FILE = "integrations.key"


class Integrations(Part):
    """Programs beside people.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._proofs = Proofs(shared.context.clock, lambda: shared.context.data_dir / KEY_FILE)
        self._saying = Saying(shared.presence.is_online, lambda post: sealed(self._proofs, post))
        self._echoes = Echoes(shared)
        self._running = Running(shared, self._saying, self._proofs, self._echoes)
        self._triggering = Triggering(shared)

    def routes(self) -> Sequence[Route]:
        """Operations."""
        shared = self._shared
        return [
            *incoming_routes(shared),
            *outgoing_routes(shared, self._triggering.forget),
            *hook_routes(shared, self._saying),
            *running_routes(shared, self._running),
            *command_routes(shared),
            *action_routes(shared, self._saying, self._proofs),
        ]

    def migrations(self) -> Sequence[Migration]:
        """Tables."""
        return STEPS

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Posts, for outgoing webhooks."""
        return [Subscription("chat.post_created", PostSeen, self._triggering.hear)]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """What is said later."""
        return [JobHandler(ECHO, self._echoes.say)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Calls of outgoing webhooks."""
        return [BackgroundTask("outgoing webhooks", self._triggering.run, ready=True)]

    def lifespan(self) -> Lifespan:
        """The key is there before anybody needs it."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            self._proofs.open()
            yield

        return open_

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove some of somebody's."""
        return remove_some(transaction, user_id, limit)
