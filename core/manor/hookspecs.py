"""The whole plugin API: what a plugin may bring. Hooks declare; they never act.

Every hook is synchronous, takes nothing, is asked once at start-up and returns a list (or, for `manor_lifespan` and
`manor_personal_data`, one thing). All are optional.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from manor.auth import Authenticator
    from manor.events import Event, Subscription
    from manor.outbox import JobHandler
    from manor.plugins import Command, HealthCheck, PersonalData, ScopeDeclaration, TierLimit
    from manor.routing import Route
    from manor.storage import Migration
    from manor.tasks import BackgroundTask

hookspec = pluggy.HookspecMarker("manor")
hookimpl = pluggy.HookimplMarker("manor")


@hookspec
def manor_routes() -> list[Route]:  # type: ignore[empty-body]
    """The operations it serves. Two enabled plugins with one method and path stop the start."""


@hookspec
def manor_event_types() -> list[type[Event]]:  # type: ignore[empty-body]
    """The events it tells, each a frozen struct whose `name` begins with the plugin's."""


@hookspec
def manor_subscriptions() -> list[Subscription]:  # type: ignore[empty-body,type-arg]
    """The events it wants to hear, its own or other plugins'."""


@hookspec
def manor_background_tasks() -> list[BackgroundTask]:  # type: ignore[empty-body]
    """What it does all day; each runs under a supervisor in the plugin's own nursery."""


@hookspec
def manor_jobs() -> list[JobHandler]:  # type: ignore[empty-body,type-arg]
    """The handlers of its deferred work."""


@hookspec
def manor_migrations() -> list[Migration]:  # type: ignore[empty-body]
    """Its tables, as numbered steps; applied once each, in order, before anything of it starts."""


@hookspec
def manor_authenticators() -> list[Authenticator]:  # type: ignore[empty-body]
    """The credential kinds it issues and how to recognise them."""


@hookspec
def manor_scopes() -> list[ScopeDeclaration]:  # type: ignore[empty-body]
    """The scopes that its routes ask for."""


@hookspec
def manor_tier_limits() -> list[TierLimit]:  # type: ignore[empty-body]
    """The limits that an admin may set per tier."""


@hookspec
def manor_health_checks() -> list[HealthCheck]:  # type: ignore[empty-body]
    """What `/readyz` asks of it; an unhealthy plugin is `degraded`, the answer stays 200."""


@hookspec
def manor_lifespan() -> Callable[[], AbstractAsyncContextManager[None]]:  # type: ignore[empty-body]
    """An async context manager around its life: entered after migrations and before requests, left at the stop."""


@hookspec
def manor_personal_data() -> PersonalData:  # type: ignore[empty-body]
    """Its part of a person's export and erasure."""


@hookspec
def manor_commands() -> list[Command]:  # type: ignore[empty-body]
    """What an admin does with it from the shell; works with the daemon stopped and running."""
