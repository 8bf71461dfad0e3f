"""Basic authentication, as other servers' clients send it: with a key, a topic's token or (if allowed) a password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manor import (
    Address,
    Authenticator,
    Head,
    Identity,
    Presented,
    Principal,
    Query,
    Rate,
    RateLimiter,
    Storage,
    TooManyRequests,
    Unauthorized,
    check_password_of,
    find_user,
    fold_email,
    is_basic,
    read_base64,
    read_basic,
)
from manor_topics.tokens import TokenCheck, looks_like_token

BASIC = "basic"
"""The kind of credential; what comes out of it is of the kind that was sent, and of this one for a password."""

_API_KEY = "api_key"
_FAILURES = Rate(60)
"""Wrong ones that an address may send in a minute; a password's are counted as failed sign-ins besides."""


@dataclass(frozen=True)
class EncodedAuthorization(Query):
    """A whole `Authorization` header as a query parameter, base64url: for browsers, which set none on a WebSocket."""

    def find(self, head: Head) -> str | None:
        """What the header would have given; for what is none, something with a blank in it, which no secret has."""
        value = head.parameter(self.name)
        if not value:
            return None
        header = _decoded(value)
        scheme, _, secret = header.partition(" ")
        if scheme.lower() == "bearer":
            return secret.strip()
        return header if is_basic(header) else f"? {value}"


AUTH_PARAMETER = EncodedAuthorization("auth")


def _decoded(value: str) -> str:
    """The header in it; "" for what is none."""
    try:
        return read_base64(value).strip()
    except ValueError:
        return ""


class BasicCheck:
    """Recognises Basic credentials.

    A user's name or e-mail address goes with one of their API keys, or their password where that is allowed. A token
    stands alone, with an empty name: a topic's, or an API key.

    Args:
        identity: Knows credentials and passwords.
        storage: Knows people.
        limits: Counts failures of an address.
        takes_passwords: Whether a password is enough.
    """

    def __init__(
        self, identity: Identity, storage: Storage, limits: RateLimiter, takes_passwords: Callable[[], bool]
    ) -> None:
        self._identity = identity
        self._storage = storage
        self._limits = limits
        self._takes_passwords = takes_passwords
        self._tokens = TokenCheck(identity)

    @property
    def authenticator(self) -> Authenticator:
        """For the hook."""
        return Authenticator(BASIC, is_basic, self.authenticate)

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who stands behind it.

        Raises:
            TooManyRequests: The address has sent too many wrong ones, or the account is locked.
            Refused: The password is right, and not enough.
        """
        address = presented.head.address
        self._count(address, cost=0)
        name, secret = read_basic(presented.secret)
        try:
            principal = await self._find(name, secret, presented)
        except Unauthorized:
            self._count(address)
            raise
        if principal is None:
            self._count(address)
        return principal

    def _count(self, address: str, cost: int = 1) -> None:
        verdict = self._limits.take("topics basic", Address(address), _FAILURES, cost=cost)
        if not verdict.remaining and not cost:
            raise TooManyRequests("Too many wrong credentials; try again later", retry_after=verdict.reset_in)

    async def _find(self, name: str, secret: str, presented: Presented) -> Principal | None:
        if not secret:
            return None
        if not name and looks_like_token(secret):
            return await self._tokens.authenticate(Presented(secret, presented.head))
        key = await self._identity.authenticate(_API_KEY, secret)
        if key is not None:
            return key if not name or await self._is_called(key, name) else None
        if not name or not self._takes_passwords():
            return None
        user = await check_password_of(self._identity, self._storage, name, secret, address=presented.head.address)
        # Nobody administers the server with what senders keep in their configuration.
        return Principal(BASIC, user_id=user.id, scopes=frozenset({"*"}))

    async def _is_called(self, key: Principal, name: str) -> bool:
        user_id = key.user_id
        if user_id is None:
            return False
        user = await self._storage.read(lambda transaction: find_user(transaction, user_id=user_id))
        if user is None:
            return False
        return name.casefold() == user.username.casefold() or (
            user.email is not None and fold_email(name) == fold_email(user.email)
        )
