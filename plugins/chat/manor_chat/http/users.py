"""One user: seen, made and changed, over HTTP."""

from __future__ import annotations

import msgspec

from manor import PUBLIC, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer, etagged
from manor_chat.http.api import IN_PERSON, SIGNED_IN, operation
from manor_chat.http.params import id_member, user_param
from manor_chat.parts import Shared
from manor_chat.people.accounts import Accounts
from manor_chat.people.checking import refuse_apps
from manor_chat.people.profiles import ProfileBody, existing_person
from manor_chat.people.registering import Registering
from manor_chat.people.showing import show_person
from manor_chat.rights import Rights
from manor_chat.store.people import Person, find_person_by_email, find_person_by_name
from manor_chat.wire.people import UserShown


class InviteQuery(msgspec.Struct, frozen=True):
    """By which invite somebody comes: `t` was mailed to them, `iid` is a team's."""

    t: str = ""
    iid: str = ""


class WholeUserBody(ProfileBody, frozen=True, kw_only=True):
    """A user as a client had it, with changes; what is left out stays as it is here, too."""

    id: str = ""


class RolesBody(msgspec.Struct, frozen=True):
    """Names of system roles, separated by blanks."""

    roles: str


class ActiveBody(msgspec.Struct, frozen=True):
    """Whether somebody may be here."""

    active: bool


class DeletionQuery(msgspec.Struct, frozen=True):
    """Whether somebody is erased rather than deactivated."""

    permanent: bool = False


class UsersHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, registering: Registering, accounts: Accounts) -> None:
        self._shared = shared
        self._registering = registering
        self._accounts = accounts

    async def create(self, request: Request[ProfileBody, InviteQuery]) -> Reply:
        """Make an account."""
        by_admin = request.person is not None and request.person.is_admin
        if by_admin:
            refuse_apps(request)
        shown = await self._registering.register(
            request.body,
            token=request.query.t,
            invite_id=request.query.iid,
            by_admin=by_admin,
            address=request.head.address,
        )
        return answer(shown, 201)

    async def user(self, request: Request) -> Reply:
        """Somebody by id."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> UserShown:
            return self._seen(transaction, rights, existing_person(transaction, user_id))

        return etagged(request, await self._shared.read(request, work))

    async def by_username(self, request: Request) -> Reply:
        """Somebody by name."""
        name = request.params["username"]

        def work(transaction: Transaction, rights: Rights) -> UserShown:
            person = find_person_by_name(transaction, name)
            if person is None:
                raise faults.missing_username()
            return self._seen(transaction, rights, person)

        return etagged(request, await self._shared.read(request, work))

    async def by_email(self, request: Request) -> Reply:
        """Somebody by address, where addresses are shown."""
        email = request.params["email"]

        def work(transaction: Transaction, rights: Rights) -> UserShown:
            if not (self._shared.config.show_email_addresses or rights.may("manage_system")):
                raise faults.hidden_email()
            person = find_person_by_email(transaction, email)
            if person is None:
                raise faults.missing_user()
            return self._seen(transaction, rights, person)

        return etagged(request, await self._shared.read(request, work))

    async def update(self, request: Request[WholeUserBody]) -> UserShown:
        """Change somebody."""
        user_id = user_param(request)
        if id_member(request.body.id, "id") != user_id:
            raise faults.bad_body_param("id")
        return await self._accounts.change(request, user_id, request.body)

    async def patch(self, request: Request[ProfileBody]) -> UserShown:
        """Change what is given."""
        return await self._accounts.change(request, user_param(request), request.body)

    async def set_roles(self, request: Request[RolesBody]) -> Reply:
        """Give somebody other system roles."""
        await self._accounts.set_roles(request, user_param(request), request.body.roles)
        return STATUS_OK

    async def set_active(self, request: Request[ActiveBody]) -> Reply:
        """Keep somebody out, or let them in again."""
        await self._accounts.set_active(request, user_param(request), request.body.active)
        return STATUS_OK

    async def delete(self, request: Request[None, DeletionQuery]) -> Reply:
        """Deactivate somebody; with `permanent=true` erase them, where the server does that."""
        user_id = user_param(request)
        if request.query.permanent:
            await self._accounts.erase(request, user_id)
        else:
            await self._accounts.set_active(request, user_id, False)
        return STATUS_OK

    def _seen(self, transaction: Transaction, rights: Rights, person: Person) -> UserShown:
        if person.id != rights.user_id:
            rights.require("view_members")
        return show_person(transaction, person, rights, self._shared.config)


def users_routes(shared: Shared, registering: Registering, accounts: Accounts) -> list[Route]:
    """The operations."""
    here, api, users, one = UsersHandlers(shared, registering, accounts), shared.api, "users", UserShown
    return [
        operation(api, "POST /users", here.create, access=PUBLIC, tag=users, body=ProfileBody, query=InviteQuery,
                  returns=one, status=201),
        operation(api, "GET /users/{user_id}", here.user, access=SIGNED_IN, tag=users, returns=one),
        operation(api, "GET /users/username/{username}", here.by_username, access=SIGNED_IN, tag=users, returns=one),
        operation(api, "GET /users/email/{email}", here.by_email, access=SIGNED_IN, tag=users, returns=one),
        operation(api, "PUT /users/{user_id}", here.update, access=SIGNED_IN, tag=users, body=WholeUserBody,
                  returns=one),
        operation(api, "PUT /users/{user_id}/patch", here.patch, access=SIGNED_IN, tag=users, body=ProfileBody,
                  returns=one),
        operation(api, "PUT /users/{user_id}/roles", here.set_roles, access=IN_PERSON, tag=users, body=RolesBody),
        operation(api, "PUT /users/{user_id}/active", here.set_active, access=IN_PERSON, tag=users, body=ActiveBody),
        operation(api, "DELETE /users/{user_id}", here.delete, access=IN_PERSON, tag=users, query=DeletionQuery),
    ]  # fmt: skip
