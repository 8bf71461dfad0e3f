"""Who somebody is here, whom a provider vouches for: found, let into an account that was there, or new."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from manor import (
    Conflict,
    Forbidden,
    NewUser,
    PluginContext,
    Transaction,
    Unprocessable,
    User,
    add_user,
    check_email,
    check_username,
    find_login,
    find_session,
    find_user,
    fold_email,
    is_invited,
    link_login,
    mark_verified,
    note_login,
    set_admin,
    spend_server_invites,
    unlink_login,
)
from manor_auth import letters
from manor_auth.config import AuthConfig
from manor_auth.domain import Places
from manor_auth.oidc.config import ProviderConfig
from manor_auth.oidc.id_tokens import Claims
from manor_auth.oidc.usernames import suggestions
from manor_auth.quotas import Quotas

T = TypeVar("T")


@dataclass(frozen=True)
class Vouched:
    """What a provider says about somebody.

    Args:
        provider: The name of its table.
        title: As people know it.
        issuer: Its own name.
        subject: Its id of them.
        email: Their address, if it can be one.
        is_proven: Whether the provider knows that the address is theirs.
        is_admin: What their groups say; None when groups mean nothing.
        links: Whether a proven address alone opens the account that has it.
        full_name: For the suggestion of a username, and for nothing else: an app may have sent it.
    """

    provider: str
    title: str
    issuer: str
    subject: str
    email: str | None
    is_proven: bool
    is_admin: bool | None
    links: bool
    full_name: str = ""


def vouched(provider: str, title: str, config: ProviderConfig, claims: Claims, full_name: str = "") -> Vouched:
    """What the claims of a believed token come to."""
    groups = [claims.groups] if isinstance(claims.groups, str) else claims.groups
    is_member = isinstance(groups, list) and config.admin_group in groups
    return Vouched(
        provider=provider,
        title=title,
        issuer=claims.iss,
        subject=claims.sub,
        email=claims.email if claims.email and _is_address(claims.email) else None,
        # Apple writes a text where others have a boolean.
        is_proven=config.trust_email or claims.email_verified in (True, "true"),
        is_admin=is_member if config.admin_group else None,
        links=config.link_by_email,
        full_name=full_name,
    )


class People:
    """Knows them.

    Args:
        context: The plugin's.
        places: Where links lead.
        quotas: Counts new accounts.
    """

    def __init__(self, context: PluginContext[AuthConfig], places: Places, quotas: Quotas) -> None:
        self._storage = context.storage
        self._identity = context.identity
        self._audit = context.audit
        self._mail = context.mail
        self._places = places
        self._quotas = quotas

    async def admit(
        self, who: Vouched, *, address: str, invite: str, opening: Callable[[Transaction, User], T]
    ) -> tuple[User, T]:
        """Find who this is, and let them in.

        Args:
            who: What the provider says.
            address: Where the request comes from.
            invite: A token that lets somebody sign up; "" for none.
            opening: What letting in means, in the same transaction.

        Raises:
            Forbidden: 403: disabled; not verified; or new, and nobody (or nobody uninvited) signs up here.
            Conflict: 409: an account has that address already, and is not theirs by that alone.
            TooManyRequests: 429: too many new accounts from this address.
        """
        if await self._storage.read(lambda transaction: self._is_new(transaction, who)):
            self._quotas.take_registration(address)

        def work(transaction: Transaction) -> tuple[User, T]:
            user = self._find(transaction, who) or self._add(transaction, who, invite)
            if not user.is_active:
                raise Forbidden("This account is disabled", code="account_disabled")
            user = self._settle_verified(transaction, user, who)
            user = self._settle_admin(transaction, user, who)
            note_login(transaction, user.id)
            return user, opening(transaction, user)

        return await self._storage.write(work)

    async def link(self, who: Vouched, session_id: UUID) -> None:
        """Let somebody who has signed in here come through this provider too.

        Args:
            who: What the provider says.
            session_id: The session in which they set out. Over, it connects nothing: somebody may have ended it because
                it was a stranger's.

        Raises:
            Forbidden: 403: they were disabled or signed out meanwhile, or are gone.
            Conflict: 409: it is how somebody else comes in here.
        """

        def work(transaction: Transaction) -> None:
            session = find_session(transaction, session_id)
            user = None if session is None else find_user(transaction, user_id=session.user_id)
            if user is None or not user.is_active:
                raise Forbidden("This account is disabled", code="account_disabled")
            if session is None or not session.is_alive(transaction.now):
                raise Forbidden("This session is over", code="session_over")
            holder = self._holder(transaction, who)
            if holder is not None and holder.id != user.id:
                raise Conflict("Somebody else comes in here by that", code="login_taken")
            if holder is None:
                self._link(transaction, user, who)
                self._tell(transaction, user, who)

        await self._storage.write(work)

    def _is_new(self, transaction: Transaction, who: Vouched) -> bool:
        if find_login(transaction, issuer=who.issuer, subject=who.subject) is not None:
            return False
        return who.email is None or find_user(transaction, email=who.email) is None

    def _holder(self, transaction: Transaction, who: Vouched) -> User | None:
        """Whose login this is, if it is anybody's."""
        known = find_login(transaction, issuer=who.issuer, subject=who.subject)
        if known is None:
            return None
        user = find_user(transaction, user_id=known.user_id)
        if user is None:
            # Erased a moment ago, and what is left goes by a job: they are as new as anybody.
            unlink_login(transaction, known.user_id, issuer=who.issuer, subject=who.subject)
        return user

    def _find(self, transaction: Transaction, who: Vouched) -> User | None:
        known = self._holder(transaction, who)
        if known is not None:
            return known
        if who.email is None:
            raise Forbidden(f"{who.title} does not say your e-mail address", code="no_email")
        if not who.is_proven:
            raise Forbidden(f"{who.title} does not know whether your address is yours", code="email_not_verified")
        holder = find_user(transaction, email=who.email)
        if holder is None:
            return None
        # An account whose own address was never proven is somebody's who only claims it: what is in there, and who
        # knows its password, says nothing about the one who stands here.
        if not who.links or not holder.is_verified or holder.is_bot:
            raise Conflict("An account has this e-mail address already: sign in to it", code="account_exists")
        self._link(transaction, holder, who)
        self._tell(transaction, holder, who)
        return holder

    def _add(self, transaction: Transaction, who: Vouched, invite: str) -> User:
        assert who.email is not None, "looked at before"
        registration = self._identity.config.registration
        if registration == "closed":
            raise Forbidden("This server takes no new people", code="registration_closed")
        if registration == "invite" and not is_invited(transaction, who.email, invite):
            raise Forbidden("This server takes only people who were invited", code="invitation_needed")
        new = NewUser(
            username=_free_name(transaction, who.full_name, who.email),
            email=who.email,
            tier=self._identity.default_tier,
            is_verified=True,
        )
        user = add_user(transaction, new)
        spend_server_invites(transaction, who.email)
        self._note(transaction, "auth.registered", user, who)
        self._link(transaction, user, who)
        return user

    def _link(self, transaction: Transaction, user: User, who: Vouched) -> None:
        link_login(transaction, user.id, issuer=who.issuer, subject=who.subject, provider=who.provider)
        self._note(transaction, "auth.login_linked", user, who)

    def _tell(self, transaction: Transaction, user: User, who: Vouched) -> None:
        if user.email is not None:
            self._mail.send(transaction, letters.login_linked(self._places, user.email, who.title, user.id))

    def _settle_verified(self, transaction: Transaction, user: User, who: Vouched) -> User:
        if user.is_verified or not self._identity.config.require_verification:
            return user
        is_theirs = who.is_proven and who.email is not None and user.email is not None
        if is_theirs and fold_email(who.email or "") == fold_email(user.email or ""):
            return mark_verified(transaction, user.id)
        raise Forbidden("The e-mail address is not verified yet", code="email_not_verified")

    def _settle_admin(self, transaction: Transaction, user: User, who: Vouched) -> User:
        if who.is_admin is None or who.is_admin == user.is_admin:
            return user
        self._note(transaction, "auth.admin_granted" if who.is_admin else "auth.admin_taken", user, who)
        return set_admin(transaction, user.id, who.is_admin)

    def _note(self, transaction: Transaction, action: str, user: User, who: Vouched) -> None:
        self._audit.record(
            transaction, action, actor=str(user.id), target=str(user.id), detail={"provider": who.provider}
        )


def _is_address(text: str) -> bool:
    try:
        check_email(text)
    except Unprocessable:
        return False
    return True


def _free_name(transaction: Transaction, full_name: str, email: str) -> str:
    for name in suggestions(full_name, email):
        try:
            check_username(name)
        except Unprocessable:
            continue
        if find_user(transaction, username=name) is None:
            return name
    return f"user-{secrets.token_hex(8)}"
