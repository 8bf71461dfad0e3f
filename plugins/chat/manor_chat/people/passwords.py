"""Passwords that are replaced, by their owner or an administrator, and passwords that are forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from manor import (
    BadRequest,
    Job,
    JobHandler,
    Request,
    Transaction,
    Unauthorized,
    WrongCredentials,
    account_of,
    check_own_password,
    clear_lockout,
    end_sessions,
    find_link,
    find_session,
    find_user,
    fold_email,
    make_link,
    mark_verified,
    revoke_all,
    set_password_hash,
    use_link,
    void_links,
)
from manor_chat import faults
from manor_chat.parts import Shared
from manor_chat.people.checking import check_new_password
from manor_chat.people.letters import RESET, Letters
from manor_chat.people.news import tell_changes
from manor_chat.people.profiles import existing_person
from manor_chat.people.quotas import takes_mail
from manor_chat.rights import Rights
from manor_chat.store.people import Person, find_person
from manor_chat.times import to_milliseconds

RESET_LIFE = timedelta(hours=1)


class ResetAsked(msgspec.Struct, frozen=True):
    """Somebody forgot the password of whoever has this address."""

    email: str


SEND_RESET = Job("chat.send_reset", ResetAsked)


class Passwords:
    """Replaces passwords.

    Args:
        shared: What all parts use.
        letters: What people are written.
    """

    def __init__(self, shared: Shared, letters: Letters) -> None:
        self._shared = shared
        self._context = shared.context
        self._identity = shared.context.identity
        self._storage = shared.storage
        self._letters = letters
        self.jobs = [JobHandler(SEND_RESET, self._send)]

    # --- Replaced --------------------------------------------------------------------------------------------------

    async def change(self, request: Request[Any, Any], user_id: UUID, current: str, new: str) -> None:
        """Replace a password: one's own, which ends all other sessions, or as an administrator somebody's, which ends
        all of theirs.

        Raises:
            BadRequest: 400: the current password is wrong, or the new one cannot be taken.
            NotFound: 404.
            Forbidden: 403.
            TooManyRequests: 429: too many failures.
        """
        is_own = request.user_id == user_id
        person = await self._shared.read(request, lambda transaction, rights: _of(transaction, rights, user_id))
        if is_own:
            if not current:
                raise faults.bad_body_param("current_password")
            await self._check_current(user_id, current, request.head.address)
        check_new_password(new, username=person.handle, email=person.email)
        password_hash = await self._identity.hasher.hash(new)
        session_id = None if request.person is None else request.person.session_id

        def work(transaction: Transaction, rights: Rights) -> None:
            before = _of(transaction, rights, user_id)
            if is_own and session_id is not None:
                session = find_session(transaction, session_id)
                if session is None or not session.is_alive(transaction.now):
                    # Ended while the password was hashed, by a reset perhaps: whoever did that has the last word.
                    raise Unauthorized("Invalid or expired session, please login again.")
            set_password_hash(transaction, user_id, password_hash)
            end_sessions(transaction, user_id, but=session_id if is_own else None)
            self._tell(transaction, before, "chat.password_changed", actor=rights.user_id)

        await self._shared.write(request, work)

    async def _check_current(self, user_id: UUID, current: str, address: str) -> None:
        try:
            await check_own_password(self._identity, self._storage, user_id, current, address=address)
        except WrongCredentials as wrong:
            raise BadRequest(
                "The Current Password you entered is incorrect.",
                code="api.user.update_password.incorrect.app_error",
            ) from wrong

    # --- Forgotten -------------------------------------------------------------------------------------------------

    async def ask_reset(self, email: str) -> None:
        """Send a link, if that is somebody's address. Whether it is shows in nothing: the looking is done later.

        Raises:
            BadRequest: 400: no address.
        """
        if not email:
            raise faults.bad_body_param("email")
        if takes_mail(self._context.limits, RESET, email):
            await self._storage.write(lambda transaction: transaction.defer(SEND_RESET, ResetAsked(email)))

    async def _send(self, asked: ResetAsked) -> None:
        def work(transaction: Transaction) -> None:
            user = find_user(transaction, email=asked.email)
            if user is None or user.email is None or not user.is_active or user.is_bot:
                return
            _, token = make_link(transaction, RESET, email=user.email, user_id=user.id, life=RESET_LIFE)
            self._context.mail.send(transaction, self._letters.reset(user.email, token, user.id))

        await self._storage.write(work)

    async def reset(self, token: str, new: str) -> None:
        """Replace a forgotten password. All sessions end; the mailbox is proven by that.

        Raises:
            BadRequest: 400: the link is unknown, expired or used; or the password cannot be taken, and the link stays
                good.
        """
        person = await self._storage.read(lambda transaction: _person_of_link(transaction, token))
        check_new_password(new, username=person.handle, email=person.email)
        password_hash = await self._identity.hasher.hash(new)

        def work(transaction: Transaction) -> None:
            before = _person_of_link(transaction, token)
            use_link(transaction, RESET, token)
            set_password_hash(transaction, before.id, password_hash)
            mark_verified(transaction, before.id)
            clear_lockout(transaction, account_of(find_user(transaction, user_id=before.id), ""))
            end_sessions(transaction, before.id)
            if self._identity.config.reset_revokes_keys:
                revoke_all(transaction, user_id=before.id, kinds={"api_key"})
            self._tell(transaction, before, "chat.password_reset", actor=before.id)

        await self._storage.write(work)

    def _tell(self, transaction: Transaction, person: Person, action: str, *, actor: UUID) -> None:
        void_links(transaction, person.id, purpose=RESET)
        tell_changes(transaction, person, self._shared.config, last_password_update=to_milliseconds(transaction.now))
        self._context.audit.record(transaction, action, actor=str(actor), target=str(person.id))
        if person.email:
            self._context.mail.send(transaction, self._letters.password_changed(person.email, person.id))


def _of(transaction: Transaction, rights: Rights, user_id: UUID) -> Person:
    """Whose password the caller may replace.

    Raises:
        NotFound: 404.
        Forbidden: 403.
    """
    person = existing_person(transaction, user_id)
    if user_id != rights.user_id:
        rights.require("manage_system")
    if person.is_bot or person.is_system:
        raise faults.no_permission()
    return person


def _person_of_link(transaction: Transaction, token: str) -> Person:
    """Whose password a link resets.

    Raises:
        BadRequest: 400: nobody's, or nobody's any more.
    """
    link = find_link(transaction, RESET, token)
    person = None if link is None or link.user_id is None else find_person(transaction, link.user_id)
    if link is None or person is None or link.used_at is not None or not person.is_active:
        raise BadRequest(
            "The reset password link does not appear to be valid.",
            code="api.user.reset_password.invalid_link.app_error",
        )
    if link.expires_at <= transaction.now or fold_email(person.email) != fold_email(link.email):
        raise BadRequest("The password reset link has expired.", code="api.user.reset_password.link_expired.app_error")
    return person
