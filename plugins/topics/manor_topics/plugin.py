"""Topics: publish a message with one request, hear it live, read it later."""

from __future__ import annotations

from typing import Any

from manor import (
    Authenticator,
    BackgroundTask,
    Command,
    Event,
    JobHandler,
    Migration,
    PersonalData,
    PluginContext,
    Route,
    ScopeDeclaration,
    Subscription,
    TierLimit,
    hookimpl,
)
from manor_topics.config import TopicsConfig
from manor_topics.every_part import every_part, every_step, lifespan
from manor_topics.parts import Lifespan
from manor_topics.personal import personal_data


class Topics:
    """Named topics that anyone with the right publishes to, and hears over SSE and WebSocket."""

    Config = TopicsConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        self._parts = every_part(context)

    def first_step(self, url: str) -> str:
        """What somebody who has just started the daemon may try."""
        return f"curl -d 'Hello' {url}/welcome"

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Operations."""
        return [route for part in self._parts for route in part.routes()]

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        """Events that others may hear."""
        return [event for part in self._parts for event in part.event_types()]

    @hookimpl
    def manor_subscriptions(self) -> list[Subscription[Any]]:
        """Events that it hears."""
        return [subscription for part in self._parts for subscription in part.subscriptions()]

    @hookimpl
    def manor_authenticators(self) -> list[Authenticator]:
        """Credentials that it issues."""
        return [authenticator for part in self._parts for authenticator in part.authenticators()]

    @hookimpl
    def manor_scopes(self) -> list[ScopeDeclaration]:
        """Scopes that its operations ask for."""
        return [scope for part in self._parts for scope in part.scopes()]

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        """What plans say about it."""
        return [limit for part in self._parts for limit in part.tier_limits()]

    @hookimpl
    def manor_jobs(self) -> list[JobHandler[Any]]:
        """Deferred work."""
        return [job for part in self._parts for job in part.jobs()]

    @hookimpl
    def manor_background_tasks(self) -> list[BackgroundTask]:
        """What it does all day."""
        return [task for part in self._parts for task in part.background_tasks()]

    @hookimpl
    def manor_migrations(self) -> list[Migration]:
        """Its tables, in the order of the numbers of all parts' steps."""
        return every_step(self._parts)

    @hookimpl
    def manor_commands(self) -> list[Command]:
        """What an admin does from the shell."""
        return [command for part in self._parts for command in part.commands()]

    @hookimpl
    def manor_personal_data(self) -> PersonalData:
        """What it knows of a person."""
        return personal_data(self._parts)

    @hookimpl
    def manor_lifespan(self) -> Lifespan:
        """What is open while the house is."""
        return lifespan(self._parts)
