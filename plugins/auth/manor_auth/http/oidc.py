"""Signing in with accounts at other providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manor import PUBLIC, Cookie, Reply, Request, Route
from manor_auth.http.api import BODY_LIMIT, SIGN_IN, shown, visitor
from manor_auth.http.sign_in import SignedIn
from manor_auth.oidc.flow import COOKIE, LIFE_SECONDS
from manor_auth.oidc.id_tokens import LONGEST
from manor_auth.oidc.signing_in import ProviderSignIn, Returned, Sent

_GOOGLE = "google"
_APPLE = "apple"


class BeginQuery(msgspec.Struct, frozen=True):
    """`redirect_uri` is where tokens are taken, one of `allowed_redirects`; `next` a page of this server instead."""

    redirect_uri: str = ""
    next: str | None = None
    invite_token: str = ""


class FullName(msgspec.Struct, frozen=True, rename="camel"):
    """As Apple's own libraries write it."""

    given_name: Annotated[str, Meta(max_length=200)] | None = None
    family_name: Annotated[str, Meta(max_length=200)] | None = None


class AppleSignIn(msgspec.Struct, frozen=True):
    """What an app got from Apple; `user` is Apple's id of the person, and has to be the token's."""

    identity_token: Annotated[str, Meta(min_length=1, max_length=LONGEST)]
    user: Annotated[str, Meta(min_length=1, max_length=255)]
    full_name: FullName | None = None


class Exchange(msgspec.Struct, frozen=True):
    """The code that a sign-in ended with."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]


class OidcHandlers:
    """One method for each operation.

    Args:
        signing_in: The use-case.
    """

    def __init__(self, signing_in: ProviderSignIn) -> None:
        self._signing_in = signing_in

    async def google_login(self, request: Request[None, BeginQuery]) -> Reply:
        """Send a browser to Google, to sign in there."""
        return await self._login(_GOOGLE, request)

    async def google_callback(self, request: Request[None, Returned]) -> Reply:
        """Take a browser back from Google, and lead it on with tokens, a code, or a word that says why not."""
        return await self._callback(_GOOGLE, request)

    async def login(self, request: Request[None, BeginQuery]) -> Reply:
        """Send a browser to a provider, to sign in there."""
        return await self._login(request.params["name"], request)

    async def callback(self, request: Request[None, Returned]) -> Reply:
        """Take a browser back from a provider, and lead it on with tokens, a code, or a word that says why not."""
        return await self._callback(request.params["name"], request)

    async def apple(self, request: Request[AppleSignIn]) -> SignedIn:
        """Sign in with what an app got from Apple."""
        body = request.body
        names = (body.full_name.given_name, body.full_name.family_name) if body.full_name else ()
        user, pair = await self._signing_in.mobile(
            _APPLE,
            body.identity_token,
            body.user,
            full_name=" ".join(each for each in names if each),
            where=visitor(request),
        )
        return SignedIn(**msgspec.structs.asdict(pair), user=shown(user))

    async def exchange(self, request: Request[Exchange]) -> SignedIn:
        """Tokens for the code that a sign-in ended with, once and within a minute."""
        user, pair = await self._signing_in.exchange(request.body.code, visitor(request))
        return SignedIn(**msgspec.structs.asdict(pair), user=shown(user))

    async def _login(self, name: str, request: Request[None, BeginQuery]) -> Reply:
        query = request.query
        sent = await self._signing_in.begin(name, target=query.redirect_uri, page=query.next, invite=query.invite_token)
        return self._reply(sent)

    async def _callback(self, name: str, request: Request[None, Returned]) -> Reply:
        sealed = Cookie(COOKIE).find(request.head) or ""
        return self._reply(await self._signing_in.finish(name, request.query, sealed, request.head))

    def _reply(self, sent: Sent) -> Reply:
        # An answer has one cookie. Where somebody's session is it, what the browser kept for the provider is left to
        # its ten minutes; it is worth nothing without another code.
        headers = {"Location": sent.location}
        if sent.cookie:
            headers["Set-Cookie"] = sent.cookie
        elif sent.sealed is not None:
            headers["Set-Cookie"] = flow_cookie(sent.sealed, is_https=self._signing_in.is_https)
        return Reply(b"", 303 if sent.cookie else 302, "", headers)


def flow_cookie(sealed: str, *, is_https: bool) -> str:
    """What has a browser keep a sign-in that has begun; "" has it forget."""
    prefix, secure = ("__Host-", "; Secure") if is_https else ("", "")
    seconds = LIFE_SECONDS if sealed else 0
    # Lax: the way back from the provider is a navigation from a foreign page, and has to bring it along.
    return f"{prefix}{COOKIE}={sealed}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def oidc_routes(handlers: OidcHandlers) -> list[Route]:
    """Google, every other provider, Apple's apps, and codes."""
    return [
        *_browser_routes("/auth/google", handlers.google_login, handlers.google_callback),
        *_browser_routes("/auth/oidc/{name}", handlers.login, handlers.callback),
        Route(
            "POST",
            "/auth/apple/mobile",
            handlers.apple,
            api=SIGN_IN,
            access=PUBLIC,
            body=AppleSignIn,
            body_limit=2 * BODY_LIMIT,
            returns=SignedIn,
            errors=(401, 403, 404, 409, 503),
        ),
        Route(
            "POST",
            "/auth/oauth/exchange",
            handlers.exchange,
            api=SIGN_IN,
            access=PUBLIC,
            body=Exchange,
            body_limit=BODY_LIMIT,
            returns=SignedIn,
            errors=(403,),
        ),
    ]


def _browser_routes(prefix: str, login: Callable[..., Any], callback: Callable[..., Any]) -> list[Route]:
    return [
        Route(
            "GET",
            f"{prefix}/login",
            login,
            api=SIGN_IN,
            access=PUBLIC,
            query=BeginQuery,
            returns=Reply,
            status=302,
            errors=(404,),
        ),
        Route(
            "GET",
            f"{prefix}/callback",
            callback,
            api=SIGN_IN,
            access=PUBLIC,
            query=Returned,
            returns=Reply,
            status=302,
            errors=(404,),
        ),
    ]
