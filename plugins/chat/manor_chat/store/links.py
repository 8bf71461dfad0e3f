"""What is known of links, as rows."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, insert, select

from manor import Transaction
from manor_chat.store.posts import portions
from manor_chat.tables.links import links

Kind = Literal["page", "image", "none"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What another server said; see the table."""

    kind: Kind
    said: dict[str, Any]
    looked_at: int


def find_said(transaction: Transaction, urls: Collection[str]) -> dict[str, Said]:
    """What is known of these addresses."""
    by_digest = {_digest(url): url for url in urls}
    found: dict[str, Said] = {}
    for some in portions(by_digest):
        rows = transaction.connection.execute(select(links).where(links.c.digest.in_(some)))
        found.update(
            {by_digest[row.digest]: Said(kind=row.kind, said=row.said, looked_at=row.looked_at) for row in rows}
        )
    return found


def keep_said(transaction: Transaction, url: str, said: Said) -> None:
    """Know this of an address, in place of what was known."""
    digest = _digest(url)
    transaction.connection.execute(delete(links).where(links.c.digest == digest))
    transaction.connection.execute(insert(links).values(digest=digest, **msgspec.structs.asdict(said)))


def forget_said(transaction: Transaction, *, before: int, limit: int) -> int:
    """Forget some of what was said before that moment; how many addresses."""
    some = select(links.c.digest).where(links.c.looked_at < before).limit(limit)
    return transaction.connection.execute(delete(links).where(links.c.digest.in_(some))).rowcount


def _digest(url: str) -> str:
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
