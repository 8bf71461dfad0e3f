"""The accounts at providers that somebody comes in with: seen, and taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from manor import (
    Conflict,
    NotFound,
    PluginContext,
    Transaction,
    find_password_hash,
    list_logins,
    unlink_login,
)
from manor_auth.config import AuthConfig
from manor_auth.oidc.providers import TITLES, Providers


@dataclass(frozen=True)
class Way:
    """A provider, as its account page shows it.

    Args:
        name: Its table's.
        title: As people know it.
        since: When an account there was linked; None when none is.
        can_begin: Whether a browser can go there to link one.
    """

    name: str
    title: str
    since: datetime | None
    can_begin: bool


class Linking:
    """Shows and forgets them.

    Args:
        context: The plugin's.
        providers: Which there are.
    """

    def __init__(self, context: PluginContext[AuthConfig], providers: Providers) -> None:
        self._storage = context.storage
        self._audit = context.audit
        self._providers = providers

    async def ways(self, user_id: UUID) -> list[Way]:
        """Every provider of this server, and whatever others somebody comes in with."""
        logins = await self._storage.read(lambda transaction: list_logins(transaction, user_id))
        since = {login.provider: login.created_at for login in reversed(logins)}
        buttons = {name: title for name, title, _ in self._providers.shown()}
        return [
            Way(name, buttons.get(name) or TITLES.get(name, name), since.get(name), name in buttons)
            for name in dict.fromkeys((*buttons, *since))
        ]

    async def forget(self, user_id: UUID, name: str) -> None:
        """Have somebody come in through a provider no more.

        Raises:
            NotFound: 404: they never did.
            Conflict: 409: it is the only way in that they have.
        """

        def work(transaction: Transaction) -> None:
            logins = list_logins(transaction, user_id)
            gone = [login for login in logins if login.provider == name]
            if not gone:
                raise NotFound("You do not sign in through this provider")
            if len(gone) == len(logins) and find_password_hash(transaction, user_id) is None:
                raise Conflict("It is the only way in that you have: choose a password first")
            for login in gone:
                unlink_login(transaction, user_id, issuer=login.issuer, subject=login.subject)
            self._audit.record(
                transaction,
                "auth.login_unlinked",
                actor=str(user_id),
                target=str(user_id),
                detail={"provider": name},
            )

        await self._storage.write(work)
