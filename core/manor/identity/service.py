"""What plugins get as `context.identity`: the parts of identity that hold something between transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from manor.auth import Principal
from manor.clock import Clock
from manor.config import IdentityConfig
from manor.events import Subscription
from manor.identity.housekeeping import tidy
from manor.identity.passwords import Hasher
from manor.identity.personal import Personal
from manor.identity.resolving import Resolver
from manor.identity.revocation import Revocation
from manor.limits import RateLimiter
from manor.live import LiveService
from manor.storage import Storage
from manor.tasks import BackgroundTask


class Identity:
    """Hashing, settings, and who a secret stands for; all else is asked with the functions beside it, in the caller's
    own transaction.

    Args:
        config: The `[identity]` table.
        default_tier: The tier of new people.
        storage: Where credentials are looked up.
        clock: Says what has expired.
        live: Where streams end when their credential does.
        inline: Hash on the loop's thread, for tests whose clock jumps.

    Attributes:
        config: The `[identity]` table.
        default_tier: The tier of new people.
        hasher: Makes and verifies password hashes, outside of transactions.
        personal: Exports what is known of a person, and erases it; the house puts it there.
        limits: The house's, which says how much one address may; the house puts it there.
    """

    personal: Personal

    def __init__(
        self,
        config: IdentityConfig,
        *,
        default_tier: str,
        storage: Storage,
        clock: Clock,
        live: LiveService,
        inline: bool = False,
    ) -> None:
        self.config = config
        self.default_tier = default_tier
        self.hasher = Hasher(memory_mib=config.argon2_memory_mib, passes=config.argon2_time, inline=inline)
        self.limits = RateLimiter()
        self._storage = storage
        self._resolver = Resolver(storage, clock)
        self._revocation = Revocation(live)

    @property
    def address_factor(self) -> float:
        """`server.limits.address_limit_factor` as it is now: the failed sign-ins of one address follow it, too."""
        return self.limits.address_limit_factor

    async def authenticate(self, kind: str, secret: str) -> Principal | None:
        """Who a secret stands for: what an `Authenticator` calls. Counts as a use.

        Args:
            kind: What kind it must be: a secret of another kind is unknown.
            secret: As the client sent it.

        Returns:
            The principal, with the credential's scopes; None when the secret is unknown, expired or revoked, its
            session is over, or its person is not active.
        """
        return await self._resolver.by_secret(kind, secret)

    def known(self, kind: str, secret: str) -> Principal | None:
        """The same from memory alone, for an `Authenticator`'s `known`; None also for what would have to be read."""
        return self._resolver.known_by_secret(kind, secret)

    async def session_principal(
        self, session_id: UUID, kind: str = "access", scopes: Sequence[str] = ("*",)
    ) -> Principal | None:
        """Who a session stands for: for tokens that are checked without a look at the table. Counts as a use.

        Args:
            session_id: As the token says, whose signature and time were checked.
            kind: The token's kind.
            scopes: The token's scopes.

        Returns:
            The principal; None when the session is over or its person is not active.
        """
        return await self._resolver.by_session(session_id, kind, scopes)

    # --- For the house ---------------------------------------------------------------------------------------------

    def subscriptions(self) -> list[Subscription[Any]]:
        """What identity hears of its own events."""
        return [*self._resolver.subscriptions(), *self._revocation.subscriptions()]

    def background_tasks(self) -> list[BackgroundTask]:
        """What identity does while the house serves."""
        return [
            BackgroundTask("count uses", self._resolver.count_uses),
            BackgroundTask("late streams", self._revocation.look_again),
            BackgroundTask("tidy", self._tidy),
        ]

    async def _tidy(self) -> None:
        await tidy(self._storage)
