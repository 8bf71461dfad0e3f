"""What the pages have in common: who opens them, how a form says what is wrong, and where one goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from manor import Kinds, Pages, Rate, Refused, Reply, Request, Unauthorized, local_path, page_api, troubles_of
from manor_auth.http.api import NO_STORE
from manor_auth.web_sessions import KIND

AUTH_PAGES = replace(page_api("auth pages"), anonymous_rate=Rate(120), signed_in_rate=Rate(300), headers=NO_STORE)

SIGNED_IN = Kinds(KIND)

FORM_LIMIT = 65_536
"""Bytes of a form: the longest password there is needs 12,288 in a form's spelling."""

HOME = "/account"
"""Where people are led who did not come from anywhere."""

SECOND_FACTOR = f"{HOME}/second-factor"

FORMS = frozenset((f"{HOME}/password", f"{HOME}/sessions", f"{SECOND_FACTOR}/activate", f"{SECOND_FACTOR}/disable"))
"""Where the account's forms go. Nobody comes back to them: who sends one after their session ended begins anew."""

LONGEST_NEXT = 2_000


class Press(msgspec.Struct, frozen=True):
    """A form that is a button, with nothing in it but its token."""


class Face:
    """Renders pages and forms.

    Args:
        pages: The plugin's templates.
    """

    def __init__(self, pages: Pages) -> None:
        self.pages = pages

    def show(
        self,
        request: Request[Any, Any],
        template: str,
        refused: Refused | None = None,
        *,
        field: str = "",
        **values: Any,
    ) -> Reply:
        """Make a page; with a refusal the form says what was wrong with it.

        Args:
            request: What it answers.
            template: Its name.
            refused: Why a form was not taken.
            field: What a refusal that names no field is about; "" for the whole.
            values: What the template shows, among them what was typed; never a password.
        """
        troubles = {} if refused is None else troubles_of(refused, field)
        # 401 promises a challenge that a browser could answer by itself.
        status = 200 if refused is None else 422 if refused.status == 401 else refused.status
        page = self.pages.render(request, template, status=status, troubles=troubles, **values)
        more = {} if refused is None else refused.headers
        return replace(page, headers={**page.headers, **NO_STORE, **more})


def onward(text: str, otherwise: str = HOME) -> str:
    """Where `?next=` leads, as it stands in a header: a path of this server, else `otherwise`."""
    path = local_path(text, otherwise) if len(text) <= LONGEST_NEXT else otherwise
    if path in FORMS:
        return HOME
    return quote(path, safe="/%:@!$&'()*+,;=~?#[]")


def somebody(request: Request[Any, Any]) -> tuple[UUID, UUID]:
    """Who opened a page, and in which session, on routes that take only people who have signed in.

    Raises:
        Unauthorized: Nobody did.
    """
    for principal in request.principals:
        if principal.kind == KIND and principal.user_id is not None and principal.session_id is not None:
            return principal.user_id, principal.session_id
    raise Unauthorized("Sign in first")
