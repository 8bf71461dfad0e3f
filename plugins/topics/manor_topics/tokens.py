"""Topic tokens: secrets that open one topic, for reading, publishing or both."""

from __future__ import annotations

from dataclasses import replace

from manor import Identity, Presented, Principal
from manor_topics.rights import TOPIC_TOKEN

PREFIX = "tk_"
LONGEST = 256
"""No token is longer; what is, is not looked for."""


def looks_like_token(secret: str) -> bool:
    """Whether a secret may be a topic token."""
    return secret.startswith(PREFIX) and len(secret) <= LONGEST


class TokenCheck:
    """Recognises topic tokens.

    Args:
        identity: Knows credentials.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def authenticate(self, presented: Presented) -> Principal | None:
        """The token's principal: it opens its topic and is nobody, whoever made it."""
        return _nameless(await self._identity.authenticate(TOPIC_TOKEN, presented.secret))

    def known(self, presented: Presented) -> Principal | None:
        """The same from memory alone."""
        return _nameless(self._identity.known(TOPIC_TOKEN, presented.secret))


def _nameless(principal: Principal | None) -> Principal | None:
    return None if principal is None else replace(principal, user_id=None, is_admin=False)
