"""Auth: sign up, sign in, and hold credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from manor import (
    Authenticator,
    BackgroundTask,
    Command,
    JobHandler,
    Pages,
    PersonalData,
    PluginContext,
    Route,
    ScopeDeclaration,
    TierLimit,
    hookimpl,
)
from manor_auth.account import Account
from manor_auth.api_keys import LIMITS, SCOPE, ApiKeys, looks_like_key
from manor_auth.commands import KeyCommands
from manor_auth.config import AuthConfig
from manor_auth.devices import Devices, looks_like_device_token
from manor_auth.domain import Places
from manor_auth.http.account import AccountHandlers, account_routes
from manor_auth.http.devices import DeviceHandlers, device_routes
from manor_auth.http.jwks import key_routes
from manor_auth.http.keys import KeyHandlers, key_list_routes
from manor_auth.http.me import MeHandlers, me_routes
from manor_auth.http.mfa import MfaHandlers, mfa_routes
from manor_auth.http.passwords import PasswordHandlers, password_routes
from manor_auth.http.personal import PersonalHandlers, personal_routes
from manor_auth.http.register import RegisterHandlers, register_routes
from manor_auth.http.sign_in import SignInHandlers, sign_in_routes
from manor_auth.keys import KeyRing
from manor_auth.passwords import Passwords
from manor_auth.personal import ErasingOneself, Exporting
from manor_auth.phrases import Phrases
from manor_auth.profile import Profile
from manor_auth.quotas import Quotas
from manor_auth.registering import Registering
from manor_auth.rotation import Rotation
from manor_auth.second_factor import SecondFactor
from manor_auth.sessions import Sessions
from manor_auth.signing_in import SigningIn
from manor_auth.tokens import Tokens, looks_like_token


class Auth:
    """Accounts, sessions and tokens for every API of this server."""

    Config = AuthConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        # Refresh tokens live longest.
        self._keys = KeyRing(
            context.data_dir / "keys", context.clock, lambda: timedelta(days=context.config.refresh_days)
        )
        self._rotation = Rotation(self._keys, context.clock, lambda: context.config.rotate_days)
        self._sessions = Sessions(context, Tokens(self._keys, context.clock, context.public_url or "manor"))
        self._sign_in = SignInHandlers(SigningIn(context, self._sessions), self._sessions)
        places, quotas = Places(context.link_url, context.frontend_url), Quotas(context.limits)
        self._registering = Registering(context, places, quotas)
        self._passwords = Passwords(context, places, quotas)
        self._register = RegisterHandlers(self._registering, places)
        self._api_keys = ApiKeys(context)
        self._key_commands = KeyCommands(context, self._keys)
        self._devices = Devices(context, Phrases())
        profile = Profile(context)
        self._me = MeHandlers(profile)
        self._exporting = Exporting(context)
        self._personal = PersonalHandlers(self._exporting, ErasingOneself(context), context.limits)
        self._pages = Pages(context.name, Path(__file__).parent, public_url=context.public_url)
        self._account = AccountHandlers(Account(context, places, quotas), profile, self._pages)
        self._mfa = MfaHandlers(SecondFactor(context))

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Every operation, group by group."""
        return [
            *sign_in_routes(self._sign_in),
            *register_routes(self._register),
            *password_routes(PasswordHandlers(self._passwords)),
            *me_routes(self._me),
            *mfa_routes(self._mfa),
            *key_routes(self._keys),
            *device_routes(DeviceHandlers(self._devices)),
            *key_list_routes(KeyHandlers(self._api_keys)),
            *account_routes(self._account, self._pages),
            *personal_routes(self._personal),
        ]

    @hookimpl
    def manor_authenticators(self) -> list[Authenticator]:
        """Access tokens, API keys and device tokens open APIs."""
        return [
            Authenticator("access", looks_like_token, self._sessions.authenticate),
            Authenticator("device", looks_like_device_token, self._devices.authenticate, make=self._devices.add),
            Authenticator("api_key", looks_like_key, self._api_keys.authenticate),
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
        return self._exporting.data

    @hookimpl
    def manor_jobs(self) -> list[JobHandler]:  # type: ignore[type-arg]
        """Links are made and mailed behind the answer, so that its time says nothing."""
        return [*self._registering.jobs, *self._passwords.jobs]

    @hookimpl
    def manor_commands(self) -> list[Command]:
        """Keys are replaced and ended from the shell."""
        return self._key_commands.all()

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
