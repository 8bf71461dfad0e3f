"""Signing up, and proving that an address is one's own."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from manor import (
    Conflict,
    FieldProblem,
    Forbidden,
    Job,
    JobHandler,
    NewUser,
    PluginContext,
    Transaction,
    User,
    add_user,
    check_email,
    check_password,
    find_link,
    find_user,
    fold_email,
    is_invited,
    make_link,
    mark_verified,
    note_terms,
    record_consent,
    spend_server_invites,
    use_link,
)
from manor_auth import letters
from manor_auth.config import AuthConfig
from manor_auth.domain import Places, Spoilt
from manor_auth.names import check_new_username
from manor_auth.profile import TERMS
from manor_auth.quotas import Quotas

VERIFY = "verify"
VERIFY_LIFE = timedelta(hours=48)


class Asked(msgspec.Struct, frozen=True):
    """Somebody asked for a mail to this address, whoever's it is."""

    email: str


SEND_VERIFICATION = Job("auth.send_verification", Asked)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An account that somebody wants."""

    email: str
    username: str
    password: str
    invite_token: str | None = None

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"Wanted(email={self.email!r}, username={self.username!r})"


class Registering:
    """Makes accounts and verifies addresses.

    Args:
        context: The plugin's.
        places: Where links lead.
        quotas: Counts accounts and mails.
    """

    def __init__(self, context: PluginContext[AuthConfig], places: Places, quotas: Quotas) -> None:
        self._context = context
        self._identity = context.identity
        self._storage = context.storage
        self._places = places
        self._quotas = quotas
        self.jobs = [JobHandler(SEND_VERIFICATION, self._send)]

    async def register(self, wanted: Wanted, *, address: str) -> None:
        """Make an account whose address is still to be verified.

        Somebody who has an account with that address is told by mail; the answer, and what it costs, is the same.

        Args:
            wanted: The account.
            address: Where the request comes from.

        Raises:
            Unprocessable: 422 naming the field that cannot be taken.
            Forbidden: 403: nobody signs up here, or only who was invited.
            Conflict: 409: the name is taken; where the admin wants it, the address too.
            TooManyRequests: 429: too many from this address.
        """
        registration = self._identity.config.registration
        if registration == "closed":
            raise Forbidden("This server takes no new people")
        check_wanted(wanted)
        self._quotas.take_registration(address)
        await self._storage.read(lambda transaction: self._check_welcome(transaction, wanted))
        # Before anybody knows whether the address is taken: it costs the same.
        password_hash = await self._identity.hasher.hash(wanted.password)
        may_mail = self._quotas.takes_mail(VERIFY, wanted.email)
        await self._storage.write(lambda transaction: self._add(transaction, wanted, password_hash, may_mail))

    def _check_welcome(self, transaction: Transaction, wanted: Wanted) -> None:
        if self._identity.config.registration == "invite" and not is_invited(
            transaction, wanted.email, wanted.invite_token
        ):
            raise Forbidden("This server takes only people who were invited")
        if find_user(transaction, username=wanted.username) is not None:
            raise Conflict("username: is taken", errors=[FieldProblem("username", "is taken")])

    def _add(self, transaction: Transaction, wanted: Wanted, password_hash: str, may_mail: bool) -> None:
        self._check_welcome(transaction, wanted)
        known = find_user(transaction, email=wanted.email)
        if known is not None:
            self._tell_owner(transaction, known, may_mail)
            return
        new = NewUser(
            username=wanted.username,
            email=wanted.email,
            tier=self._identity.default_tier,
            password_hash=password_hash,
        )
        user = add_user(transaction, new)
        spend_server_invites(transaction, wanted.email)
        version = self._identity.config.terms_version
        record_consent(transaction, user.id, consent_type=TERMS, document_version=version, method="web_checkbox")
        note_terms(transaction, user.id)
        self._audit(transaction, "auth.registered", user.id)
        self._mail_link(transaction, user)

    def _tell_owner(self, transaction: Transaction, known: User, may_mail: bool) -> None:
        if self._context.config.reveal_existing_email:
            raise Conflict("email: is taken", errors=[FieldProblem("email", "is taken")])
        if may_mail and known.email is not None:
            self._context.mail.send(transaction, letters.known_already(self._places, known.email, known.id))

    # --- The link --------------------------------------------------------------------------------------------------

    async def verify(self, token: str) -> Spoilt | None:
        """Take a link that was mailed. One that was taken before is as good, for mail scanners open links too.

        Returns:
            What is wrong with it; None when the address is verified.
        """
        return await self._storage.write(lambda transaction: self._take(transaction, token))

    def _take(self, transaction: Transaction, token: str) -> Spoilt | None:
        link = find_link(transaction, VERIFY, token)
        if link is None or link.user_id is None:
            return "invalid"
        if link.expires_at <= transaction.now:
            return "expired"
        user = find_user(transaction, user_id=link.user_id)
        if user is None or user.email is None or fold_email(user.email) != fold_email(link.email):
            # The address was changed since: what this link proves is of no use.
            return "invalid"
        if link.used_at is None:
            use_link(transaction, VERIFY, token)
            mark_verified(transaction, user.id)
            self._audit(transaction, "auth.email_verified", user.id)
        return None

    async def ask_again(self, email: str) -> None:
        """Send the link once more, if somebody is waiting for it. Whether that is so shows in nothing."""
        if self._quotas.takes_mail(VERIFY, email):
            await self._storage.write(lambda transaction: transaction.defer(SEND_VERIFICATION, Asked(email)))

    async def _send(self, asked: Asked) -> None:
        def work(transaction: Transaction) -> None:
            user = find_user(transaction, email=asked.email)
            if user is not None and user.is_active and not user.is_verified:
                self._mail_link(transaction, user)

        await self._storage.write(work)

    def _mail_link(self, transaction: Transaction, user: User) -> None:
        if user.email is not None:
            _, token = make_link(transaction, VERIFY, email=user.email, user_id=user.id, life=VERIFY_LIFE)
            self._context.mail.send(transaction, letters.verification(self._places, user.email, token, user.id))

    def _audit(self, transaction: Transaction, action: str, user_id: UUID) -> None:
        self._context.audit.record(transaction, action, actor=str(user_id), target=str(user_id))


def check_wanted(wanted: Wanted) -> None:
    """See that such an account may be made at all.

    Raises:
        Unprocessable: 422 naming the field.
    """
    check_email(wanted.email)
    check_new_username(wanted.username)
    check_password(wanted.password, username=wanted.username, email=wanted.email)
