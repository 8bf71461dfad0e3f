"""Accounts of the host."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manor import BadRequest, Conflict, NotFound, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.http.api import CHANGE_SECONDS, HOST_API, ONLY_DEVICES, said, told
from manor_hostservices.parts import Shared
from manor_hostservices.passwords import hash_password
from manor_hostservices.rules import Rule, check_account_name, check_password, is_reserved
from manor_hostservices.verbs import AddUser, DeleteUser, ReadUsers


class NewUser(msgspec.Struct, frozen=True):
    """An account to be made."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"NewUser(username={self.username!r})"


class UserDone(msgspec.Struct, frozen=True):
    """What was asked for an account is done."""

    result: int
    username: str


class UserHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._primary = shared.config.primary_user

    async def list(self, request: Request) -> Reply:
        """Accounts that were made from here."""
        with told():
            return said(await self._host.ask(ReadUsers()))

    async def add(self, request: Request[NewUser]) -> UserDone:
        """Make an account."""
        name = request.body.username
        if is_reserved(name):
            raise Conflict("Username is forbidden", code="message")
        try:
            check_account_name(name)
        except Rule as rule:
            raise BadRequest(str(rule)) from rule
        with told():
            # Before the password is looked at and hashed, which takes a processor's tenth of a second.
            if name == self._primary or name in await self._host.ask(ReadUsers()):
                raise Conflict("User already exists")
            try:
                check_password(request.body.password)
            except Rule as rule:
                raise BadRequest(str(rule)) from rule
            await self._acting.change(AddUser(name, await hash_password(request.body.password)), by=caller(request))
        return UserDone(0, name)

    async def delete(self, request: Request) -> UserDone:
        """Remove an account with its files and keys."""
        name = request.params["username"]
        if name == self._primary:
            raise BadRequest("Cannot delete root user")
        try:
            check_account_name(name)
            with told():
                await self._acting.change(DeleteUser(name), by=caller(request))
        except (Rule, NotFound) as error:
            raise NotFound("User does not exist") from error
        return UserDone(0, name)


def user_routes(handlers: UserHandlers) -> Sequence[Route]:
    """The operations."""
    return [
        Route("GET", "/users", handlers.list, api=HOST_API, access=ONLY_DEVICES, returns=list[str]),
        Route(
            "POST",
            "/users",
            handlers.add,
            api=HOST_API,
            access=ONLY_DEVICES,
            body=NewUser,
            returns=UserDone,
            status=201,
            errors=(409,),
            deadline=CHANGE_SECONDS,
        ),
        Route(
            "DELETE",
            "/users/{username}",
            handlers.delete,
            api=HOST_API,
            access=ONLY_DEVICES,
            returns=UserDone,
            deadline=CHANGE_SECONDS,
        ),
    ]
