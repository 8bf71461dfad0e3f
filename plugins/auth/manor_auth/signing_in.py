"""Signing in with a password."""

from __future__ import annotations

from manor import (
    Forbidden,
    PluginContext,
    Refused,
    Transaction,
    User,
    check_password_of,
    find_user,
    note_login,
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
        try:
            user = await check_password_of(
                self._identity, self._storage, login, password, address=visitor.address, code=code
            )
        except Refused as refused:
            await self._note_refusal(refused, visitor)
            raise

        def work(transaction: Transaction) -> Opened:
            now = find_user(transaction, user_id=user.id)
            if now is None or not now.is_active:
                # Disabled while the password was being checked.
                raise Forbidden("This account is disabled")
            note_login(transaction, user.id)
            return self._sessions.open(transaction, user.id, visitor, method="password")

        return user, self._sessions.pair(await self._storage.write(work))

    async def _note_refusal(self, refused: Refused, visitor: Visitor) -> None:
        # Not what was typed: a password stands where the name belongs now and then.
        detail = {"status": refused.status, "reason": refused.detail, "address": visitor.address}

        def work(transaction: Transaction) -> None:
            self._audit.record(transaction, "auth.sign_in_refused", actor="anonymous", detail=detail)

        await self._storage.write(work)
