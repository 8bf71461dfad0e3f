"""API keys: what programs sign in with, made by people or by other keys, and never worth more than their maker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from manor import (
    Credential,
    FieldProblem,
    Forbidden,
    NewCredential,
    NotFound,
    PluginContext,
    Presented,
    Principal,
    ScopeDeclaration,
    TierLimit,
    Transaction,
    Unauthorized,
    Unprocessable,
    delete_credential,
    find_credential,
    find_user,
    issue,
    list_credentials,
    new_secret,
    revoke,
)
from manor_auth.config import AuthConfig

KIND = "api_key"
PREFIX = "noti_"
SHOWN = 8
"""Characters of a key that its owner tells it from others by."""

LONGEST = 256
"""No key is longer; what is, is not looked for."""

ScopeName = Literal[
    "*",
    "publish",
    "subscribe",
    "topics:read",
    "topics:write",
    "messages:write",
    "teams",
    "devices",
    "subscriptions",
    "keys",
]

SCOPES: tuple[str, ...] = get_args(ScopeName)

SCOPE = ScopeDeclaration("keys", "See, make, revoke and delete your API keys")

LIMITS = [
    TierLimit("api_keys", {"": 1}, "Whether API keys may be made"),
    TierLimit("max_keys", {"": 50, "ESSENTIALS": 100, "TEAM": 500, "BUSINESS": 0}, "API keys that one person has"),
]


class WantedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody wants; see `manor.Credential`."""

    name: str
    description: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None


class ApiKeys:
    """Makes, lists, revokes and deletes the keys of people.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._storage = context.storage
        self._identity = context.identity
        self._audit = context.audit
        self._tiers = context.tiers
        self._clock = context.clock

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who a key stands for, while it and its owner are good."""
        return await self._identity.authenticate(KIND, presented.secret)

    def known(self, presented: Presented) -> Principal | None:
        """The same from memory alone."""
        return self._identity.known(KIND, presented.secret)

    async def list(self, user_id: UUID) -> Sequence[Credential]:
        """Someone's keys, the newest first; revoked and expired ones too."""
        keys = await self._storage.read(lambda transaction: list_credentials(transaction, kind=KIND, user_id=user_id))
        return keys[::-1]

    def is_active(self, key: Credential) -> bool:
        """Whether a key still opens something."""
        return key.is_usable(self._clock.now())

    async def create(self, maker: Principal, wanted: WantedKey) -> tuple[Credential, str]:
        """Make a key.

        Args:
            maker: A session, or a key that makes another one: within its own scopes, and living no longer than it.
            wanted: The key. Without a time of its own it ends with the key that makes it.

        Returns:
            The key, and its secret, which is kept nowhere.

        Raises:
            Unprocessable: 422: it would have expired already.
            Forbidden: 403: the maker may not give that away, or has as many keys as the tier allows.
        """
        secret = new_secret(PREFIX)

        def work(transaction: Transaction) -> Credential:
            user_id = self._check_quota(transaction, maker)
            expires_at = _expiry(transaction, maker, wanted)
            new = NewCredential(
                kind=KIND,
                user_id=user_id,
                scopes=wanted.scopes,
                label=wanted.name,
                expires_at=expires_at,
                prefix=secret[:SHOWN],
                meta={"description": wanted.description} if wanted.description else {},
            )
            credential = issue(transaction, new, secret)
            detail = {"scopes": list(wanted.scopes), "expires_at": expires_at, "with": maker.kind}
            self._record(transaction, "auth.key_made", user_id, credential.id, detail)
            return credential

        return await self._storage.write(work), secret

    async def revoke(self, user_id: UUID, key_id: UUID | None) -> Credential:
        """Have a key open nothing from now on, and keep its row; once more changes nothing.

        Raises:
            NotFound: They have no key of that id.
        """

        def work(transaction: Transaction) -> Credential:
            key = _own(transaction, user_id, key_id)
            if revoke(transaction, key.id):
                self._record(transaction, "auth.key_revoked", user_id, key.id)
            return _own(transaction, user_id, key_id)

        return await self._storage.write(work)

    async def delete(self, user_id: UUID, key_id: UUID | None) -> None:
        """Remove a key with its row.

        Raises:
            NotFound: They have no key of that id.
        """

        def work(transaction: Transaction) -> None:
            key = _own(transaction, user_id, key_id)
            delete_credential(transaction, key.id)
            self._record(transaction, "auth.key_deleted", user_id, key.id)

        await self._storage.write(work)

    def _check_quota(self, transaction: Transaction, maker: Principal) -> UUID:
        user = None if maker.user_id is None else find_user(transaction, user_id=maker.user_id)
        if user is None:
            raise Unauthorized("This account is gone")
        if not self._tiers.limit("api_keys", user.tier):
            raise Forbidden(f"API keys are not part of the plan {user.tier}")
        most = self._tiers.limit("max_keys", user.tier)
        if most:
            keys = list_credentials(transaction, kind=KIND, user_id=user.id)
            if sum(key.is_usable(transaction.now) for key in keys) >= most:
                raise Forbidden(f"The plan {user.tier} has room for {most} API keys; delete or revoke one first")
        return user.id

    def _record(
        self, transaction: Transaction, action: str, user_id: UUID, key_id: UUID, detail: dict[str, Any] | None = None
    ) -> None:
        self._audit.record(
            transaction, action, actor=str(user_id), target=str(user_id), detail={"key": str(key_id), **(detail or {})}
        )


def looks_like_key(secret: str) -> bool:
    """Whether this is written as API keys are; cheap."""
    return len(secret) <= LONGEST and secret.startswith(PREFIX)


def _own(transaction: Transaction, user_id: UUID, key_id: UUID | None) -> Credential:
    """Someone's key; somebody else's is as unknown as one that was never made."""
    key = None if key_id is None else find_credential(transaction, key_id)
    if key is None or key.kind != KIND or key.user_id != user_id:
        raise NotFound("There is no such API key")
    return key


def _expiry(transaction: Transaction, maker: Principal, wanted: WantedKey) -> datetime | None:
    """When the key ends, with all that its maker may not give away refused."""
    if wanted.expires_at is not None and wanted.expires_at <= transaction.now:
        message = "expected a time to come"
        raise Unprocessable(f"expires_at: {message}", errors=[FieldProblem("expires_at", message)])
    if maker.kind != KIND:
        return wanted.expires_at
    parent = None if maker.credential_id is None else find_credential(transaction, maker.credential_id)
    if parent is None or not parent.is_usable(transaction.now):
        raise Unauthorized("This API key is unknown, expired or revoked")
    beyond = [] if "*" in parent.scopes else [scope for scope in wanted.scopes if scope not in parent.scopes]
    if beyond:
        raise Forbidden(f"An API key makes others within its own scopes, and this one lacks: {', '.join(beyond)}")
    if parent.expires_at is None or wanted.expires_at is None:
        return wanted.expires_at or parent.expires_at
    if wanted.expires_at > parent.expires_at:
        raise Forbidden("An API key makes none that live longer than itself")
    return wanted.expires_at
