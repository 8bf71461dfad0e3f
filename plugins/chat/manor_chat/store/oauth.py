"""Programs, codes and grants as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from manor import Transaction
from manor_chat.tables.oauth import oauth_apps, oauth_codes, oauth_grants
from manor_chat.times import to_milliseconds


class OAuthApp(msgspec.Struct, frozen=True, kw_only=True):
    """A program that may act for people; its secret is known as a digest alone."""

    id: UUID
    creator_id: UUID
    create_at: int
    update_at: int
    name: str
    description: str
    icon_url: str
    homepage: str
    callback_urls: list[str]
    is_trusted: bool
    secret_hash: bytes

    def __repr__(self) -> str:
        """Without the digest, whatever log or traceback it lands in."""
        return f"OAuthApp({self.name!r})"


class OAuthCode(msgspec.Struct, frozen=True, kw_only=True):
    """What a program fetches its token with."""

    hash: bytes
    app_id: UUID
    user_id: UUID
    redirect_uri: str
    scope: str
    code_challenge: str
    expires_at: int
    used_at: int = 0


_APP = [oauth_apps.c[name] for name in OAuthApp.__struct_fields__]
_CODE = [oauth_codes.c[name] for name in OAuthCode.__struct_fields__]


def find_app(transaction: Transaction, app_id: UUID) -> OAuthApp | None:
    """The program with this id."""
    row = transaction.connection.execute(select(*_APP).where(oauth_apps.c.id == app_id)).mappings().one_or_none()
    return None if row is None else OAuthApp(**row)


def list_apps(
    transaction: Transaction, *, creator_id: UUID | None = None, offset: int = 0, limit: int = 60
) -> Sequence[OAuthApp]:
    """A page of all programs, or of somebody's, the oldest first."""
    query = select(*_APP).order_by(oauth_apps.c.id).offset(offset).limit(limit)
    if creator_id is not None:
        query = query.where(oauth_apps.c.creator_id == creator_id)
    return [OAuthApp(**row) for row in transaction.connection.execute(query).mappings()]


def add_app(transaction: Transaction, app: OAuthApp) -> None:
    """Keep a new program."""
    transaction.connection.execute(insert(oauth_apps).values(msgspec.structs.asdict(app)))


def change_app(transaction: Transaction, app: OAuthApp, **changes: Any) -> OAuthApp:
    """Store what is different about a program; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    transaction.connection.execute(update(oauth_apps).where(oauth_apps.c.id == app.id).values(changes))
    return msgspec.structs.replace(app, **changes)


def remove_app(transaction: Transaction, app_id: UUID) -> None:
    """Forget a program with its codes and grants; its tokens are the caller's to revoke."""
    for table in (oauth_codes, oauth_grants):
        transaction.connection.execute(delete(table).where(table.c.app_id == app_id))
    transaction.connection.execute(delete(oauth_apps).where(oauth_apps.c.id == app_id))


# --- Codes ---------------------------------------------------------------------------------------------------------


def add_code(transaction: Transaction, code: OAuthCode) -> None:
    """Keep a new code, and forget those whose time is over."""
    over = oauth_codes.c.expires_at <= to_milliseconds(transaction.now)
    transaction.connection.execute(delete(oauth_codes).where(over))
    transaction.connection.execute(insert(oauth_codes).values(msgspec.structs.asdict(code)))


def find_code(transaction: Transaction, digest: bytes) -> OAuthCode | None:
    """The code with this digest, a used one too."""
    row = transaction.connection.execute(select(*_CODE).where(oauth_codes.c.hash == digest)).mappings().one_or_none()
    return None if row is None else OAuthCode(**row)


def spend_code(transaction: Transaction, code: OAuthCode) -> None:
    """It has been used."""
    used = update(oauth_codes).where(oauth_codes.c.hash == code.hash)
    transaction.connection.execute(used.values(used_at=to_milliseconds(transaction.now)))


# --- Grants --------------------------------------------------------------------------------------------------------


def grant(transaction: Transaction, user_id: UUID, app_id: UUID, scope: str) -> None:
    """Somebody lets a program act for them."""
    forget_grant(transaction, user_id, app_id)
    row = {"user_id": user_id, "app_id": app_id, "scope": scope, "create_at": to_milliseconds(transaction.now)}
    transaction.connection.execute(insert(oauth_grants).values(row))


def is_granted(transaction: Transaction, user_id: UUID, app_id: UUID) -> bool:
    """Whether somebody lets a program act for them."""
    mine = (oauth_grants.c.user_id == user_id) & (oauth_grants.c.app_id == app_id)
    return transaction.connection.execute(select(oauth_grants.c.scope).where(mine)).first() is not None


def forget_grant(transaction: Transaction, user_id: UUID, app_id: UUID) -> bool:
    """Somebody lets a program act for them no more; False when they did not."""
    mine = (oauth_grants.c.user_id == user_id) & (oauth_grants.c.app_id == app_id)
    return transaction.connection.execute(delete(oauth_grants).where(mine)).rowcount > 0


def granted_apps(transaction: Transaction, user_id: UUID, *, offset: int, limit: int) -> Sequence[OAuthApp]:
    """The programs that somebody lets act for them."""
    query = select(*_APP).join(oauth_grants, oauth_grants.c.app_id == oauth_apps.c.id)
    theirs = query.where(oauth_grants.c.user_id == user_id).order_by(oauth_apps.c.id).offset(offset).limit(limit)
    return [OAuthApp(**row) for row in transaction.connection.execute(theirs).mappings()]
