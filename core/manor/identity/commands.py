"""What an admin does about people from the shell."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor.identity.passwords import check_password
from manor.identity.service import Identity
from manor.identity.users import NewUser, User, add_user, check_free
from manor.storage import Storage, Transaction


class AddUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `user.add`; without a password they cannot sign in with one until it is set."""

    email: str
    username: str
    is_admin: bool = False
    password: str | None = None

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"AddUser(email={self.email!r}, username={self.username!r}, is_admin={self.is_admin!r})"


class UserAdded(msgspec.Struct, frozen=True):
    """Who was added."""

    id: UUID
    username: str
    email: str
    is_admin: bool


class UserCommands:
    """The commands about people; the house gives them their names."""

    def __init__(self, identity: Identity, storage: Storage) -> None:
        self._identity = identity
        self._storage = storage

    async def add(self, arguments: AddUser) -> UserAdded:
        """Add a person. The admin vouches for the address, so it counts as verified.

        Raises:
            Unprocessable: 422 naming the field that cannot be taken.
            Conflict: 409 naming the field that somebody has.
        """
        password_hash = None
        if arguments.password is not None:
            # Refuse first: a hash is dear, and one for a name that is taken would be made for nothing.
            await self._storage.read(lambda transaction: _check(transaction, arguments))
            check_password(arguments.password, username=arguments.username, email=arguments.email)
            password_hash = await self._identity.hasher.hash(arguments.password)
        new = NewUser(
            username=arguments.username,
            email=arguments.email,
            tier=self._identity.default_tier,
            password_hash=password_hash,
            is_admin=arguments.is_admin,
            is_verified=True,
        )

        def work(transaction: Transaction) -> User:
            return add_user(transaction, new)

        user = await self._storage.write(work)
        return UserAdded(user.id, user.username, arguments.email, user.is_admin)


def _check(transaction: Transaction, arguments: AddUser) -> None:
    check_free(transaction, username=arguments.username, email=arguments.email)
