"""Changing what one is called and where one is reached, and taking a change back that somebody else made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from manor import (
    Conflict,
    PluginContext,
    Transaction,
    User,
    check_email,
    end_sessions,
    find_user,
    fold_email,
    list_credentials,
    list_logins,
    make_link,
    mark_verified,
    revoke,
    unlink_login,
    update_user,
    use_link,
    void_links,
)
from manor_auth import letters
from manor_auth.api_keys import KIND
from manor_auth.config import AuthConfig
from manor_auth.domain import Places
from manor_auth.names import check_new_username
from manor_auth.quotas import Quotas
from manor_auth.registering import VERIFY, VERIFY_LIFE

UNDO = "undo_email"
UNDO_LIFE = timedelta(days=7)


class Account:
    """Changes accounts.

    Args:
        context: The plugin's.
        places: Where links lead.
        quotas: Counts mails.
    """

    def __init__(self, context: PluginContext[AuthConfig], places: Places, quotas: Quotas) -> None:
        self._storage = context.storage
        self._audit = context.audit
        self._mail = context.mail
        self._places = places
        self._quotas = quotas

    async def change(self, user_id: UUID, *, username: str | None, email: str | None) -> User:
        """Change names; None leaves one as it is.

        A new address counts at once and is to be verified; its mail says how. A proven one that it replaces is told,
        with a link that takes the change back.

        Raises:
            Unprocessable: 422 naming the field that cannot be taken.
            Conflict: 409 naming the field that somebody else has.
            TooManyRequests: 429: too many addresses were tried.
        """
        may_mail = email is not None and await self._count(user_id, email)

        def work(transaction: Transaction) -> User:
            before = find_user(transaction, user_id=user_id)
            if username is not None and (before is None or username != before.username):
                check_new_username(username)
            after = update_user(transaction, user_id, username=username, email=email)
            if before is None or after == before:
                return after
            self._record(transaction, "auth.profile_changed", user_id)
            if after.email is not None and _folded(after) != _folded(before):
                self._move(transaction, before, user_id, after.email, may_mail)
            return after

        return await self._storage.write(work)

    async def _count(self, user_id: UUID, email: str) -> bool:
        """Count an address that somebody would have, for the answer tells whether it is taken; and the mail to it.

        Returns:
            Whether it may be mailed. Counted out here: transactions run on another thread, and more than once.
        """
        before = await self._storage.read(lambda transaction: find_user(transaction, user_id=user_id))
        if before is not None and fold_email(email) == _folded(before):
            return False
        check_email(email)
        self._quotas.take_address(user_id)
        return self._quotas.takes_mail(VERIFY, email)

    def _move(self, transaction: Transaction, before: User, user_id: UUID, email: str, may_mail: bool) -> None:
        self._record(transaction, "auth.email_changed", user_id)
        # Whoever has a mailbox full of these stopped reading: later ones go by `resend-verification`.
        if may_mail:
            _, token = make_link(transaction, VERIFY, email=email, user_id=user_id, life=VERIFY_LIFE)
            self._mail.send(transaction, letters.verification(self._places, email, token, user_id))
        # To none that was never proven: it may be a stranger's, and would let a stranger in.
        if before.email is not None and before.is_verified:
            _, token = make_link(transaction, UNDO, email=before.email, user_id=user_id, life=UNDO_LIFE)
            self._mail.send(transaction, letters.email_changed(self._places, before.email, token, user_id))

    async def undo(self, token: str) -> None:
        """Give somebody the address back that the link was sent to, and close the ways in that were opened since.

        Sessions end, API keys that were made since are revoked, and providers' accounts that were connected since open
        nothing here any more. Links to addresses that came later are void: they are in the hands of whoever made the
        change.

        Raises:
            BadRequest: The link is unknown, expired or spent.
            Conflict: Somebody else has that address now.
        """

        def work(transaction: Transaction) -> None:
            link = use_link(transaction, UNDO, token)
            assert link.user_id is not None, "they are made for accounts"
            try:
                update_user(transaction, link.user_id, email=link.email)
            except Conflict as taken:
                raise Conflict("Another account has this address now; ask the admin of this server") from taken
            mark_verified(transaction, link.user_id)
            end_sessions(transaction, link.user_id)
            for key in list_credentials(transaction, kind=KIND, user_id=link.user_id):
                if key.created_at >= link.created_at:
                    revoke(transaction, key.id)
            for login in list_logins(transaction, link.user_id):
                if login.created_at >= link.created_at:
                    unlink_login(transaction, link.user_id, issuer=login.issuer, subject=login.subject)
                    self._record(transaction, "auth.login_unlinked", link.user_id, {"provider": login.provider})
            void_links(transaction, link.user_id, after=link)
            self._record(transaction, "auth.email_change_undone", link.user_id)

        await self._storage.write(work)

    def _record(
        self, transaction: Transaction, action: str, user_id: UUID, detail: dict[str, Any] | None = None
    ) -> None:
        self._audit.record(transaction, action, actor=str(user_id), target=str(user_id), detail=detail)


def _folded(user: User) -> str | None:
    return None if user.email is None else fold_email(user.email)
