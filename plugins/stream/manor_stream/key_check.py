"""The stream key: checked the same way for encoders and for the admin API, guesses counted together."""

from __future__ import annotations

import hmac
from uuid import UUID

from manor import Address, Authenticator, Presented, Principal, Rate, RateLimiter, TooManyRequests, is_basic, read_basic
from manor_stream.settings import Settings

STREAM_ADMIN = "stream_admin"
"""The kind of credential that the user `admin` with the stream key is."""

ADMIN_ID = UUID("57a3a000-0000-4000-8000-000000000001")
"""Names that credential where limits and streams are counted; it has no row."""

USER = "admin"

FAILURES = Rate(20)
"""Wrong keys that one address may send in a minute, to encoders' port and to the API together."""


class KeyCheck:
    """Checks stream keys.

    Args:
        settings: Know the key.
        limits: Count what failed.
    """

    def __init__(self, settings: Settings, limits: RateLimiter) -> None:
        self._settings = settings
        self._limits = limits

    @property
    def authenticator(self) -> Authenticator:
        """For the hook."""
        return Authenticator(STREAM_ADMIN, is_basic, self._authenticate)

    def check(self, key: str, address: str) -> bool:
        """Whether it is the key, in constant time.

        Raises:
            TooManyRequests: The address has sent too many wrong ones.
        """
        verdict = self._limits.take("stream key", Address(address), FAILURES, cost=0)
        if not verdict.remaining:
            raise TooManyRequests("Too many wrong stream keys; try again later", retry_after=verdict.reset_in)
        is_right = hmac.compare_digest(key.encode("utf-8", "replace"), self._settings.now.key.encode())
        if not is_right:
            self._limits.take("stream key", Address(address), FAILURES)
        return is_right

    async def _authenticate(self, presented: Presented) -> Principal | None:
        name, password = read_basic(presented.secret)
        # Both are compared whatever the first one said.
        is_admin = hmac.compare_digest(name.encode("utf-8", "replace"), USER.encode())
        has_key = self.check(password, presented.head.address)
        return (
            Principal(STREAM_ADMIN, credential_id=ADMIN_ID, scopes=frozenset({"*"})) if is_admin and has_key else None
        )
