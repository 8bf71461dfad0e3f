"""Passwords that are forgotten or replaced."""

from __future__ import annotations

import msgspec

from manor import PUBLIC, Request, Route
from manor_auth.http.api import (
    AUTH,
    BODY_LIMIT,
    SIGN_IN,
    SIGNED_IN,
    TWO_PASSWORDS,
    Email,
    Password,
    Said,
    Token,
    person,
    session,
)
from manor_auth.passwords import Passwords


class ResetRequest(msgspec.Struct, frozen=True):
    """Whose password is forgotten."""

    email: Email


class ResetConfirm(msgspec.Struct, frozen=True):
    """The token that the mail brought, and the password from now on."""

    token: Token
    new_password: Password


class PasswordChange(msgspec.Struct, frozen=True):
    """The password until now, and the one from now on."""

    current_password: Password
    new_password: Password


class PasswordHandlers:
    """One method for each operation."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def ask(self, request: Request[ResetRequest]) -> Said:
        """Have a link mailed; the answer is the same whatever the address."""
        await self._passwords.ask_reset(request.body.email)
        return Said("If there is an account with this address, a link is on its way.")

    async def confirm(self, request: Request[ResetConfirm]) -> Said:
        """Choose a new password with the link of the mail; every session ends."""
        await self._passwords.confirm_reset(request.body.token, request.body.new_password)
        return Said("The password was changed. Sign in with the new one.")

    async def change(self, request: Request[PasswordChange]) -> Said:
        """Replace one's password; every other session ends."""
        body = request.body
        await self._passwords.change(
            person(request),
            session(request),
            body.current_password,
            body.new_password,
            address=request.head.address,
        )
        return Said("The password was changed.")


def password_routes(handlers: PasswordHandlers) -> list[Route]:
    """Request, confirm, change."""
    return [
        Route(
            "POST",
            "/auth/password-reset/request",
            handlers.ask,
            api=SIGN_IN,
            access=PUBLIC,
            body=ResetRequest,
            body_limit=BODY_LIMIT,
            returns=Said,
        ),
        Route(
            "POST",
            "/auth/password-reset/confirm",
            handlers.confirm,
            api=SIGN_IN,
            access=PUBLIC,
            body=ResetConfirm,
            body_limit=BODY_LIMIT,
            returns=Said,
            errors=(400, 503),
        ),
        Route(
            "POST",
            "/auth/password-change",
            handlers.change,
            api=AUTH,
            access=SIGNED_IN,
            body=PasswordChange,
            body_limit=TWO_PASSWORDS,
            returns=Said,
            errors=(400, 503),
        ),
    ]
