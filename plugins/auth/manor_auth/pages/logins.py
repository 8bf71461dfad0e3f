"""One's accounts at providers, in a browser: which of them open this account, one more, one less."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from manor import Refused, Reply, Request, Route, redirect
from manor_auth.http.oidc import flow_cookie
from manor_auth.oidc.delivery import LOGINS
from manor_auth.oidc.linking import Linking
from manor_auth.oidc.signing_in import ProviderSignIn
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, SIGNED_IN, Face, Press, somebody

DONE = {"linked": "You can sign in that way from now on.", "forgotten": "You sign in that way no more."}

ERRORS = {
    "access_denied": "You did not let the provider say who you are.",
    "account_disabled": "This account is disabled.",
    "login_taken": "That account at the provider opens somebody else's account here.",
    "provider_unavailable": "The provider does not answer. Try again later.",
    "session_over": "You were signed out before you came back. Connect it once more.",
}
OTHER_ERROR = "That did not work. Try again."


class LoginsQuery(msgspec.Struct, frozen=True):
    """What was done last, or why it was not."""

    done: str = ""
    error: str = ""


class LoginsPages:
    """One method for each request.

    Args:
        face: Renders.
        signing_in: Sends browsers to providers.
        linking: Knows who comes in how.
    """

    def __init__(self, face: Face, signing_in: ProviderSignIn, linking: Linking) -> None:
        self._face = face
        self._signing_in = signing_in
        self._linking = linking

    async def show(self, request: Request[None, LoginsQuery]) -> Reply:
        """All of them."""
        query = request.query
        error = ERRORS.get(query.error, OTHER_ERROR) if query.error else ""
        return await self._page(request, done=DONE.get(query.done, ""), error=error)

    async def begin(self, request: Request[Press]) -> Reply:
        """Go to the provider."""
        _, session_id = somebody(request)
        try:
            sent = await self._signing_in.begin_linking(request.params["name"], session_id)
        except Refused as refused:
            return await self._page(request, refused)
        if not sent.sealed:
            return redirect(sent.location)
        # A page of its own: browsers do not let the answer to a form lead to another server (form-action).
        page = self._face.show(request, "going.html", url=sent.location)
        cookie = flow_cookie(sent.sealed, is_https=self._signing_in.is_https)
        return replace(page, headers={**page.headers, "Set-Cookie": cookie})

    async def forget(self, request: Request[Press]) -> Reply:
        """Come in that way no more."""
        user_id, _ = somebody(request)
        try:
            await self._linking.forget(user_id, request.params["name"])
        except Refused as refused:
            return await self._page(request, refused)
        return redirect(f"{LOGINS}?done=forgotten")

    async def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, *, done: str = "", error: str = ""
    ) -> Reply:
        user_id, _ = somebody(request)
        ways = await self._linking.ways(user_id)
        return self._face.show(request, "logins.html", refused, ways=ways, done=done, error=error)


def logins_pages(pages: LoginsPages, face: Face) -> list[Route]:
    """The list, and its two buttons."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=SIGNED_IN, returns=Reply)
    return [
        page("GET", LOGINS, pages.show, query=LoginsQuery),
        page("POST", f"{LOGINS}/{{name}}", pages.begin, form=Press, body_limit=FORM_LIMIT, errors=(404,)),
        page("POST", f"{LOGINS}/{{name}}/forget", pages.forget, form=Press, body_limit=FORM_LIMIT, errors=(404, 409)),
    ]
