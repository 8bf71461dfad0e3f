"""The parts of this plugin, made from its context and from each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from manor import Pages, PluginContext, RateLimiter
from manor_auth.account import Account
from manor_auth.administering import KeyCommands
from manor_auth.api_keys import ApiKeys
from manor_auth.config import AuthConfig
from manor_auth.devices import Devices
from manor_auth.domain import Places
from manor_auth.inviting import Inviting
from manor_auth.keys import KeyRing
from manor_auth.oidc.linking import Linking
from manor_auth.oidc.people import People
from manor_auth.oidc.providers import Providers
from manor_auth.oidc.signing_in import ProviderSignIn
from manor_auth.passwords import Passwords
from manor_auth.personal import ErasingOneself, Exporting
from manor_auth.phrases import Phrases
from manor_auth.profile import Profile
from manor_auth.quotas import Quotas
from manor_auth.registering import Registering
from manor_auth.rotation import Rotation
from manor_auth.second_factor import SecondFactor
from manor_auth.second_steps import SecondSteps
from manor_auth.sessions import Sessions
from manor_auth.setting_up import SettingUp
from manor_auth.signing_in import SigningIn
from manor_auth.tokens import Tokens
from manor_auth.web_sessions import WebSessions


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One of each, by what it does."""

    context: PluginContext[AuthConfig]
    places: Places
    limits: RateLimiter
    pages: Pages
    keys: KeyRing
    rotation: Rotation
    sessions: Sessions
    signing_in: SigningIn
    providers: Providers
    provider_sign_in: ProviderSignIn
    linking: Linking
    registering: Registering
    passwords: Passwords
    api_keys: ApiKeys
    devices: Devices
    profile: Profile
    account: Account
    second_factor: SecondFactor
    exporting: Exporting
    erasing: ErasingOneself
    key_commands: KeyCommands
    web_sessions: WebSessions
    second_steps: SecondSteps
    setting_up: SettingUp
    inviting: Inviting


def assemble(context: PluginContext[AuthConfig]) -> Parts:
    """Make them all; nothing is read, written or begun by it."""
    places, quotas = Places(context.link_url, context.frontend_url), Quotas(context.limits)
    # Refresh tokens live longest.
    keys = KeyRing(
        context.data_dir / "keys",
        context.clock,
        longest_life=lambda: timedelta(days=context.config.refresh_days),
        signing=lambda: context.config.signing,
    )
    sessions = Sessions(context, Tokens(keys, context.clock, context.public_url or "manor"))
    providers, web_sessions = Providers(context), WebSessions(context)
    return Parts(
        context=context,
        places=places,
        limits=context.limits,
        pages=Pages(context.name, Path(__file__).parent, public_url=context.public_url),
        keys=keys,
        rotation=Rotation(keys, context.clock, lambda: context.config.rotate_days),
        sessions=sessions,
        signing_in=SigningIn(context, sessions),
        providers=providers,
        provider_sign_in=ProviderSignIn(context, providers, People(context, places, quotas), sessions, web_sessions),
        linking=Linking(context, providers),
        registering=Registering(context, places, quotas),
        passwords=Passwords(context, places, quotas),
        api_keys=ApiKeys(context),
        devices=Devices(context, Phrases()),
        profile=Profile(context),
        account=Account(context, places, quotas),
        second_factor=SecondFactor(context),
        exporting=Exporting(context),
        erasing=ErasingOneself(context),
        key_commands=KeyCommands(context, keys),
        web_sessions=web_sessions,
        second_steps=SecondSteps(context.storage, context.clock),
        setting_up=SettingUp(context, places, web_sessions),
        inviting=Inviting(context),
    )
