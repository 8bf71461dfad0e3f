"""A plugin in parts: each area brings its own routes, events, tasks and tables, and the front page only names them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from manor.hookspecs import hookimpl
from manor.plugins import PersonalData

if TYPE_CHECKING:
    from manor.auth import Authenticator
    from manor.events import Event, Subscription
    from manor.outbox import JobHandler
    from manor.plugins import Command, HealthCheck, ScopeDeclaration, TierLimit
    from manor.routing import Route
    from manor.storage import Migration, Transaction
    from manor.tasks import BackgroundTask

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
"""Opens what is open while the house is."""


class Part:
    """One area of a plugin. What it does not override it does not have."""

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return ()

    def event_types(self) -> Sequence[type[Event]]:
        """Events that it tells."""
        return ()

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Events that it hears."""
        return ()

    def authenticators(self) -> Sequence[Authenticator]:
        """Credentials that it issues."""
        return ()

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """Scopes that its operations ask for."""
        return ()

    def tier_limits(self) -> Sequence[TierLimit]:
        """What plans say about it."""
        return ()

    def health_checks(self) -> Sequence[HealthCheck]:
        """What `/readyz` asks of it."""
        return ()

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Deferred work."""
        return ()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """What it does all day."""
        return ()

    def migrations(self) -> Sequence[Migration]:
        """Its tables; the number in a step's id says in which order all parts' steps run."""
        return ()

    def commands(self) -> Sequence[Command]:
        """What an admin does from the shell."""
        return ()

    def lifespan(self) -> Lifespan:
        """What is open while the house is."""
        return nothing_to_open

    # --- A person's data -------------------------------------------------------------------------------------------

    def sections(self) -> Sequence[str]:
        """Members of a person's export that it fills."""
        return ()

    def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """A person's data, section after section."""
        return _nothing()

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove at most so many rows of a person; how many are gone."""
        return 0


class InParts:
    """What a plugin in parts brings: the hooks, each answered by all parts in turn.

    A plugin that inherits from it sets `parts` when it is made. Their order is that of the hooks' answers, of opening
    (closing is the other way round), and of a person's export and erasure.
    """

    parts: Sequence[Part]

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Operations."""
        return [route for part in self.parts for route in part.routes()]

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        """Events that others may hear."""
        return [event for part in self.parts for event in part.event_types()]

    @hookimpl
    def manor_subscriptions(self) -> list[Subscription[Any]]:
        """Events that it hears."""
        return [subscription for part in self.parts for subscription in part.subscriptions()]

    @hookimpl
    def manor_authenticators(self) -> list[Authenticator]:
        """Credentials that it issues."""
        return [authenticator for part in self.parts for authenticator in part.authenticators()]

    @hookimpl
    def manor_scopes(self) -> list[ScopeDeclaration]:
        """Scopes that its operations ask for."""
        return [scope for part in self.parts for scope in part.scopes()]

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        """What plans say about it."""
        return [limit for part in self.parts for limit in part.tier_limits()]

    @hookimpl
    def manor_health_checks(self) -> list[HealthCheck]:
        """What `/readyz` asks of it."""
        return [check for part in self.parts for check in part.health_checks()]

    @hookimpl
    def manor_jobs(self) -> list[JobHandler[Any]]:
        """Deferred work."""
        return [job for part in self.parts for job in part.jobs()]

    @hookimpl
    def manor_background_tasks(self) -> list[BackgroundTask]:
        """What it does all day."""
        return [task for part in self.parts for task in part.background_tasks()]

    @hookimpl
    def manor_migrations(self) -> list[Migration]:
        """Its tables, in the order of the numbers of all parts' steps."""
        return sorted((step for part in self.parts for step in part.migrations()), key=attrgetter("id"))

    @hookimpl
    def manor_commands(self) -> list[Command]:
        """What an admin does from the shell."""
        return [command for part in self.parts for command in part.commands()]

    @hookimpl
    def manor_personal_data(self) -> PersonalData:
        """What it knows of a person."""
        return _personal_data(self.parts)

    @hookimpl
    def manor_lifespan(self) -> Lifespan:
        """What is open while the house is."""
        return _lifespan(self.parts)


@asynccontextmanager
async def nothing_to_open() -> AsyncIterator[None]:
    """For parts that open nothing."""
    yield


async def _nothing() -> AsyncIterator[tuple[str, Any]]:
    nothing: tuple[tuple[str, Any], ...] = ()
    for item in nothing:
        yield item


def _lifespan(parts: Sequence[Part]) -> Lifespan:
    @asynccontextmanager
    async def open_all() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part.lifespan()())
            yield

    return open_all


def _personal_data(parts: Sequence[Part]) -> PersonalData:
    async def export(user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        for part in parts:
            async for section, item in part.export(user_id):
                yield section, item

    def erase(transaction: Transaction, user_id: UUID, limit: int) -> int:
        gone = 0
        for part in parts:
            gone += part.erase(transaction, user_id, limit - gone)
            if gone >= limit:
                break
        return gone

    return PersonalData(tuple(section for part in parts for section in part.sections()), export, erase)
