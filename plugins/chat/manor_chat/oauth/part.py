"""Programs that act for people."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Authenticator, Migration, Part, Presented, Principal, Route
from manor_chat.http.api import OAUTH
from manor_chat.http.oauth import OAuthHandlers
from manor_chat.http.oauth_apps import oauth_app_routes
from manor_chat.ids import OAUTH_LETTER, TOKEN_LENGTH
from manor_chat.migrations.oauth import STEP
from manor_chat.parts import Shared


class OAuthProvider(Part):
    """Consent, tokens, and who has which program."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._identity = shared.context.identity

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return [*oauth_app_routes(self._shared), *OAuthHandlers(self._shared).routes()]

    def migrations(self) -> Sequence[Migration]:
        """Tables."""
        return [STEP]

    def authenticators(self) -> Sequence[Authenticator]:
        """Tokens of programs."""
        return [Authenticator(OAUTH, _is_oauth_token, self._authenticate)]

    async def _authenticate(self, presented: Presented) -> Principal | None:
        return await self._identity.authenticate(OAUTH, presented.secret)


def _is_oauth_token(secret: str) -> bool:
    return len(secret) == TOKEN_LENGTH and secret.startswith(OAUTH_LETTER)
