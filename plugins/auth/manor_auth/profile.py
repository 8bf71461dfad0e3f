"""What the server knows of somebody, and what they agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from manor import (
    Consent,
    PluginContext,
    Transaction,
    Unauthorized,
    User,
    find_user,
    list_consents,
    list_logins,
    note_terms,
    record_consent,
)
from manor_auth.config import AuthConfig

TERMS = "tos"
"""The consent that everybody gives to be here."""


@dataclass(frozen=True)
class Known:
    """Somebody, and the provider that they came from, if they did."""

    user: User
    provider: str | None


class Profile:
    """Answers people's questions about themselves.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._storage = context.storage
        self._audit = context.audit
        self._terms_version = context.identity.config.terms_version

    async def show(self, user_id: UUID) -> Known:
        """Who somebody is.

        Raises:
            Unauthorized: They are gone since their credential was checked.
        """

        def work(transaction: Transaction) -> Known | None:
            user = find_user(transaction, user_id=user_id)
            logins = list_logins(transaction, user_id)
            return None if user is None else Known(user, logins[0].provider if logins else None)

        known = await self._storage.read(work)
        if known is None:
            raise Unauthorized("This account is gone")
        return known

    async def accept_terms(self, user_id: UUID, method: str) -> Consent:
        """Keep that somebody accepted the terms as they are now.

        Args:
            user_id: Who.
            method: How, as their client calls it.
        """

        def work(transaction: Transaction) -> Consent:
            note_terms(transaction, user_id)
            detail = {"version": self._terms_version, "method": method}
            self._audit.record(
                transaction, "auth.terms_accepted", actor=str(user_id), target=str(user_id), detail=detail
            )
            return record_consent(
                transaction, user_id, consent_type=TERMS, document_version=self._terms_version, method=method
            )

        return await self._storage.write(work)

    async def consents(self, user_id: UUID) -> list[Consent]:
        """All that somebody agreed to, the newest first."""
        return await self._storage.read(lambda transaction: list_consents(transaction, user_id))
