"""Signing in with a password."""

from __future__ import annotations

from uuid import UUID

from manor import (
    Forbidden,
    MfaRequired,
    PluginContext,
    Refused,
    Transaction,
    User,
    account_of,
    check_code,
    check_lockout,
    check_password_of,
    find_user,
    note_failure,
    note_login,
    note_success,
)
from manor_auth.config import AuthConfig
from manor_auth.sessions import Opened, Pair, Sessions, Visitor


class SigningIn:
    """Checks who somebody is, and lets them in.

    Args:
        context: The plugin's.
        sessions: Where a sign-in begins.
    """

    def __init__(self, context: PluginContext[AuthConfig], sessions: Sessions) -> None:
        self._identity = context.identity
        self._storage = context.storage
        self._audit = context.audit
        self._sessions = sessions

    async def sign_in(
        self, login: str, password: str, visitor: Visitor, *, code: str | None = None
    ) -> tuple[User, Pair]:
        """Let somebody in who knows their password.

        Args:
            login: Their address or username.
            password: As typed.
            visitor: Where from.
            code: Of the second factor, if they have one.

        Raises:
            Refused: 401 for a wrong password, and for an unknown account just the same; 401 with `mfa_required` when
                the code is missing or wrong; 403 when the password is right and the account is not verified, or
                disabled; 429 after too many failures.
        """
        user = await self.check(login, password, visitor, code=code)

        def work(transaction: Transaction) -> Opened:
            now = find_user(transaction, user_id=user.id)
            if now is None or not now.is_active:
                # Disabled while the password was being checked.
                raise Forbidden("This account is disabled")
            note_login(transaction, user.id)
            return self._sessions.open(transaction, user.id, visitor, method="password")

        return user, self._sessions.pair(await self._storage.write(work))

    async def check(self, login: str, password: str, visitor: Visitor, *, code: str | None = None) -> User:
        """See whether somebody knows their password, and say so in the audit log if not; opens no session.

        Raises:
            Refused: As for `sign_in`.
        """
        try:
            return await check_password_of(
                self._identity, self._storage, login, password, address=visitor.address, code=code
            )
        except Refused as refused:
            await self._note_refusal(refused, visitor)
            raise

    async def check_second(self, user_id: UUID, code: str, visitor: Visitor) -> User:
        """See whether somebody whose password was right a moment ago has the second factor too; opens no session.

        Raises:
            MfaRequired: 401: the code is wrong; counted as a failed sign-in.
            Forbidden: 403: the account was disabled meanwhile.
            TooManyRequests: 429 after too many failures.
        """

        def work(transaction: Transaction) -> User | MfaRequired:
            user = find_user(transaction, user_id=user_id)
            if user is None or not user.is_active:
                raise Forbidden("This account is disabled")
            account = account_of(user, "")
            factor = self._identity.address_factor
            check_lockout(transaction, account, visitor.address, address_factor=factor)
            if not check_code(transaction, user_id, code):
                note_failure(transaction, account, visitor.address, user=user, address_factor=factor)
                return MfaRequired("The code is wrong", user_id=user_id)
            note_success(transaction, account, visitor.address)
            return user

        try:
            outcome = await self._storage.write(work)
            if isinstance(outcome, MfaRequired):
                # Raised here rather than there: the failure has to be kept.
                raise outcome
        except Refused as refused:
            await self._note_refusal(refused, visitor)
            raise
        return outcome

    async def _note_refusal(self, refused: Refused, visitor: Visitor) -> None:
        # Not what was typed: a password stands where the name belongs now and then.
        detail = {"status": refused.status, "reason": refused.detail, "address": visitor.address}

        def work(transaction: Transaction) -> None:
            self._audit.record(transaction, "auth.sign_in_refused", actor="anonymous", detail=detail)

        await self._storage.write(work)
