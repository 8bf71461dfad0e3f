"""Signing in with a password: the core's check, and the API's words for what it says."""

from __future__ import annotations

import msgspec

from manor import (
    BadRequest,
    Disabled,
    Forbidden,
    Head,
    MfaRequired,
    NotVerified,
    Refused,
    TooManyRequests,
    Transaction,
    Unauthorized,
    WrongCredentials,
    check_password_of,
    from_chat_id,
)
from manor_chat.domain.people_rules import DEVICE
from manor_chat.parts import Shared
from manor_chat.people.sessions import begin_session
from manor_chat.people.showing import show_to_themselves
from manor_chat.store.people import Person, find_person, find_person_by_name
from manor_chat.wire.people import UserShown


class LoginBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants in. `login_id` is an address or a username; `token` is a code of the second factor. Drivers send
    null for what they have not.
    """

    id: str | None = None
    login_id: str | None = None
    password: str | None = None
    token: str | None = None
    device_id: str | None = None

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return "LoginBody(…)"


class SignedIn(msgspec.Struct, frozen=True):
    """A session's token, and whose it is."""

    token: str
    person: Person
    shown: UserShown


class SigningIn:
    """Lets people in.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._storage = shared.storage
        self._identity = shared.context.identity
        self._audit = shared.context.audit

    async def sign_in(self, body: LoginBody, head: Head) -> SignedIn:
        """Let somebody in who knows their password.

        Raises:
            BadRequest: 400: no password.
            Unauthorized: 401: with the API's id for the reason, where the password was right; else with one that
                says nothing.
            Unavailable: 503: too many passwords are being checked.
        """
        if not body.password:
            raise BadRequest("Password field must not be blank", code="api.user.login.blank_pwd.app_error")
        login = await self._login_of(body)
        try:
            user = await check_password_of(
                self._identity, self._storage, login, body.password, address=head.address, code=body.token or None
            )
        except Refused as refused:
            await self._note_refusal(refused, head)
            raise _worded(refused, has_code=bool(body.token)) from refused

        def work(transaction: Transaction) -> SignedIn:
            person = find_person(transaction, user.id)
            if person is None or not person.is_active:
                # Deactivated while the password was being checked.
                raise _inactive()
            token = begin_session(
                transaction, person.id, head, self._shared.config, device_id=(body.device_id or "")[:DEVICE]
            )
            who = str(person.id)
            detail = {"method": "password", "address": head.address}
            self._audit.record(transaction, "chat.signed_in", actor=who, target=who, detail=detail)
            return SignedIn(token, person, show_to_themselves(transaction, person))

        return await self._storage.write(work)

    async def _login_of(self, body: LoginBody) -> str:
        """What the core looks for.

        Raises:
            Unauthorized: 401: it is a bot.
        """

        def work(transaction: Transaction) -> tuple[str, Person | None]:
            if body.id and not body.login_id:
                id_ = from_chat_id(body.id)
                person = None if id_ is None else find_person(transaction, id_)
                return (body.id if person is None else person.handle), person
            login = body.login_id or ""
            return login, find_person_by_name(transaction, login.strip())

        login, person = await self._storage.read(work)
        if person is not None and person.is_bot:
            raise Unauthorized("Bot login is forbidden.", code="api.user.login.bot_login_forbidden.app_error")
        return login

    async def _note_refusal(self, refused: Refused, head: Head) -> None:
        # Not what was typed: a password stands where the name belongs now and then.
        detail = {"status": refused.status, "reason": refused.detail, "address": head.address}

        def work(transaction: Transaction) -> None:
            self._audit.record(transaction, "chat.sign_in_refused", actor="anonymous", detail=detail)

        await self._storage.write(work)


def _inactive() -> Unauthorized:
    return Unauthorized(
        "Login failed because your account has been deactivated. Please contact an administrator.",
        code="api.user.login.inactive.app_error",
    )


def _worded(refused: Refused, *, has_code: bool) -> Refused:
    """The core's refusal in the API's words: what only the right password reveals is told, the rest is not."""
    match refused:
        case WrongCredentials():
            return Unauthorized(
                "Enter a valid email or username and/or password.",
                code="api.user.login.invalid_credentials_email_username",
            )
        case MfaRequired() if has_code:
            return Unauthorized("Invalid MFA token.", code="api.user.check_user_mfa.bad_code.app_error")
        case MfaRequired():
            return Unauthorized("Invalid MFA token.", code="mfa.validate_token.authenticate.app_error")
        case NotVerified():
            return Unauthorized(
                "Login failed because email address has not been verified.",
                code="api.user.login.not_verified.app_error",
            )
        case Disabled() | Forbidden():
            return _inactive()
        case TooManyRequests():
            return Unauthorized(
                "Your account is locked because of too many failed password attempts. Please try again later.",
                code="api.user.check_user_login_attempts.too_many.app_error",
                headers=refused.headers,
            )
    return refused
