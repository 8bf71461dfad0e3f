"""Passwords that are forgotten, and passwords that are replaced."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from uuid import UUID

from manor import (
    BadRequest,
    FieldProblem,
    Job,
    JobHandler,
    PluginContext,
    Transaction,
    Unauthorized,
    Unprocessable,
    User,
    WrongCredentials,
    account_of,
    check_own_password,
    check_password,
    clear_lockout,
    end_sessions,
    find_link,
    find_password_hash,
    find_session,
    find_user,
    fold_email,
    list_logins,
    make_link,
    mark_verified,
    revoke_all,
    set_password_hash,
    use_link,
    void_links,
)
from manor_auth import letters
from manor_auth.config import AuthConfig
from manor_auth.domain import Places
from manor_auth.quotas import Quotas
from manor_auth.registering import Asked

RESET = "reset"
RESET_LIFE = timedelta(hours=1)

SEND_RESET = Job("auth.send_reset", Asked)

_SPENT = "This link is not valid any more; ask for a new one"


class Passwords:
    """Resets and changes.

    Args:
        context: The plugin's.
        places: Where links lead.
        quotas: Counts mails.
    """

    def __init__(self, context: PluginContext[AuthConfig], places: Places, quotas: Quotas) -> None:
        self._context = context
        self._identity = context.identity
        self._storage = context.storage
        self._places = places
        self._quotas = quotas
        self.jobs = [JobHandler(SEND_RESET, self._send)]

    # --- Forgotten -------------------------------------------------------------------------------------------------

    async def ask_reset(self, email: str) -> None:
        """Send a link, if that is somebody's address. Whether it is shows in nothing: the looking is done later."""
        if self._quotas.takes_mail(RESET, email):
            await self._storage.write(lambda transaction: transaction.defer(SEND_RESET, Asked(email)))

    async def _send(self, asked: Asked) -> None:
        def work(transaction: Transaction) -> None:
            user = find_user(transaction, email=asked.email)
            if user is None or user.email is None or not user.is_active or user.is_bot:
                return
            logins = list_logins(transaction, user.id)
            if logins and find_password_hash(transaction, user.id) is None:
                letter = letters.no_password(self._places, user.email, logins[0].provider, user.id)
            else:
                _, token = make_link(transaction, RESET, email=user.email, user_id=user.id, life=RESET_LIFE)
                letter = letters.reset(self._places, user.email, token, user.id)
            self._context.mail.send(transaction, letter)

        await self._storage.write(work)

    async def check_reset(self, token: str) -> User:
        """Whose password a link resets; it stays good.

        Raises:
            BadRequest: It is unknown, expired or spent.
        """
        return await self._storage.read(lambda transaction: _reset_for(transaction, token))

    async def confirm_reset(self, token: str, password: str) -> None:
        """Replace a forgotten password. All sessions end; the mailbox is proven by that.

        Raises:
            BadRequest: The link is unknown, expired or spent.
            Unprocessable: The password cannot be taken; the link stays good.
        """
        user = await self._storage.read(lambda transaction: _reset_for(transaction, token))
        _check_new(password, user)
        password_hash = await self._identity.hasher.hash(password)

        def work(transaction: Transaction) -> None:
            now = _reset_for(transaction, token)
            use_link(transaction, RESET, token)
            set_password_hash(transaction, now.id, password_hash)
            mark_verified(transaction, now.id)
            clear_lockout(transaction, account_of(now, ""))
            end_sessions(transaction, now.id)
            if self._identity.config.reset_revokes_keys:
                revoke_all(transaction, user_id=now.id, kinds={"api_key"})
            self._tell(transaction, now, "auth.password_reset")

        await self._storage.write(work)

    # --- Replaced --------------------------------------------------------------------------------------------------

    async def change(self, user_id: UUID, session_id: UUID, current: str, new: str, *, address: str) -> None:
        """Replace one's password. Every other session ends.

        Args:
            user_id: Whose.
            session_id: The session that goes on.
            current: The password until now.
            new: From now on.
            address: Where the request comes from.

        Raises:
            BadRequest: The current password is wrong, or there is none. Not 401: clients would refresh and try again.
            Unprocessable: The new one cannot be taken, or is the old one.
            TooManyRequests: Too many failures.
            Unauthorized: The session ended meanwhile.
        """
        try:
            user = await check_own_password(self._identity, self._storage, user_id, current, address=address)
        except WrongCredentials as wrong:
            raise BadRequest("The current password is wrong") from wrong
        _check_new(new, user)
        if unicodedata.normalize("NFC", new) == unicodedata.normalize("NFC", current):
            message = "expected another one than the current"
            raise Unprocessable(f"new_password: {message}", errors=[FieldProblem("new_password", message)])
        password_hash = await self._identity.hasher.hash(new)

        def work(transaction: Transaction) -> None:
            session = find_session(transaction, session_id)
            if session is None or not session.is_alive(transaction.now):
                # Ended while the password was hashed, by a reset perhaps: whoever did that has the last word.
                raise Unauthorized("This session is over")
            set_password_hash(transaction, user_id, password_hash)
            end_sessions(transaction, user_id, but=session_id)
            void_links(transaction, user_id, purpose=RESET)
            self._tell(transaction, user, "auth.password_changed")

        await self._storage.write(work)

    def _tell(self, transaction: Transaction, user: User, action: str) -> None:
        self._context.audit.record(transaction, action, actor=str(user.id), target=str(user.id))
        if user.email is not None:
            self._context.mail.send(transaction, letters.password_changed(user.email, user.id))


def _reset_for(transaction: Transaction, token: str) -> User:
    """Whose password a link resets.

    Raises:
        BadRequest: Nobody's any more.
    """
    link = find_link(transaction, RESET, token)
    if link is None or link.user_id is None or link.used_at is not None or link.expires_at <= transaction.now:
        raise BadRequest(_SPENT)
    user = find_user(transaction, user_id=link.user_id)
    if user is None or user.email is None or not user.is_active or fold_email(user.email) != fold_email(link.email):
        raise BadRequest(_SPENT)
    return user


def _check_new(password: str, user: User) -> None:
    """As at a registration; the field is called otherwise here."""
    try:
        check_password(password, username=user.username, email=user.email)
    except Unprocessable as refused:
        errors = [FieldProblem("new_password", problem.message) for problem in refused.errors]
        raise Unprocessable(f"new_password: {errors[0].message}", errors=errors) from refused
