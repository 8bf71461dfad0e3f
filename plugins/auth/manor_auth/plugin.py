"""Auth: sign up, sign in, and hold credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from manor import BackgroundTask, PluginContext, Route, hookimpl
from manor_auth.config import AuthConfig
from manor_auth.http.jwks import key_routes
from manor_auth.keys import KeyRing
from manor_auth.rotation import Rotation


class Auth:
    """Accounts, sessions and tokens for every API of this server."""

    Config = AuthConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._context = context
        # Refresh tokens live longest.
        self._keys = KeyRing(
            context.data_dir / "keys", context.clock, lambda: timedelta(days=context.config.refresh_days)
        )
        self._rotation = Rotation(self._keys, context.clock, lambda: context.config.rotate_days)

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Every operation, group by group."""
        return [*key_routes(self._keys)]

    @hookimpl
    def manor_background_tasks(self) -> list[BackgroundTask]:
        """Keys are replaced in time."""
        return [BackgroundTask("key rotation", self._rotation.run)]

    @hookimpl
    def manor_lifespan(self) -> Callable[[], AbstractAsyncContextManager[None]]:
        """Keys are read before the first request."""
        return self._lifespan

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        self._keys.open()
        yield
