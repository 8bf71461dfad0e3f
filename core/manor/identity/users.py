"""People and bots: plain functions that take the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, insert, select, update

from manor.errors import Conflict, FieldProblem, NotFound
from manor.identity.events import UserChanged
from manor.identity.names import check_email, check_username, fold_email, fold_username
from manor.identity.sessions import end_sessions
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
    avatar_url: str | None = None
    last_login: datetime | None = None
    terms_accepted_at: datetime | None = None


_COLUMNS = [users.c[name] for name in User.__struct_fields__]

# Made once: somebody is looked up at nearly every request, and to make the statement takes longer than to run it.
_BY_ID, _BY_EMAIL, _BY_HANDLE = (
    select(*_COLUMNS).where(column == bindparam("wanted"))
    for column in (users.c.id, users.c.email_folded, users.c.handle)
)


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
    transaction.emit(UserChanged(user_id=user.id, is_active=True, is_admin=user.is_admin))
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
            found = transaction.connection.execute(_BY_ID, {"wanted": wanted})
        case (None, str() as wanted, None):
            found = transaction.connection.execute(_BY_EMAIL, {"wanted": fold_email(wanted)})
        case (None, None, str() as wanted):
            found = transaction.connection.execute(_BY_HANDLE, {"wanted": fold_username(wanted)})
        case _:
            raise TypeError("find_user takes one of user_id, email and username")
    row = found.mappings().one_or_none()
    return None if row is None else User(**row)


def list_users(transaction: Transaction, *, after: str = "", limit: int = 100) -> Sequence[User]:
    """A page of everybody but the system person, by handle; `after` is the last handle of the page before."""
    condition = users.c.is_system.is_(False) & (users.c.handle > after)
    page = select(*_COLUMNS).where(condition).order_by(users.c.handle).limit(limit)
    return [User(**row) for row in transaction.connection.execute(page).mappings()]


def find_password_hash(transaction: Transaction, user_id: UUID) -> str | None:
    """What `Hasher.verify` compares with; None when there is no password, or no such person."""
    query = select(users.c.password_hash).where(users.c.id == user_id)
    password_hash: str | None = transaction.connection.execute(query).scalar_one_or_none()
    return password_hash


# --- Changes -------------------------------------------------------------------------------------------------------


def update_user(
    transaction: Transaction,
    user_id: UUID,
    *,
    username: str | None = None,
    email: str | None = None,
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET,
) -> User:
    """Change what someone is called or where they are reached; what is left out, or the same as before, stays.

    A new address is not known to be theirs; the same one spelt otherwise is as well known as before.

    Raises:
        NotFound: There is no such person.
        Unprocessable: 422 naming the field: it cannot be one.
        Conflict: 409 naming the field: somebody else has it.
    """
    user = existing(transaction, user_id)
    changes: dict[str, object] = {}
    if username is not None and username != user.username:
        check_username(username)
        _check_not_taken("username", find_user(transaction, username=username), user)
        changes |= {"username": username, "handle": fold_username(username)}
    if email is not None and email != user.email:
        check_email(email)
        _check_not_taken("email", find_user(transaction, email=email), user)
        is_same = user.email is not None and fold_email(email) == fold_email(user.email)
        changes |= {"email": email, "email_folded": fold_email(email), "is_verified": user.is_verified and is_same}
    if avatar_url is not msgspec.UNSET:
        changes["avatar_url"] = avatar_url
    return _change(transaction, user, changes)


def set_active(transaction: Transaction, user_id: UUID, is_active: bool) -> User:
    """Let someone in again, or keep them out: their sign-ins end, and no credential of theirs opens anything.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    user = existing(transaction, user_id)
    if not is_active:
        end_sessions(transaction, user.id)
    return _change(transaction, user, {"is_active": is_active})


def set_admin(transaction: Transaction, user_id: UUID, is_admin: bool) -> User:
    """Let someone administer this server, or no more.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    return _change(transaction, existing(transaction, user_id), {"is_admin": is_admin})


def set_tier(transaction: Transaction, user_id: UUID, tier: str) -> User:
    """Give someone other limits; that there is such a tier is the caller's to know.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    return _change(transaction, existing(transaction, user_id), {"tier": tier})


def mark_verified(transaction: Transaction, user_id: UUID, is_verified: bool = True) -> User:
    """Note that the address is known to be theirs.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    return _change(transaction, existing(transaction, user_id), {"is_verified": is_verified})


def set_password_hash(transaction: Transaction, user_id: UUID, password_hash: str | None) -> None:
    """Keep what `Hasher.hash` made; None takes the password away. Whose sign-ins end is the caller's to say.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    _set(transaction, existing(transaction, user_id), {"password_hash": password_hash})


def note_login(transaction: Transaction, user_id: UUID) -> None:
    """Remember that someone signed in now."""
    transaction.connection.execute(update(users).where(users.c.id == user_id).values(last_login=transaction.now))


def note_terms(transaction: Transaction, user_id: UUID) -> User:
    """Remember that someone accepted the terms now; which ones is in their consents.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    return _change(transaction, existing(transaction, user_id), {"terms_accepted_at": transaction.now})


def existing(transaction: Transaction, user_id: UUID) -> User:
    """Somebody who may be changed.

    Raises:
        NotFound: There is no such person.
        Conflict: It is the system person.
    """
    user = find_user(transaction, user_id=user_id)
    if user is None:
        raise NotFound("There is no such person")
    if user.is_system:
        raise Conflict(f"{user.username} is the server itself and stays as it is")
    return user


def _check_not_taken(field: str, holder: User | None, user: User) -> None:
    if holder is not None and holder.id != user.id:
        raise _taken(field)


def _change(transaction: Transaction, user: User, changes: dict[str, object]) -> User:
    """Store what is different, and tell; nothing is told of a change that is none."""
    known = {name: value for name, value in changes.items() if name in User.__struct_fields__}
    changed = msgspec.structs.replace(user, **known)
    if changed != user:
        _set(transaction, user, changes)
        transaction.emit(UserChanged(user_id=user.id, is_active=changed.is_active, is_admin=changed.is_admin))
    return changed


def _set(transaction: Transaction, user: User, changes: dict[str, object]) -> None:
    transaction.connection.execute(update(users).where(users.c.id == user.id).values(changes))
