"""Auth: sign up, sign in, and hold credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from manor import (
    Authenticator,
    BackgroundTask,
    Command,
    JobHandler,
    PersonalData,
    PluginContext,
    Route,
    ScopeDeclaration,
    TierLimit,
    hookimpl,
)
from manor_auth.api_keys import LIMITS, SCOPE, looks_like_key
from manor_auth.config import AuthConfig
from manor_auth.devices import looks_like_device_token
from manor_auth.http.every_route import every_route
from manor_auth.parts import assemble
from manor_auth.tokens import looks_like_token
from manor_auth.web_sessions import KIND as WEB_SESSION
from manor_auth.web_sessions import looks_like_web_session


class Auth:
    """Accounts, sessions and tokens for every API of this server."""

    Config = AuthConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._parts = assemble(context)

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Every operation, group by group."""
        return every_route(self._parts)

    @hookimpl
    def manor_authenticators(self) -> list[Authenticator]:
        """Access tokens, API keys and device tokens open APIs; browsers' sessions open pages."""
        sessions, devices, api_keys = self._parts.sessions, self._parts.devices, self._parts.api_keys
        return [
            Authenticator("access", looks_like_token, sessions.authenticate),
            Authenticator("device", looks_like_device_token, devices.authenticate, make=devices.add),
            Authenticator("api_key", looks_like_key, api_keys.authenticate, known=api_keys.known),
            Authenticator(WEB_SESSION, looks_like_web_session, self._parts.web_sessions.authenticate),
        ]

    @hookimpl
    def manor_scopes(self) -> list[ScopeDeclaration]:
        """What an API key needs to make others."""
        return [SCOPE]

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        """How many API keys people have."""
        return LIMITS

    @hookimpl
    def manor_personal_data(self) -> PersonalData:
        """API keys as their owner knows them; the core removes them."""
        return self._parts.exporting.data

    @hookimpl
    def manor_jobs(self) -> list[JobHandler]:  # type: ignore[type-arg]
        """Links are made and mailed behind the answer, so that its time says nothing."""
        return [*self._parts.registering.jobs, *self._parts.passwords.jobs]

    @hookimpl
    def manor_commands(self) -> list[Command]:
        """Keys are replaced and ended from the shell, and the set-up link is made there."""
        return [*self._parts.key_commands.all(), *self._parts.setting_up.commands()]

    @hookimpl
    def manor_background_tasks(self) -> list[BackgroundTask]:
        """Keys are replaced in time; a server that has nobody says how that changes."""
        return [
            BackgroundTask("key rotation", self._parts.rotation.run),
            BackgroundTask("set-up link", self._parts.setting_up.announce),
        ]

    @hookimpl
    def manor_lifespan(self) -> Callable[[], AbstractAsyncContextManager[None]]:
        """Keys are read before the first request."""
        return self._lifespan

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        self._parts.keys.open()
        yield
