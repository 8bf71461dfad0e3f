"""Who a token stands for: sessions and personal access tokens, told apart by their first letter."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import trio
from sqlalchemy import select

from manor import Authenticator, Presented, Principal, Transaction, Unauthorized
from manor_chat.http.api import ACCESS_TOKEN, SESSION
from manor_chat.ids import ACCESS_LETTER, OAUTH_LETTER
from manor_chat.parts import Shared
from manor_chat.people.cookies import Cookies, is_in_cookie, is_proven
from manor_chat.tables.accounts import disabled_tokens

OF_BOT = "bot"
OF_PERSON = "person"
"""Scopes of a personal access token: a bot's works whether or not people may have some."""

_OVER = "Invalid or expired session, please login again."


class Credentials:
    """Recognises tokens.

    Args:
        shared: What all parts use.
        cookies: Has a browser forget what nobody knows.

    Attributes:
        switching: Held by whoever disables or enables a token, from before it is written until it is known here: of
            two at once the one that was written last is the one that holds.
    """

    def __init__(self, shared: Shared, cookies: Cookies) -> None:
        self._shared = shared
        self._identity = shared.context.identity
        self._cookies = cookies
        self._disabled: set[UUID] = set()
        self.switching = trio.Lock()

    def authenticators(self) -> Sequence[Authenticator]:
        """Sessions, and personal access tokens."""
        return [
            Authenticator(SESSION, lambda secret: secret[:1] not in (ACCESS_LETTER, OAUTH_LETTER), self._session),
            Authenticator(ACCESS_TOKEN, lambda secret: secret[:1] == ACCESS_LETTER, self._access_token),
        ]

    async def load(self) -> None:
        """Know which tokens are disabled."""

        def work(transaction: Transaction) -> set[UUID]:
            return set(transaction.connection.execute(select(disabled_tokens.c.credential_id)).scalars())

        self._disabled = await self._shared.storage.read(work)

    def disable(self, credential_id: UUID) -> None:
        """Have a token open nothing from now on; said before it is written, so that no request comes between."""
        self._disabled.add(credential_id)
        self._shared.hub.revoke(credential_id)

    def enable(self, credential_id: UUID) -> None:
        """Have it open what it opened before; said once it is written."""
        self._disabled.discard(credential_id)

    async def _session(self, presented: Presented) -> Principal | None:
        return self._placed(presented, await self._identity.authenticate(SESSION, presented.secret))

    async def _access_token(self, presented: Presented) -> Principal | None:
        principal = await self._identity.authenticate(ACCESS_TOKEN, presented.secret)
        if principal is not None and not self._is_on(principal):
            principal = None
        return self._placed(presented, principal)

    def _is_on(self, principal: Principal) -> bool:
        if principal.credential_id in self._disabled:
            return False
        return principal.has(OF_BOT) or self._shared.config.personal_access_tokens

    def _placed(self, presented: Presented, principal: Principal | None) -> Principal | None:
        """Whether it may come where it came.

        Raises:
            Unauthorized: 401: nobody knows the cookie, the page does not prove itself, or the token stands in the URL.
        """
        head, is_cookie = presented.head, is_in_cookie(presented.head, presented.secret)
        if principal is None:
            if is_cookie:
                raise Unauthorized(_OVER, headers={"Set-Cookie": self._cookies.cleared(head)})
            return None
        if head.parameter("access_token") == presented.secret:
            raise Unauthorized(
                "Session is not OAuth but token was provided in the query string",
                code="api.context.token_provided.app_error",
            )
        if is_cookie and not is_proven(head, presented.secret):
            raise Unauthorized(_OVER)
        return principal
