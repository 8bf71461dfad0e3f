"""Credentials of every kind: issued once, kept as a digest, found by their secret, revoked for good."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update

from manor.identity.credential_tables import credentials
from manor.identity.events import CredentialRevoked
from manor.storage import Transaction, new_id

SECRET_BYTES = 32


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as it is kept; the secret is not in it, and nowhere else either.

    Args:
        id: Names it in lists, events and audit lines.
        kind: What it opens, such as `api_key`.
        prefix: The beginning of the secret that people tell their credentials apart by; "" for none.
        user_id: The person or bot behind it.
        session_id: The sign-in it belongs to; it ends with it.
        resource: The one thing that it opens, if it is bound to one.
        scopes: What it may do; `*` for all that its kind may.
        label: What people call it.
        created_at: When it was issued.
        expires_at: From when on it opens nothing; None for never.
        last_used_at: Written at most once a minute.
        use_count: As `last_used_at`.
        revoked_at: When it was revoked.
        meta: What its plugin keeps with it.
    """

    id: UUID
    kind: str
    prefix: str
    user_id: UUID | None
    session_id: UUID | None
    resource: UUID | None
    scopes: tuple[str, ...]
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    use_count: int
    revoked_at: datetime | None
    meta: dict[str, Any]

    def is_usable(self, now: datetime) -> bool:
        """Whether it still opens something by itself; whether its session and person do is asked elsewhere."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class NewCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that is about to be issued; see `Credential`. `prefix` is for show, not what `new_secret` takes."""

    kind: str
    user_id: UUID | None = None
    session_id: UUID | None = None
    resource: UUID | None = None
    scopes: tuple[str, ...] = ()
    label: str = ""
    expires_at: datetime | None = None
    prefix: str = ""
    meta: Mapping[str, Any] = {}


_COLUMNS = [credentials.c[name] for name in Credential.__struct_fields__]


def new_secret(prefix: str = "") -> str:
    """A secret nobody can guess: the prefix and 43 URL-safe characters, 256 bits of them random."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret. One pass is enough: nobody tries 256 bits. Takes whatever clients may send."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def issue(transaction: Transaction, new: NewCredential, secret: str) -> Credential:
    """Store a credential. The secret is shown to its owner now or never again.

    Raises:
        sqlalchemy.exc.IntegrityError: The secret was issued before.
    """
    credential = Credential(
        id=new_id(),
        kind=new.kind,
        prefix=new.prefix,
        user_id=new.user_id,
        session_id=new.session_id,
        resource=new.resource,
        scopes=tuple(new.scopes),
        label=new.label,
        created_at=transaction.now,
        expires_at=new.expires_at,
        last_used_at=None,
        use_count=0,
        revoked_at=None,
        meta=dict(new.meta),
    )
    row = {name: getattr(credential, name) for name in Credential.__struct_fields__}
    transaction.connection.execute(
        insert(credentials).values(row | {"scopes": list(new.scopes), "hash": digest(secret)})
    )
    return credential


def find_by_secret(transaction: Transaction, secret: str, *, kind: str | None = None) -> Credential | None:
    """The credential with this secret, a revoked or expired one too: look at `is_usable`.

    Args:
        transaction: The caller's.
        secret: As the client sent it.
        kind: Only of this kind; None for whichever.
    """
    wanted = digest(secret)
    query = select(credentials.c.hash, *_COLUMNS).where(credentials.c.hash == wanted)
    row = transaction.connection.execute(query).mappings().one_or_none()
    if row is None or not hmac.compare_digest(row["hash"], wanted) or kind not in (None, row["kind"]):
        return None
    return _credential(row)


def find_credential(transaction: Transaction, credential_id: UUID) -> Credential | None:
    """The credential with this id, a revoked or expired one too."""
    query = select(*_COLUMNS).where(credentials.c.id == credential_id)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else _credential(row)


def list_credentials(
    transaction: Transaction,
    *,
    kind: str,
    user_id: UUID | None = None,
    resource: UUID | None = None,
    session_id: UUID | None = None,
) -> list[Credential]:
    """Credentials of a kind, oldest first, revoked and expired ones too; of one person, thing or session if given."""
    query = select(*_COLUMNS).where(credentials.c.kind == kind).order_by(credentials.c.id)
    if user_id is not None:
        query = query.where(credentials.c.user_id == user_id)
    if resource is not None:
        query = query.where(credentials.c.resource == resource)
    if session_id is not None:
        query = query.where(credentials.c.session_id == session_id)
    return [_credential(row) for row in transaction.connection.execute(query).mappings()]


def change_credential(
    transaction: Transaction, credential_id: UUID, *, label: str | None = None, meta: Mapping[str, Any] | None = None
) -> bool:
    """Give a credential another label, or have its plugin keep something else with it; False when there is none."""
    given = {"label": label, "meta": None if meta is None else dict(meta)}
    values = {name: value for name, value in given.items() if value is not None}
    changed = update(credentials).where(credentials.c.id == credential_id).values(values)
    return transaction.connection.execute(changed).rowcount > 0


def revoke(transaction: Transaction, credential_id: UUID) -> bool:
    """Have it open nothing from the commit on; False when there is none, or it was revoked before."""
    return revoke_where(transaction, credentials.c.id == credential_id) > 0


def delete_credential(transaction: Transaction, credential_id: UUID) -> bool:
    """Remove it, row and all; False when there is none."""
    gone = delete(credentials).where(credentials.c.id == credential_id).returning(credentials.c.user_id)
    row = transaction.connection.execute(gone).one_or_none()
    if row is None:
        return False
    transaction.emit(CredentialRevoked(credential_id=credential_id, user_id=row.user_id))
    return True


def revoke_all(
    transaction: Transaction, *, user_id: UUID, kinds: Collection[str] | None = None, but: UUID | None = None
) -> int:
    """Revoke what a person has.

    Args:
        transaction: The caller's.
        user_id: Whose.
        kinds: Only of these kinds; None for all.
        but: A credential that stays.

    Returns:
        How many were revoked.
    """
    condition = credentials.c.user_id == user_id
    if kinds is not None:
        condition &= credentials.c.kind.in_(kinds)
    if but is not None:
        condition &= credentials.c.id != but
    return revoke_where(transaction, condition)


def revoke_where(transaction: Transaction, condition: ColumnElement[bool]) -> int:
    """Revoke what the condition picks of the table, and say so of each; for the other modules of this package."""
    changed = (
        update(credentials)
        .where(condition & credentials.c.revoked_at.is_(None))
        .values(revoked_at=transaction.now)
        .returning(credentials.c.id, credentials.c.user_id)
    )
    revoked = transaction.connection.execute(changed).all()
    for row in revoked:
        transaction.emit(CredentialRevoked(credential_id=row.id, user_id=row.user_id))
    return len(revoked)


def _credential(row: RowMapping) -> Credential:
    fields = {name: row[name] for name in Credential.__struct_fields__}
    return Credential(**fields | {"scopes": tuple(row["scopes"])})
