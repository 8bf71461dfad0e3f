"""OAuth outside of `/api/v4`: consent, tokens, and what tells programs where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from manor import (
    PUBLIC,
    Cookie,
    Kinds,
    Pages,
    Rate,
    Refused,
    Reply,
    Request,
    Route,
    Transaction,
    page_api,
    redirect,
)
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import COOKIE, IN_PERSON, SESSION, ChatCookie
from manor_chat.http.params import id_member
from manor_chat.oauth.granting import (
    SCOPE,
    Asked,
    Tokens,
    allow,
    check_asked,
    check_client,
    deauthorize,
    deny,
    fault,
    redeem,
    refresh,
)
from manor_chat.oauth.token_form import read_token_form
from manor_chat.parts import Shared
from manor_chat.people.cookies import CONSENT_PATH
from manor_chat.rights import Rights
from manor_chat.store.oauth import is_granted

PAGE_KINDS = ("web_session", SESSION)
OAUTH_PAGES = replace(
    page_api("oauth pages", kinds=PAGE_KINDS, places=(Cookie("manor_session"), ChatCookie(COOKIE))),
    anonymous_rate=Rate(120),
    signed_in_rate=Rate(600),
)
"""Consent is given by a browser that is signed in, to the pages or to chat."""


class ConsentForm(Asked, frozen=True, kw_only=True):
    """What somebody decided about what a program asks."""

    decision: str = ""


class DeauthorizedApp(msgspec.Struct, frozen=True):
    """A program that may act no more."""

    client_id: str


class OAuthHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._pages = Pages("chat", Path(__file__).parent.parent, public_url=shared.context.public_url)

    def routes(self) -> list[Route]:
        """Pages, the API, and where programs look."""
        shared, api = self._shared, replace(self._shared.api, name="chat oauth", prefixes=("/oauth",))
        page, signed_in = self._pages.page, Kinds(*PAGE_KINDS)
        return [
            page("GET", "/oauth/authorize", self.ask, access=signed_in, query=Asked, api=OAUTH_PAGES),
            page("POST", CONSENT_PATH, self.decide, access=signed_in, form=ConsentForm, api=OAUTH_PAGES),
            Route("POST", "/oauth/authorize", self.authorize, api=api, access=IN_PERSON, body=Asked, tag="OAuth"),
            Route(
                "POST",
                "/oauth/access_token",
                self.token,
                api=api,
                access=PUBLIC,
                body=bytes,
                body_limit=16_384,
                returns=Tokens,
                rate=Rate(300),
                errors=(403, 404),
                tag="OAuth",
            ),
            Route(
                "POST", "/oauth/deauthorize", self.deauthorize, api=api, access=IN_PERSON, body=DeauthorizedApp,
                tag="OAuth",
            ),
            Route(
                "GET", "/.well-known/oauth-authorization-server", self.metadata, api=shared.api, access=PUBLIC,
                tag="OAuth",
            ),
        ]  # fmt: skip

    # --- Consent ---------------------------------------------------------------------------------------------------

    async def ask(self, request: Request[None, Asked]) -> Reply:
        """Ask somebody whether a program may act for them; one that is trusted, or was let before, goes on."""
        asked, user_id = request.query, request.user_id
        assert user_id is not None, "access says so"

        def look(transaction: Transaction) -> Any:
            app = check_asked(transaction, asked)
            return app, app.is_trusted or is_granted(transaction, user_id, app.id)

        app, is_known = await self._shared.storage.read(look)
        if is_known:
            location = await self._shared.storage.write(lambda transaction: allow(transaction, user_id, asked))
            return redirect(location)
        return self._pages.render(request, "authorize.html", app=app, asked=asked, policy=_policy(asked))

    async def decide(self, request: Request[ConsentForm]) -> Reply:
        """Lead the browser back to the program with a code, or with a no."""
        form, user_id = request.body, request.user_id
        assert user_id is not None, "access says so"
        is_allowed = form.decision == "allow"

        def work(transaction: Transaction) -> str:
            return allow(transaction, user_id, form) if is_allowed else deny(transaction, form)

        return redirect(await self._shared.storage.write(work))

    async def authorize(self, request: Request[Asked]) -> Reply:
        """The same for a page of an app's own: where to lead the browser. No program lets another one in."""

        def work(transaction: Transaction, rights: Rights) -> str:
            return allow(transaction, rights.user_id, request.body)

        return answer({"redirect": await self._shared.write(request, work)})

    async def deauthorize(self, request: Request[DeauthorizedApp]) -> Reply:
        """Have a program act for oneself no more: all its tokens are worthless at once."""
        app_id = id_member(request.body.client_id, "client_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            deauthorize(transaction, rights.user_id, app_id)

        await self._shared.write(request, work)
        return STATUS_OK

    # --- Tokens ----------------------------------------------------------------------------------------------------

    async def token(self, request: Request[bytes]) -> Reply:
        """Tokens for a code or a refresh token; a form, as RFC 6749 says."""
        form = read_token_form(request.body, request.headers.get("authorization") or "")
        grant_type = form.get("grant_type", "")
        if grant_type not in ("authorization_code", "refresh_token"):
            raise fault("get_access_token.bad_grant", "invalid_request: Bad grant_type")
        wanted = "code" if grant_type == "authorization_code" else "refresh_token"
        if not form.get(wanted):
            raise fault(f"get_access_token.missing_{wanted}", f"invalid_request: Missing {wanted}")

        def work(transaction: Transaction) -> Tokens | Refused:
            app = check_client(transaction, form.get("client_id", ""), form.get("client_secret", ""))
            if grant_type == "refresh_token":
                return refresh(transaction, app, form["refresh_token"])
            verifier = form.get("code_verifier", "")
            return redeem(transaction, app, form["code"], form.get("redirect_uri", ""), verifier)

        tokens = await self._shared.storage.write(work)
        if isinstance(tokens, Refused):
            # Raised here rather than there: a code that came twice has revoked what it brought.
            raise tokens
        return answer(tokens, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def metadata(self, request: Request) -> Reply:
        """Where a program finds what (RFC 8414)."""
        here = self._shared.context.public_url or self._shared.context.link_url
        return answer(
            {
                "issuer": here,
                "authorization_endpoint": f"{here}/oauth/authorize",
                "token_endpoint": f"{here}/oauth/access_token",
                "response_types_supported": ["code", "token"],
                "grant_types_supported": ["authorization_code", "refresh_token", "implicit"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": [SCOPE],
            }
        )


def _policy(asked: Asked) -> dict[str, str]:
    """The form leads on to the program's address, which the policy has to let it."""
    scheme, _, rest = asked.redirect_uri.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    target = f"{scheme}://{host}" if scheme in ("http", "https") and host else f"{scheme.partition(':')[0]}:"
    return {"form-action": f"'self' {target}"}
