"""Passwords and the second factor, over HTTP."""

from __future__ import annotations

import msgspec

from manor import PUBLIC, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK
from manor_chat.http.api import IN_PERSON, operation
from manor_chat.http.params import user_param
from manor_chat.parts import Shared
from manor_chat.people.passwords import Passwords
from manor_chat.people.second_factor import Key, MfaSecret, activate, deactivate, drawn, new_key
from manor_chat.rights import Rights


class PasswordBody(msgspec.Struct, frozen=True):
    """A password, and the one that it replaces."""

    current_password: str | None = None
    new_password: str = ""

    def __repr__(self) -> str:
        """Without the passwords, whatever log or traceback it lands in."""
        return "PasswordBody(…)"


class ResetBody(msgspec.Struct, frozen=True):
    """A password, and the token that was mailed."""

    token: str = ""
    new_password: str = ""

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return "ResetBody(…)"


class EmailBody(msgspec.Struct, frozen=True):
    """Somebody's address."""

    email: str = ""


class MfaBody(msgspec.Struct, frozen=True):
    """Whether codes are asked for; to have them asked for takes one."""

    activate: bool
    code: str | None = None


class PasswordsHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, passwords: Passwords) -> None:
        self._shared = shared
        self._passwords = passwords

    async def change(self, request: Request[PasswordBody]) -> Reply:
        """Replace a password."""
        user_id, body = user_param(request), request.body
        if not body.new_password:
            raise faults.bad_body_param("new_password")
        await self._passwords.change(request, user_id, body.current_password or "", body.new_password)
        return STATUS_OK

    async def send_reset(self, request: Request[EmailBody]) -> Reply:
        """Mail somebody who forgot their password; the answer is the same when nobody has the address."""
        await self._passwords.ask_reset(request.body.email.strip())
        return STATUS_OK

    async def reset(self, request: Request[ResetBody]) -> Reply:
        """Replace a forgotten password by what was mailed."""
        body = request.body
        for name in ("token", "new_password"):
            if not getattr(body, name):
                raise faults.bad_body_param(name)
        await self._passwords.reset(body.token, body.new_password)
        return STATUS_OK

    async def generate(self, request: Request) -> MfaSecret:
        """Make a key for an authenticator app."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Key:
            return new_key(transaction, rights, user_id)

        return await drawn(await self._shared.write(request, work))

    async def set_mfa(self, request: Request[MfaBody]) -> Reply:
        """Have codes of the app asked for at each sign-in, or no more."""
        user_id, body = user_param(request), request.body
        if body.activate and not body.code:
            raise faults.bad_body_param("code")

        def work(transaction: Transaction, rights: Rights) -> None:
            if body.activate:
                activate(transaction, rights, user_id, body.code or "", self._shared.config)
            else:
                deactivate(transaction, rights, user_id, self._shared.config)
            action = "chat.mfa_activated" if body.activate else "chat.mfa_deactivated"
            actor, target = str(rights.user_id), str(user_id)
            self._shared.context.audit.record(transaction, action, actor=actor, target=target)

        await self._shared.write(request, work)
        return STATUS_OK


def passwords_routes(shared: Shared, passwords: Passwords) -> list[Route]:
    """The operations."""
    here, api, users = PasswordsHandlers(shared, passwords), shared.api, "users"
    return [
        operation(api, "PUT /users/{user_id}/password", here.change, access=IN_PERSON, tag=users, body=PasswordBody),
        operation(api, "POST /users/password/reset", here.reset, access=PUBLIC, tag=users, body=ResetBody),
        operation(api, "POST /users/password/reset/send", here.send_reset, access=PUBLIC, tag=users, body=EmailBody),
        operation(api, "POST /users/{user_id}/mfa/generate", here.generate, access=IN_PERSON, tag=users,
                  returns=MfaSecret),
        operation(api, "PUT /users/{user_id}/mfa", here.set_mfa, access=IN_PERSON, tag=users, body=MfaBody),
    ]  # fmt: skip
