"""Changing somebody: their profile, their roles, whether they are here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from manor import (
    BadRequest,
    Conflict,
    Forbidden,
    Request,
    Transaction,
    WrongCredentials,
    check_own_password,
    set_active,
    set_admin,
)
from manor_chat import faults
from manor_chat.domain.permissions import ROLES, SYSTEM_ADMIN, SYSTEM_GUEST, SYSTEM_USER
from manor_chat.parts import Shared
from manor_chat.people.checking import refuse_apps
from manor_chat.people.managing_bots import may_manage_bot
from manor_chat.people.news import tell_changes
from manor_chat.people.profiles import ProfileBody, change_person, existing_person, is_new_email
from manor_chat.people.registering import Registering
from manor_chat.people.showing import show_person
from manor_chat.rights import Rights
from manor_chat.store.people import Person
from manor_chat.wire.people import UserShown


class Accounts:
    """Changes people.

    Args:
        shared: What all parts use.
        registering: Sends what proves an address.
    """

    def __init__(self, shared: Shared, registering: Registering) -> None:
        self._shared = shared
        self._registering = registering
        self._context = shared.context

    async def change(self, request: Request[Any, Any], user_id: UUID, body: ProfileBody) -> UserShown:
        """Change somebody's profile, name or address. Who changes their own address shows that they know the password.

        Raises:
            Refused: 400, 403 or 404, in the API's words.
        """
        person = await self._shared.read(request, lambda transaction, rights: _changeable(transaction, rights, user_id))
        is_own = request.user_id == user_id
        if is_new_email(person, body):
            # Whoever has somebody's address resets their password.
            refuse_apps(request)
            if is_own:
                await self._check_password(user_id, body.password, request.head.address)

        def work(transaction: Transaction, rights: Rights) -> UserShown:
            before = _changeable(transaction, rights, user_id)
            if before.email != person.email and is_new_email(before, body):
                # Changed meanwhile: what was asked before is another change now.
                raise faults.bad_body_param("email")
            changed = change_person(transaction, before, body, self._shared.config, by_admin=not is_own)
            if changed.email != before.email:
                self._tell_mailboxes(transaction, before, changed)
            self._audit(transaction, rights, "chat.user_changed", user_id)
            return show_person(transaction, changed, rights, self._shared.config)

        return await self._shared.write(request, work)

    async def set_roles(self, request: Request[Any, Any], user_id: UUID, roles: str) -> None:
        """Give somebody other system roles.

        Raises:
            BadRequest: 400: there is no such role, or `system_user` is not among them.
            NotImplementedHere: 501: guests.
            NotFound: 404.
            Forbidden: 403.
        """
        names = roles.split()
        if SYSTEM_GUEST in names:
            raise faults.switched_off(
                "api.user.update_user_roles.license.app_error", "Guest accounts are not available on this server."
            )
        if SYSTEM_USER not in names or any(name not in ROLES or not name.startswith("system_") for name in names):
            raise faults.bad_body_param("roles")
        own = " ".join(sorted(set(names) - {SYSTEM_USER, SYSTEM_ADMIN}))

        def work(transaction: Transaction, rights: Rights) -> None:
            person = existing_person(transaction, user_id)
            rights.require("manage_roles")
            try:
                set_admin(transaction, user_id, SYSTEM_ADMIN in names)
            except Conflict as conflict:
                raise faults.no_permission() from conflict
            tell_changes(transaction, person, self._shared.config, roles=own)
            self._audit(transaction, rights, "chat.roles_changed", user_id, {"roles": names})

        await self._shared.write(request, work)

    async def set_active(self, request: Request[Any, Any], user_id: UUID, is_active: bool) -> None:
        """Keep somebody out, which ends their sessions and tokens at once, or let them in again.

        Raises:
            NotFound: 404.
            Forbidden: 403.
        """

        def work(transaction: Transaction, rights: Rights) -> None:
            person = existing_person(transaction, user_id)
            if not rights.may("manage_system"):
                if user_id != rights.user_id or is_active:
                    raise Forbidden(
                        "You do not have the appropriate permissions.",
                        code="api.user.update_active.permissions.app_error",
                    )
                if not self._shared.config.self_deactivation:
                    raise Forbidden(
                        "You cannot deactivate yourself because this feature is not enabled.",
                        code="api.user.update_active.not_enable.app_error",
                    )
            self.switch(transaction, person, is_active)
            self._audit(transaction, rights, "chat.user_activated" if is_active else "chat.user_deactivated", user_id)

        await self._shared.write(request, work)

    def switch(self, transaction: Transaction, person: Person, is_active: bool) -> Person:
        """Let somebody in or keep them out; who may was checked.

        Raises:
            Forbidden: 403: it is the server itself.
        """
        try:
            set_active(transaction, person.id, is_active)
        except Conflict as conflict:
            raise faults.no_permission() from conflict
        return tell_changes(transaction, person, self._shared.config)

    async def erase(self, request: Request[Any, Any], user_id: UUID) -> None:
        """Erase somebody, with all that they left on this server.

        Raises:
            NotImplementedHere: 501: it is switched off.
            NotFound: 404.
            Forbidden: 403.
        """

        def work(transaction: Transaction, rights: Rights) -> None:
            person = existing_person(transaction, user_id)
            rights.require("manage_system")
            if not self._shared.config.permanent_deletion:
                raise faults.switched_off(
                    "api.user.delete_user.not_enabled.app_error",
                    "Permanent user deletion feature is not enabled. Please contact your System Administrator.",
                )
            if person.is_system:
                raise faults.no_permission()
            self._context.identity.personal.erase(transaction, user_id, actor=str(rights.user_id))

        await self._shared.write(request, work)

    async def _check_password(self, user_id: UUID, password: Any, address: str) -> None:
        if not isinstance(password, str) or not password:
            raise faults.bad_body_param("password")
        try:
            await check_own_password(self._context.identity, self._context.storage, user_id, password, address=address)
        except WrongCredentials as wrong:
            detail = faults.bad_body_param("password")
            raise BadRequest(detail.detail, code=detail.code) from wrong

    def _tell_mailboxes(self, transaction: Transaction, before: Person, changed: Person) -> None:
        if not changed.is_verified and self._context.identity.config.require_verification:
            self._registering.send_verification(transaction, changed)
        if before.email:
            letter = self._registering.letters.email_changed(before.email, before.id)
            self._context.mail.send(transaction, letter)

    def _audit(
        self, transaction: Transaction, rights: Rights, action: str, user_id: UUID, detail: dict[str, Any] | None = None
    ) -> None:
        self._context.audit.record(transaction, action, actor=str(rights.user_id), target=str(user_id), detail=detail)


def _changeable(transaction: Transaction, rights: Rights, user_id: UUID) -> Person:
    """Somebody whom the caller may change.

    Raises:
        NotFound: 404.
        Forbidden: 403.
    """
    person = existing_person(transaction, user_id)
    if person.is_bot and may_manage_bot(transaction, rights, person.id):
        return person
    rights.require_self(user_id)
    return person
