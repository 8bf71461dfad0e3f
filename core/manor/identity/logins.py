"""Who someone is at other providers (OpenID Connect): the pair of issuer and subject is a person here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Column, String, Table, delete, insert, select

from manor.errors import Conflict
from manor.identity.tables import metadata
from manor.storage import Id, Time, Transaction

logins = Table(
    "identity_logins",
    metadata,
    Column("issuer", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("provider", String, nullable=False),
    Column("created_at", Time, nullable=False),
)


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """An account at another provider with which someone signs in here.

    Args:
        issuer: The provider's own name for itself, an URL.
        subject: The provider's id of the person; never given to another one.
        user_id: Who that is here.
        provider: The name that the configuration gives it, such as `google`.
        created_at: When it was linked.
    """

    issuer: str
    subject: str
    user_id: UUID
    provider: str
    created_at: datetime


_COLUMNS = [logins.c[name] for name in Login.__struct_fields__]


def link_login(transaction: Transaction, user_id: UUID, *, issuer: str, subject: str, provider: str) -> Login:
    """Let someone sign in with an account at another provider; linking it twice is as good as once.

    Raises:
        Conflict: It is somebody else's here.
    """
    known = find_login(transaction, issuer=issuer, subject=subject)
    if known is not None and known.user_id != user_id:
        raise Conflict(f"This {provider} account belongs to somebody else here")
    if known is not None:
        return known
    login = Login(issuer=issuer, subject=subject, user_id=user_id, provider=provider, created_at=transaction.now)
    transaction.connection.execute(insert(logins).values(msgspec.structs.asdict(login)))
    return login


def find_login(transaction: Transaction, *, issuer: str, subject: str) -> Login | None:
    """Who this is here, if anybody."""
    query = select(*_COLUMNS).where(logins.c.issuer == issuer, logins.c.subject == subject)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else Login(**row)


def list_logins(transaction: Transaction, user_id: UUID) -> Sequence[Login]:
    """Someone's accounts at other providers, the oldest first."""
    query = select(*_COLUMNS).where(logins.c.user_id == user_id).order_by(logins.c.created_at, logins.c.issuer)
    return [Login(**row) for row in transaction.connection.execute(query).mappings()]


def unlink_login(transaction: Transaction, user_id: UUID, *, issuer: str, subject: str) -> bool:
    """Forget one of someone's accounts; returns whether there was one."""
    theirs = (logins.c.user_id == user_id) & (logins.c.issuer == issuer) & (logins.c.subject == subject)
    return transaction.connection.execute(delete(logins).where(theirs)).rowcount > 0
