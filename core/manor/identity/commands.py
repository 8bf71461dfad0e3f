"""What an admin does about people from the shell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from manor.audit import Audit
from manor.commands import (
    AddUser,
    ListUsers,
    MakeAdmin,
    SetPassword,
    SetTier,
    UserAdded,
    UserListed,
    UserShown,
    UsersListed,
    Who,
)
from manor.errors import NotFound
from manor.identity.lockout import account_of, clear_lockout
from manor.identity.logins import list_logins
from manor.identity.names import refuse_field
from manor.identity.passwords import check_password
from manor.identity.service import Identity
from manor.identity.sessions import end_sessions, list_sessions
from manor.identity.teams import list_teams
from manor.identity.totp import disable_totp, has_totp
from manor.identity.users import (
    NewUser,
    User,
    add_user,
    check_free,
    existing,
    find_password_hash,
    find_user,
    list_users,
    mark_verified,
    set_active,
    set_admin,
    set_password_hash,
    set_tier,
)
from manor.storage import Storage, Transaction, parse_id

SHELL = "shell"
"""Who acts, in the audit log."""


class UserCommands:
    """The commands about people; the house gives them their names.

    Args:
        identity: Hashes passwords and erases.
        storage: The house's.
        audit: Is told of every change.
        tiers: The names of all tiers.
    """

    def __init__(
        self, identity: Identity, storage: Storage, audit: Audit, tiers: Callable[[], Collection[str]]
    ) -> None:
        self._identity = identity
        self._storage = storage
        self._audit = audit
        self._tiers = tiers

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
            user = add_user(transaction, new)
            self._note(transaction, "identity.user_added", user, is_admin=user.is_admin)
            return user

        user = await self._storage.write(work)
        return UserAdded(user.id, user.username, arguments.email, user.is_admin)

    async def list(self, arguments: ListUsers) -> UsersListed:
        """A page of people, by handle."""
        page = await self._storage.read(
            lambda transaction: list_users(transaction, after=arguments.after, limit=arguments.limit)
        )
        return UsersListed([msgspec.convert(user, UserListed, from_attributes=True) for user in page])

    async def show(self, arguments: Who) -> UserShown:
        """Somebody, with how they sign in.

        Raises:
            NotFound: There is nobody of that id, address or name.
        """
        return await self._storage.read(lambda transaction: _shown(transaction, _find(transaction, arguments.who)))

    async def disable(self, arguments: Who) -> UserShown:
        """Keep somebody out: their sign-ins end now, and nothing of theirs opens anything until they are enabled."""
        return await self._change(
            arguments.who, "identity.user_disabled", lambda transaction, user: set_active(transaction, user.id, False)
        )

    async def enable(self, arguments: Who) -> UserShown:
        """Let somebody in again; they sign in anew, and their keys open what they did."""
        return await self._change(
            arguments.who, "identity.user_enabled", lambda transaction, user: set_active(transaction, user.id, True)
        )

    async def verify(self, arguments: Who) -> UserShown:
        """Vouch for somebody's address."""
        return await self._change(
            arguments.who, "identity.user_verified", lambda transaction, user: mark_verified(transaction, user.id)
        )

    async def disable_mfa(self, arguments: Who) -> UserShown:
        """Ask somebody for no second factor any more; the password alone signs in until they set one up again."""

        def work(transaction: Transaction, user: User) -> bool:
            return disable_totp(transaction, existing(transaction, user.id).id)

        return await self._change(arguments.who, "identity.mfa_disabled", work)

    async def make_admin(self, arguments: MakeAdmin) -> UserShown:
        """Let somebody administer the server, or no more."""
        return await self._change(
            arguments.who,
            "identity.admin_changed",
            lambda transaction, user: set_admin(transaction, user.id, arguments.is_admin),
            is_admin=arguments.is_admin,
        )

    async def set_tier(self, arguments: SetTier) -> UserShown:
        """Give somebody other limits.

        Raises:
            Unprocessable: 422: there is no such tier.
            NotFound: There is nobody of that id, address or name.
        """
        if arguments.tier not in self._tiers():
            raise refuse_field("tier", f"there is no {arguments.tier!r}; there are {', '.join(sorted(self._tiers()))}")
        return await self._change(
            arguments.who,
            "identity.tier_changed",
            lambda transaction, user: set_tier(transaction, user.id, arguments.tier),
            tier=arguments.tier,
        )

    async def set_password(self, arguments: SetPassword) -> UserShown:
        """Give somebody a password; whoever was signed in as them is so no more, and lock-outs are forgotten.

        Raises:
            Unprocessable: 422 naming the field: the password cannot be one.
            NotFound: There is nobody of that id, address or name.
        """
        user = await self._storage.read(lambda transaction: _find(transaction, arguments.who))
        check_password(arguments.password, username=user.username, email=user.email)
        password_hash = await self._identity.hasher.hash(arguments.password)

        def change(transaction: Transaction, user: User) -> None:
            set_password_hash(transaction, user.id, password_hash)
            end_sessions(transaction, user.id)
            clear_lockout(transaction, account_of(user, ""))

        # By id: the names may be somebody else's since the look above.
        return await self._change(str(user.id), "identity.password_set", change)

    async def delete(self, arguments: Who) -> UserShown:
        """Erase somebody: the account at once, what they left behind by and by.

        Returns:
            Who it was.

        Raises:
            NotFound: There is nobody of that id, address or name.
            Conflict: It is the system person.
        """

        def work(transaction: Transaction) -> UserShown:
            user = _find(transaction, arguments.who)
            shown = _shown(transaction, user)
            self._identity.personal.erase(transaction, user.id, actor=SHELL)
            return shown

        return await self._storage.write(work)

    async def _change(
        self, who: str, action: str, change: Callable[[Transaction, User], object], **detail: Any
    ) -> UserShown:
        def work(transaction: Transaction) -> UserShown:
            user = _find(transaction, who)
            change(transaction, user)
            self._note(transaction, action, user, **detail)
            return _shown(transaction, _find(transaction, str(user.id)))

        return await self._storage.write(work)

    def _note(self, transaction: Transaction, action: str, user: User, **detail: Any) -> None:
        self._audit.record(transaction, action, actor=SHELL, target=str(user.id), detail=detail or None)


def _check(transaction: Transaction, arguments: AddUser) -> None:
    check_free(transaction, username=arguments.username, email=arguments.email)


def _find(transaction: Transaction, who: str) -> User:
    # An id first: somebody may be called like another one's.
    user_id = parse_id(who)
    user = find_user(transaction, user_id=user_id) if user_id is not None else None
    if user is None:
        user = find_user(transaction, email=who) if "@" in who else find_user(transaction, username=who)
    if user is None:
        raise NotFound(f"There is nobody with the id, address or name {who[:254]!r}")
    return user


def _shown(transaction: Transaction, user: User) -> UserShown:
    sessions: Sequence[object] = list_sessions(transaction, user.id)
    return UserShown(
        id=user.id,
        username=user.username,
        email=user.email,
        tier=user.tier,
        is_active=user.is_active,
        is_admin=user.is_admin,
        is_bot=user.is_bot,
        is_verified=user.is_verified,
        has_password=find_password_hash(transaction, user.id) is not None,
        has_mfa=has_totp(transaction, user.id),
        created_at=user.created_at,
        last_login=user.last_login,
        terms_accepted_at=user.terms_accepted_at,
        logins=[login.provider for login in list_logins(transaction, user.id)],
        teams=[team.name for team in list_teams(transaction, user.id)],
        sessions=len(sessions),
    )
