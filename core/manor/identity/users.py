"""People and bots: plain functions that take the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import insert, select

from manor.errors import Conflict, FieldProblem
from manor.identity.events import UserChanged
from manor.identity.names import check_email, check_username, fold_email, fold_username
from manor.identity.tables import users
from manor.storage import Transaction, new_id


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who is about to be added.

    Args:
        username: As typed; unique whatever its case.
        email: As typed; unique whatever its case. Bots may have none.
        password_hash: What `Hasher.hash` made; None: they cannot sign in with a password.
        tier: Names their limits, as `[tiers.NAME]` does.
        is_admin: Whether they administer this server.
        is_bot: Whether a program acts under this name.
        is_verified: Whether the address is known to be theirs.
    """

    username: str
    email: str | None
    tier: str
    password_hash: str | None = None
    is_admin: bool = False
    is_bot: bool = False
    is_verified: bool = False


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person, a bot, or the system person. The password's hash is not among what is handed round."""

    id: UUID
    username: str
    handle: str
    email: str | None
    tier: str
    is_active: bool
    is_admin: bool
    is_bot: bool
    is_system: bool
    is_verified: bool
    created_at: datetime


_COLUMNS = [users.c[name] for name in User.__struct_fields__]


def add_user(transaction: Transaction, new: NewUser) -> User:
    """Add a person or bot.

    Raises:
        Unprocessable: 422 naming the field: the username or the address cannot be one.
        Conflict: 409 naming the field: somebody has it.
    """
    check_free(transaction, username=new.username, email=new.email)
    user = User(
        id=new_id(),
        username=new.username,
        handle=fold_username(new.username),
        email=new.email,
        tier=new.tier,
        is_active=True,
        is_admin=new.is_admin,
        is_bot=new.is_bot,
        is_system=False,
        is_verified=new.is_verified,
        created_at=transaction.now,
    )
    hidden = {
        "email_folded": None if new.email is None else fold_email(new.email),
        "password_hash": new.password_hash,
    }
    transaction.connection.execute(insert(users).values(msgspec.structs.asdict(user) | hidden))
    transaction.emit(UserChanged(user_id=user.id, is_active=True))
    return user


def check_free(transaction: Transaction, *, username: str, email: str | None) -> None:
    """See that these may be taken, and are not.

    Raises:
        Unprocessable: 422 naming the field: it cannot be one.
        Conflict: 409 naming the field: somebody has it.
    """
    check_username(username)
    if email is not None:
        check_email(email)
    if find_user(transaction, username=username) is not None:
        raise _taken("username")
    if email is not None and find_user(transaction, email=email) is not None:
        raise _taken("email")


def _taken(field: str) -> Conflict:
    return Conflict(f"{field}: is taken", errors=[FieldProblem(field, "is taken")])


def find_user(
    transaction: Transaction, *, user_id: UUID | None = None, email: str | None = None, username: str | None = None
) -> User | None:
    """The one with this id, this address or this name, whatever the case; exactly one of them is asked for."""
    match (user_id, email, username):
        case (UUID() as wanted, None, None):
            condition = users.c.id == wanted
        case (None, str() as wanted, None):
            condition = users.c.email_folded == fold_email(wanted)
        case (None, None, str() as wanted):
            condition = users.c.handle == fold_username(wanted)
        case _:
            raise TypeError("find_user takes one of user_id, email and username")
    row = transaction.connection.execute(select(*_COLUMNS).where(condition)).mappings().one_or_none()
    return None if row is None else User(**row)


def list_users(transaction: Transaction, *, after: str = "", limit: int = 100) -> Sequence[User]:
    """A page of everybody but the system person, by handle; `after` is the last handle of the page before."""
    condition = users.c.is_system.is_(False) & (users.c.handle > after)
    page = select(*_COLUMNS).where(condition).order_by(users.c.handle).limit(limit)
    return [User(**row) for row in transaction.connection.execute(page).mappings()]
