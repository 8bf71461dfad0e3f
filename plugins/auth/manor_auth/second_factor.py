"""A second factor for sign-ins: codes of an authenticator app."""

from __future__ import annotations

from uuid import UUID

from manor import (
    BadRequest,
    PluginContext,
    TotpSetup,
    Transaction,
    Unauthorized,
    account_of,
    activate_totp,
    begin_totp,
    check_code,
    check_lockout,
    disable_totp,
    find_user,
    has_totp,
    note_failure,
    pending_totp,
)
from manor_auth.config import AuthConfig


class SecondFactor:
    """Enrols people, and lets them go back.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._identity = context.identity
        self._storage = context.storage
        self._audit = context.audit

    async def begin(self, user_id: UUID) -> TotpSetup:
        """Make a key for somebody's app; sign-ins go on without it until it is activated.

        Raises:
            Conflict: One is active already.
        """

        def work(transaction: Transaction) -> TotpSetup:
            user = find_user(transaction, user_id=user_id)
            if user is None:
                raise Unauthorized("This account is gone")
            return begin_totp(transaction, user_id, account=user.email or user.username)

        return await self._storage.write(work)

    async def pending(self, user_id: UUID) -> TotpSetup | None:
        """The key that was made and not activated yet; None when there is none."""
        return await self._storage.read(lambda transaction: pending_totp(transaction, user_id))

    async def activate(self, user_id: UUID, code: str) -> list[str]:
        """Ask for codes from now on; gives the recovery codes, which are shown once.

        Raises:
            BadRequest: The code is not the one that the app shows, or no key was made.
            Conflict: It is active already.
        """

        def work(transaction: Transaction) -> list[str]:
            codes = activate_totp(transaction, user_id, code)
            self._audit.record(transaction, "auth.mfa_activated", actor=str(user_id), target=str(user_id))
            return codes

        return await self._storage.write(work)

    async def disable(self, user_id: UUID, code: str, *, address: str) -> None:
        """Ask for no more codes. It takes one more, of the app or for recovery; wrong ones count as failed sign-ins.

        Raises:
            BadRequest: The code is wrong, or no second factor is active.
            TooManyRequests: Too many failures.
        """

        def work(transaction: Transaction) -> BadRequest | None:
            user = find_user(transaction, user_id=user_id)
            account = account_of(user, str(user_id))
            factor = self._identity.address_factor
            check_lockout(transaction, account, address, address_factor=factor)
            if not has_totp(transaction, user_id):
                return BadRequest("Two-factor sign-in is not active")
            if not check_code(transaction, user_id, code):
                note_failure(transaction, account, address, user=user, address_factor=factor)
                return BadRequest("The code is wrong")
            disable_totp(transaction, user_id)
            self._audit.record(transaction, "auth.mfa_disabled", actor=str(user_id), target=str(user_id))
            return None

        # Raised out here: the failure has to be kept.
        refused = await self._storage.write(work)
        if refused is not None:
            raise refused
