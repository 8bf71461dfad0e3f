"""What people may ask of a server that knows them: all of it in one file, and that it forgets them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from manor import (
    BadRequest,
    Forbidden,
    PersonalData,
    PluginContext,
    Transaction,
    Unauthorized,
    User,
    WrongCredentials,
    check_own_password,
    find_password_hash,
    find_user,
    list_credentials,
)
from manor_auth.api_keys import KIND
from manor_auth.config import AuthConfig

CATEGORIES = ("account", "topics", "messages", "devices", "subscriptions", "api_keys", "access_tokens")
"""What `data_categories` lists, whichever plugins run."""

ALWAYS = ("topics", "messages", "devices", "api_keys", "topic_access_tokens", "subscriptions")
"""The sections that clients expect, whichever plugins run."""


class KeyExported(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: UUID
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    description: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class Exporting:
    """Writes exports.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._storage = context.storage
        self._identity = context.identity
        self._audit = context.audit
        self._clock = context.clock
        self.data = PersonalData(sections=("api_keys",), export=self._keys, erase=_nothing_to_erase)

    def now(self) -> datetime:
        """For the file's name."""
        return self._clock.now()

    async def begin(self, user_id: UUID) -> tuple[User, AsyncGenerator[bytes, None]]:
        """Begin an export, and note that it was asked for.

        Returns:
            Whose it is, and its JSON piece by piece; whoever takes it closes it.

        Raises:
            Unauthorized: They are gone since their credential was checked.
        """

        def work(transaction: Transaction) -> User:
            user = find_user(transaction, user_id=user_id)
            if user is None:
                raise Unauthorized("This account is gone")
            self._audit.record(transaction, "auth.data_exported", actor=str(user_id), target=str(user_id))
            return user

        user = await self._storage.write(work)
        now = self._clock.now()
        head = {"exported_at": now, "user_id": user.id, "data_categories": CATEGORIES}

        def tail(counts: Mapping[str, int]) -> Mapping[str, Any]:
            counted = ("topics", "messages", "devices", "subscriptions", "api_keys")
            totals = {f"total_{section}": counts.get(section, 0) for section in counted}
            return totals | {"account_age_days": (now - user.created_at).days}

        return user, self._identity.personal.export_json(user_id, head=head, always=ALWAYS, tail=tail)

    async def _keys(self, user_id: UUID) -> AsyncGenerator[tuple[str, msgspec.Struct], None]:
        keys = await self._storage.read(lambda transaction: list_credentials(transaction, kind=KIND, user_id=user_id))
        for key in keys:
            yield (
                "api_keys",
                KeyExported(
                    id=key.id,
                    name=key.label,
                    key_prefix=key.prefix,
                    scopes=key.scopes,
                    description=key.meta.get("description"),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                    last_used_at=key.last_used_at,
                    revoked_at=key.revoked_at,
                ),
            )


class ErasingOneself:
    """Lets people go.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._context = context
        self._storage = context.storage
        self._identity = context.identity

    async def erase(self, user_id: UUID, password: str, *, address: str) -> None:
        """Remove someone's account at once, and by and by everything that they left.

        Args:
            user_id: Whose.
            password: Theirs, asked for again.
            address: Where the request comes from.

        Raises:
            BadRequest: The password is wrong. Not 401: clients would refresh and try again.
            Forbidden: They have none, for they came through another provider: the admin does it.
            TooManyRequests: Too many failures.
        """
        if await self._storage.read(lambda transaction: find_password_hash(transaction, user_id)) is None:
            contact = self._context.config.admin_contact
            whom = f"the admin of this server ({contact})" if contact else "the admin of this server"
            raise Forbidden(f"This account has no password: ask {whom} to delete it")
        try:
            await check_own_password(self._identity, self._storage, user_id, password, address=address)
        except WrongCredentials as wrong:
            raise BadRequest("The password is wrong") from wrong
        await self._storage.write(
            lambda transaction: self._identity.personal.erase(transaction, user_id, actor=str(user_id))
        )


def _nothing_to_erase(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Everything of this plugin is in the core's tables, which the core clears itself."""
    return 0
