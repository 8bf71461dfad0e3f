"""The one way to sign in with a password, for every API: the same answer and the same cost for whoever guesses."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import select, update

from manor.audit import Audit
from manor.errors import Forbidden, Unauthorized
from manor.identity.lockout import account_of, check_lockout, note_failure, note_success
from manor.identity.names import EMAIL_LENGTH
from manor.identity.service import Identity
from manor.identity.tables import users
from manor.identity.totp import check_code, has_totp
from manor.identity.users import User, find_user
from manor.storage import Storage, Transaction

LONGEST_PASSWORD = 4096
"""Characters as typed, of a password whose normalised form may have 1024. What is longer is wrong, and not even hashed:
a megabyte would cost more than others' passwords do."""


class WrongCredentials(Unauthorized):
    """401: nobody is called that, or the password is wrong; the answer does not say which."""


class MfaRequired(Unauthorized):
    """401: the password is right, and a code has to come with it; `user_id` says whose password it is."""

    def __init__(self, detail: str, *, user_id: UUID) -> None:
        super().__init__(detail, extra={"mfa_required": True})
        self.user_id = user_id


class NotVerified(Forbidden):
    """403: the password is right, and the e-mail address not proven yet."""


class Disabled(Forbidden):
    """403: the password is right, and an admin has shut the account."""


class _Candidate(msgspec.Struct, frozen=True):
    """Who may be signing in, as far as the database knows."""

    account: str
    user: User | None
    password_hash: str | None

    def __repr__(self) -> str:
        """Without the hash, whatever log or traceback it lands in."""
        return f"_Candidate({self.account!r})"


async def check_password_of(
    identity: Identity, storage: Storage, login: str, password: str, *, address: str, code: str | None = None
) -> User:
    """Sign somebody in, or say why not.

    Args:
        identity: The house's.
        storage: The house's.
        login: The e-mail address or the username.
        password: As typed.
        address: Where the request comes from.
        code: Of the authenticator app, or a recovery code; asked for only of those who have one.

    Raises:
        WrongCredentials: 401, for unknown people too; counted.
        MfaRequired: 401: right, but a code is needed; a wrong code is counted.
        NotVerified: 403, told only to those who know the password.
        Disabled: 403, likewise.
        TooManyRequests: 429: too many failures, of this account or from this address.
        Unavailable: 503: too many passwords are being checked.
    """
    while True:
        candidate = await storage.read(lambda transaction: _candidate(transaction, identity, login, address))
        is_right = await _verify(identity, candidate, password)
        refreshed = candidate.password_hash
        if is_right and refreshed is not None and identity.hasher.is_outdated(refreshed):
            refreshed = await identity.hasher.hash(password)

        def work(
            transaction: Transaction,
            candidate: _Candidate = candidate,
            is_right: bool = is_right,
            refreshed: str | None = refreshed,
        ) -> User | Unauthorized | None:
            now = _candidate(transaction, identity, login, address)
            if now.password_hash != candidate.password_hash or now.account != candidate.account:
                return None
            return _decide(transaction, identity, now, is_right, refreshed, address, code)

        outcome = await storage.write(work)
        if isinstance(outcome, Unauthorized):
            # Raised here rather than there: the failure has to be kept.
            raise outcome
        if outcome is not None:
            return outcome
        # The password was changed while it was checked: check the new one.


async def check_own_password(
    identity: Identity, storage: Storage, user_id: UUID, password: str, *, address: str
) -> User:
    """See that somebody who is signed in knows their password, before something that matters.

    Raises:
        WrongCredentials: 401, counted as a failed sign-in; APIs that promise another status raise their own. Also for
            people without a password.
        TooManyRequests: 429, as for `check_password_of`.
        Unavailable: 503: too many passwords are being checked.
    """
    candidate = await storage.read(lambda transaction: _candidate_by_id(transaction, identity, user_id, address))
    is_right = await _verify(identity, candidate, password)

    def work(transaction: Transaction) -> User | None:
        now = _candidate_by_id(transaction, identity, user_id, address)
        if is_right and now.user is not None and now.password_hash == candidate.password_hash:
            return now.user
        _note_failure(transaction, identity, now, address)
        detail = {"address": address}
        who = str(user_id)
        Audit().record(transaction, "identity.password_refused", actor=who, target=who, detail=detail)
        return None

    user = await storage.write(work)
    if user is None:
        raise WrongCredentials("The password is wrong")
    return user


def _decide(
    transaction: Transaction,
    identity: Identity,
    candidate: _Candidate,
    is_right: bool,
    refreshed: str | None,
    address: str,
    code: str | None,
) -> User | Unauthorized:
    user = candidate.user
    if user is None or not is_right:
        _note_failure(transaction, identity, candidate, address)
        return WrongCredentials("Wrong e-mail address, username or password")
    if not user.is_active:
        raise Disabled("This account is disabled")
    if identity.config.require_verification and not user.is_verified:
        raise NotVerified("The e-mail address is not verified yet")
    if has_totp(transaction, user.id):
        if not code:
            raise MfaRequired("A code of your authenticator app is needed", user_id=user.id)
        if not check_code(transaction, user.id, code):
            _note_failure(transaction, identity, candidate, address)
            return MfaRequired("The code is wrong", user_id=user.id)
    if refreshed != candidate.password_hash:
        transaction.connection.execute(update(users).where(users.c.id == user.id).values(password_hash=refreshed))
    note_success(transaction, candidate.account, address)
    return user


def _candidate(transaction: Transaction, identity: Identity, login: str, address: str) -> _Candidate:
    login = login.strip()
    user = None
    if len(login) <= EMAIL_LENGTH and login.isprintable():
        user = find_user(transaction, email=login) if "@" in login else find_user(transaction, username=login)
    return _known(transaction, identity, user, account_of(user, login), address)


def _candidate_by_id(transaction: Transaction, identity: Identity, user_id: UUID, address: str) -> _Candidate:
    user = find_user(transaction, user_id=user_id)
    return _known(transaction, identity, user, account_of(user, str(user_id)), address)


def _known(transaction: Transaction, identity: Identity, user: User | None, account: str, address: str) -> _Candidate:
    check_lockout(transaction, account, address, address_factor=identity.address_factor)
    if user is None or user.is_system:
        return _Candidate(account, None, None)
    query = select(users.c.password_hash).where(users.c.id == user.id)
    return _Candidate(account, user, transaction.connection.execute(query).scalar_one())


def _note_failure(transaction: Transaction, identity: Identity, candidate: _Candidate, address: str) -> None:
    factor = identity.address_factor
    note_failure(transaction, candidate.account, address, user=candidate.user, address_factor=factor)


async def _verify(identity: Identity, candidate: _Candidate, password: str) -> bool:
    """Whether the password is right; costs one verification whatever is wrong."""
    is_possible = len(password) <= LONGEST_PASSWORD and not any("\ud800" <= each <= "\udfff" for each in password)
    if candidate.password_hash is None or not is_possible:
        await identity.hasher.verify(identity.hasher.dummy, "nobody's password")
        return False
    return await identity.hasher.verify(candidate.password_hash, password)
