"""Signing in with a provider's account: a browser that goes there and comes back, an app that was there already."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from manor import (
    BadRequest,
    Forbidden,
    Head,
    NewCredential,
    NotFound,
    PluginContext,
    Refused,
    TooManyRequests,
    Transaction,
    Unauthorized,
    Unavailable,
    User,
    delete_credential,
    find_by_secret,
    find_user,
    issue,
    local_path,
    new_secret,
)
from manor_auth.config import AuthConfig
from manor_auth.oidc.delivery import delivered, to_logins, to_page, to_sign_in, usual_target
from manor_auth.oidc.flow import LONGEST, Flow, Seal, begin
from manor_auth.oidc.id_tokens import TokenRefused
from manor_auth.oidc.kept import ProviderTrouble
from manor_auth.oidc.people import People, Vouched, vouched
from manor_auth.oidc.provider import Provider
from manor_auth.oidc.providers import Providers, title_of
from manor_auth.sessions import Opened, Pair, Sessions, Visitor
from manor_auth.web_sessions import WebSessions

CODE = "oauth_code"
CODE_LIFE = timedelta(seconds=60)


@dataclass(frozen=True)
class Sent:
    """Where a browser is sent, and what it is to keep.

    Args:
        location: Where to.
        sealed: What it keeps of a sign-in that has begun; "" for nothing any more, None for what it has.
        cookie: A whole `Set-Cookie` value instead.
    """

    location: str
    sealed: str | None = None
    cookie: str = ""


class Returned(msgspec.Struct, frozen=True):
    """What a provider sends a browser back with (RFC 6749 section 4.1.2, RFC 9207)."""

    state: str = ""
    code: str = ""
    error: str = ""
    iss: str = ""

    def __repr__(self) -> str:
        """Without what opens something, whatever log or traceback it lands in."""
        return "Returned(…)"


class ProviderSignIn:
    """One method for each step.

    Args:
        context: The plugin's.
        providers: With whom.
        people: Knows who somebody is here.
        sessions: Begins those of clients.
        web: Begins those of browsers.

    Attributes:
        is_https: Whether people come over https.
    """

    def __init__(
        self,
        context: PluginContext[AuthConfig],
        providers: Providers,
        people: People,
        sessions: Sessions,
        web: WebSessions,
    ) -> None:
        self.is_https = context.public_url.startswith("https:")
        self._storage = context.storage
        self._audit = context.audit
        self._clock = context.clock
        self._log = context.log
        self._config: Callable[[], AuthConfig] = lambda: context.config
        self._usual_target = usual_target(context.frontend_url)
        self._has_frontend = context.frontend_url not in ("", context.public_url)
        self._providers = providers
        self._people = people
        self._sessions = sessions
        self._web = web
        self._seal = Seal()

    # --- A browser goes there ------------------------------------------------------------------------------------

    async def begin(self, name: str, *, target: str, page: str | None, invite: str) -> Sent:
        """Send a browser to a provider.

        Args:
            name: Which one.
            target: Where tokens are wanted; "" for where they usually are taken.
            page: The page of ours that wants somebody signed in, in place of tokens.
            invite: A token that lets somebody sign up.

        Raises:
            NotFound: 404: there is no such provider.
            BadRequest: 400: tokens are not taken there, or what came is too long.
        """
        provider = self._web_provider(name)
        if target and target not in (self._usual_target, *self._config().allowed_redirects):
            raise BadRequest("redirect_uri: is none of the places that the configuration allows")
        flow = begin(
            name,
            self._clock.now().timestamp(),
            target=target,
            page=None if page is None else local_path(page),
            invite=invite,
        )
        return await self._send(provider, flow)

    async def begin_linking(self, name: str, session_id: UUID) -> Sent:
        """Send the browser of somebody who has signed in to a provider, so that they may come that way too.

        Args:
            name: Which one.
            session_id: Their session, which has to last until they are back.

        Raises:
            NotFound: 404: there is no such provider.
        """
        provider = self._web_provider(name)
        return await self._send(provider, begin(name, self._clock.now().timestamp(), link=str(session_id)))

    async def _send(self, provider: Provider, flow: Flow) -> Sent:
        sealed = self._seal.close(flow)
        if len(sealed) > LONGEST:
            raise BadRequest("next and invite_token are too long together")
        try:
            url = await provider.authorization_url(state=flow.state, nonce=flow.nonce, challenge=flow.challenge)
        except ProviderTrouble as trouble:
            self._warn(provider, trouble)
            return self._failed(flow, "provider_unavailable")
        return Sent(url, sealed)

    # --- and comes back --------------------------------------------------------------------------------------------

    async def finish(self, name: str, returned: Returned, sealed: str, head: Head) -> Sent:
        """Take a browser back, with its owner signed in or with a word that says why not.

        Args:
            name: The provider whose path it came back on.
            returned: What the provider sent along.
            sealed: What the browser kept; "" for nothing.
            head: The request.

        Raises:
            NotFound: 404: there is no such provider.
        """
        provider = self._web_provider(name)
        flow = self._seal.open(sealed, self._clock.now().timestamp())
        if flow is None or flow.provider != name or not _is_same(flow.state, returned.state):
            # Whatever the browser keeps is another sign-in's: strangers' links do not end that.
            return self._failed(None, "expired")
        if returned.iss not in ("", provider.config.issuer):
            return self._failed(flow, "sign_in_failed")
        if returned.error or not returned.code:
            return self._failed(flow, "access_denied" if returned.error == "access_denied" else "sign_in_failed")
        try:
            claims = await provider.claims_for(returned.code, verifier=flow.verifier, nonce=flow.nonce)
            who = vouched(name, title_of(provider), provider.config, claims)
            if flow.link:
                await self._people.link(who, UUID(flow.link))
                return Sent(to_logins(), "")
            return await self._let_in(who, flow, head)
        except ProviderTrouble as trouble:
            self._warn(provider, trouble)
            return self._failed(flow, "provider_unavailable")
        except TokenRefused as refused:
            self._warn(provider, refused)
            await self._note_refusal(name, str(refused), head.address)
            return self._failed(flow, "sign_in_failed")
        except Refused as refused:
            await self._note_refusal(name, refused.detail, head.address)
            return self._failed(flow, "too_many" if isinstance(refused, TooManyRequests) else refused.code)

    async def _let_in(self, who: Vouched, flow: Flow, head: Head) -> Sent:
        where = Visitor(head.address, head.headers.get("user-agent") or "")
        if flow.page is not None:
            secret = new_secret()

            def begin_page(transaction: Transaction, user: User) -> None:
                self._web.begin(transaction, user.id, head, secret, method=who.provider)

            await self._people.admit(who, address=head.address, invite=flow.invite, opening=begin_page)
            return Sent(to_page(flow.page), cookie=self._web.cookie(secret))
        way, target = self._config().token_delivery, flow.target or self._usual_target
        if way == "code":
            code = new_secret()

            def keep_code(transaction: Transaction, user: User) -> None:
                new = NewCredential(
                    kind=CODE,
                    user_id=user.id,
                    expires_at=transaction.now + CODE_LIFE,
                    meta={"provider": who.provider},
                )
                issue(transaction, new, code)

            await self._people.admit(who, address=head.address, invite=flow.invite, opening=keep_code)
            return Sent(delivered(target, way, {"code": code}), "")
        _, opened = await self._people.admit(
            who, address=head.address, invite=flow.invite, opening=self._opening(where, who.provider)
        )
        pair = self._sessions.pair(opened)
        values = {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_type": pair.token_type,
            "expires_in": str(pair.expires_in),
        }
        return Sent(delivered(target, way, values), "")

    def _failed(self, flow: Flow | None, word: str) -> Sent:
        if flow is None and not self._has_frontend:
            # Nobody knows any more what this was about: a page can say so.
            return Sent(to_sign_in(word))
        if flow is not None and flow.link:
            return Sent(to_logins(word), "")
        if flow is not None and flow.page is not None:
            return Sent(to_sign_in(word, flow.page), "")
        target = self._usual_target if flow is None else flow.target or self._usual_target
        way = self._config().token_delivery
        return Sent(delivered(target, way, {"error": word}), None if flow is None else "")

    # --- A code for tokens -----------------------------------------------------------------------------------------

    async def exchange(self, code: str, where: Visitor) -> tuple[User, Pair]:
        """What a code that a browser was sent on with stands for; it is spent by that.

        Raises:
            BadRequest: 400: it is unknown, spent or over.
            Forbidden: 403: the account was disabled meanwhile.
        """

        def work(transaction: Transaction) -> tuple[User, Opened] | None:
            found = find_by_secret(transaction, code, kind=CODE)
            if found is None or found.user_id is None:
                return None
            delete_credential(transaction, found.id)
            if not found.is_usable(transaction.now):
                return None
            user = find_user(transaction, user_id=found.user_id)
            if user is None or not user.is_active:
                raise Forbidden("This account is disabled")
            return user, self._opening(where, str(found.meta["provider"]))(transaction, user)

        let_in = await self._storage.write(work)
        if let_in is None:
            raise BadRequest("The code is unknown, spent or over: sign in again")
        user, opened = let_in
        return user, self._sessions.pair(opened)

    # --- An app was there already ----------------------------------------------------------------------------------

    async def mobile(self, name: str, token: str, subject: str, *, full_name: str, where: Visitor) -> tuple[User, Pair]:
        """Sign somebody in with a token that a provider gave to their app.

        Args:
            name: The provider.
            token: The ID token.
            subject: Whose the app says it is.
            full_name: What they may be called; "" when nobody says.
            where: Where from.

        Raises:
            NotFound: 404: the provider is not configured.
            Unauthorized: 401: the token is not to be believed.
            Unavailable: 503: the provider's keys are not to be had.
            Refused: What `People.admit` refuses.
        """
        provider = self._providers.find(name)
        if provider is None:
            raise NotFound("This provider is not configured here")
        try:
            claims = await provider.believed(token, audiences=provider.config.audiences, nonce=None)
            if claims.sub != subject:
                raise TokenRefused("it is somebody else's")
        except ProviderTrouble as trouble:
            self._warn(provider, trouble)
            raise Unavailable("The provider does not answer; try again later") from trouble
        except TokenRefused as refused:
            await self._note_refusal(name, str(refused), where.address)
            raise Unauthorized("The identity token is not accepted") from refused
        who = vouched(name, title_of(provider), provider.config, claims, full_name)
        try:
            user, opened = await self._people.admit(
                who, address=where.address, invite="", opening=self._opening(where, name)
            )
        except Refused as refusal:
            await self._note_refusal(name, refusal.detail, where.address)
            raise
        return user, self._sessions.pair(opened)

    # --- Inside ----------------------------------------------------------------------------------------------------

    def _web_provider(self, name: str) -> Provider:
        provider = self._providers.find(name)
        if provider is None or not provider.config.client_id:
            raise NotFound("This provider is not configured here")
        return provider

    def _opening(self, where: Visitor, method: str) -> Callable[[Transaction, User], Opened]:
        return lambda transaction, user: self._sessions.open(transaction, user.id, where, method=method)

    def _warn(self, provider: Provider, trouble: Exception) -> None:
        self._log.warning("auth.oidc provider=%s: %s", provider.name, trouble)

    async def _note_refusal(self, provider: str, reason: str, address: str) -> None:
        detail: dict[str, Any] = {"provider": provider, "reason": reason, "address": address}

        def work(transaction: Transaction) -> None:
            self._audit.record(transaction, "auth.sign_in_refused", actor="anonymous", detail=detail)

        await self._storage.write(work)


def _is_same(kept: str, returned: str) -> bool:
    return hmac.compare_digest(kept.encode(), returned.encode())
