"""Single-use links: what is mailed to prove that an address is someone's."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, delete, insert, select, update

from manor.errors import BadRequest
from manor.identity.credential_tables import links
from manor.identity.credentials import digest, new_secret
from manor.identity.names import fold_email
from manor.storage import Transaction, new_id


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was made; its token stands nowhere but in the mail.

    Args:
        id: Names it in audit lines.
        purpose: What it is for, such as `verify`; it is good for nothing else.
        user_id: Whose account it is about, if there is one already.
        email: Where it was sent.
        created_at: When.
        expires_at: From when on it does nothing.
        used_at: When it was used.
        meta: What its maker keeps with it.
    """

    id: UUID
    purpose: str
    user_id: UUID | None
    email: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    meta: dict[str, Any]


class LinkUnknown(BadRequest):
    """400: no such link was made, or a newer one took its place."""


class LinkExpired(BadRequest):
    """400: its time is over."""


class LinkUsed(BadRequest):
    """400: it was used before, and its time is not over; `link` says which it was."""

    def __init__(self, detail: str, link: Link) -> None:
        super().__init__(detail)
        self.link = link


_COLUMNS = [links.c[name] for name in Link.__struct_fields__]


def make_link(
    transaction: Transaction,
    purpose: str,
    *,
    email: str,
    user_id: UUID | None = None,
    life: timedelta,
    meta: Mapping[str, Any] | None = None,
) -> tuple[Link, str]:
    """Make a link. Those of the same purpose and address that were not used yet are void from now on.

    Returns:
        The link, and the token that belongs into its URL: put it into the mail and keep it nowhere else.
    """
    folded = fold_email(email)
    older = (links.c.email_folded == folded) & (links.c.purpose == purpose) & links.c.used_at.is_(None)
    transaction.connection.execute(delete(links).where(older))
    token = new_secret()
    link = Link(
        id=new_id(),
        purpose=purpose,
        user_id=user_id,
        email=email,
        created_at=transaction.now,
        expires_at=transaction.now + life,
        used_at=None,
        meta=dict(meta or {}),
    )
    hidden = {"hash": digest(token), "email_folded": folded}
    row = {name: getattr(link, name) for name in Link.__struct_fields__}
    transaction.connection.execute(insert(links).values(row | hidden))
    return link, token


def find_link(transaction: Transaction, purpose: str, token: str) -> Link | None:
    """The link with this token, a used or expired one too; None when it is void or was made for something else."""
    wanted = digest(token)
    query = select(links.c.hash, *_COLUMNS).where(links.c.hash == wanted, links.c.purpose == purpose)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return _link(row) if row is not None and hmac.compare_digest(row["hash"], wanted) else None


def use_link(transaction: Transaction, purpose: str, token: str) -> Link:
    """Use a link: of all who try at once, one succeeds.

    Raises:
        LinkUnknown: There is none, it is void, or it was made for something else.
        LinkExpired: Its time is over, whether it was used or not.
        LinkUsed: It was used before; its time is not over.
    """
    link = find_link(transaction, purpose, token)
    if link is None:
        raise LinkUnknown("This link is not valid; a newer one may have taken its place")
    if link.expires_at <= transaction.now:
        raise LinkExpired("This link has expired")
    if link.used_at is not None:
        raise LinkUsed("This link has been used already", link)
    transaction.connection.execute(update(links).where(links.c.id == link.id).values(used_at=transaction.now))
    return msgspec.structs.replace(link, used_at=transaction.now)


def void_links(
    transaction: Transaction, user_id: UUID, *, purpose: str | None = None, after: Link | None = None
) -> int:
    """Make a person's links worthless, of one purpose and made later than another one, if given; returns how many."""
    condition = links.c.user_id == user_id
    if purpose is not None:
        condition &= links.c.purpose == purpose
    if after is not None:
        condition &= links.c.id > after.id
    return transaction.connection.execute(delete(links).where(condition)).rowcount


def _link(row: RowMapping) -> Link:
    return Link(**{name: row[name] for name in Link.__struct_fields__})
