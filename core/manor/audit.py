"""Who did what to whom: a log whose rows hold each other in place.

Each row's hash covers the row and the hash before it, so a row that was changed, removed or slipped in breaks the
chain. Who did it to whom, and the detail, enter by salted digests only: erasing a person blanks them with their salt,
the chain stays whole, and nobody can find the words again by guessing. A thief of the whole machine could write the
chain anew; who wants to notice that keeps `head` somewhere else.

Rows go from the old end only, and a row at the new end says up to which one, and what its hash was: there the chain
begins from then on. That row is held in place like any other, so the log cannot be made to begin later without
writing its end anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from manor.storage import Migration, Time, Transaction, to_microseconds

audit = Table(
    "core_audit",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", Time, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text),
    Column("salt", LargeBinary),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("who_salt", LargeBinary),
    Column("who_digest", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

ERASED = "erased"
"""Stands for an id that was erased."""

PRUNED = "core.audit_pruned"
"""Rows before this one's target were removed: `<id> <hash>` of the last of them."""

_START = bytes(32)
_PAGE = 500


def _create(connection: Connection) -> None:
    connection.execute(CreateTable(audit))
    connection.execute(text("CREATE INDEX core_audit_actor ON core_audit (actor)"))
    connection.execute(text("CREATE INDEX core_audit_target ON core_audit (target)"))


def _seal_who(connection: Connection) -> None:
    """Link a log anew whose rows had their ids in the open; one that was just made has none."""
    if any(column["name"] == "who_digest" for column in inspect(connection).get_columns("core_audit")):
        return
    connection.execute(text("ALTER TABLE core_audit ADD COLUMN who_salt BLOB"))
    connection.execute(text("ALTER TABLE core_audit ADD COLUMN who_digest BLOB NOT NULL DEFAULT x''"))
    anchor = _anchor(connection)
    if isinstance(anchor, Broken):
        return
    _, previous = anchor
    before = previous
    for row in _rows(connection):
        if not hmac.compare_digest(_link_in_the_open(before, row), row.hash):
            # Linked anew it would pass for what was written: from here on the log stays as broken as it is.
            return
        before = row.hash
        salt = os.urandom(16)
        sealed = _digest(salt, _who(row.actor, row.target))
        previous = _link(previous, at=row.at, action=row.action, who_digest=sealed, digest=row.digest)
        changed = {"who_salt": salt, "who_digest": sealed, "hash": previous}
        connection.execute(update(audit).where(audit.c.id == row.id).values(changed))


def _link_in_the_open(previous: bytes, row: Row[Any]) -> bytes:
    """A row's hash as it was while ids were in it as they are."""
    members = [to_microseconds(row.at), row.action, row.actor, row.target, row.digest.hex()]
    return hashlib.sha256(previous + msgspec.json.encode(members)).digest()


MIGRATIONS = (Migration("audit-0001", _create), Migration("audit-0002", _seal_who))
"""The core applies them as its own."""


class AuditRow(msgspec.Struct, frozen=True):
    """One thing that was done.

    Args:
        id: Rows made later have larger ones.
        at: When.
        action: `<plugin>.<what>`, such as `identity.user_added`.
        actor: Who did it: an id, or a word such as `shell`; never a name or an address; `ERASED` when that was erased.
        target: To whom or what: an id; `ERASED` when that was erased.
        detail: JSON; None when there was none or it was erased.
    """

    id: int
    at: datetime
    action: str
    actor: str
    target: str
    detail: str | None


class Broken(msgspec.Struct, frozen=True):
    """Where the chain does not hold.

    Args:
        id: The first row that is wrong; a row missing before it shows here too.
        reason: What is wrong with it.
    """

    id: int
    reason: str


class Audit:
    """The audit log, `context.audit`."""

    def record(
        self,
        transaction: Transaction,
        action: str,
        *,
        actor: str,
        target: str = "",
        detail: Mapping[str, Any] | msgspec.Struct | None = None,
    ) -> None:
        """Write down what a unit does, in that unit: what is rolled back was not done.

        Args:
            transaction: The unit's.
            action: `<plugin>.<what>`.
            actor: Who does it; an id, by which it is found again when somebody is erased.
            target: To whom or what; an id.
            detail: More, for the admin. Secrets do not belong here.
        """
        text_ = None if detail is None else msgspec.json.encode(detail, order="deterministic").decode()
        salt, who_salt = os.urandom(16), os.urandom(16)
        digest, who_digest = _digest(salt, text_ or ""), _digest(who_salt, _who(actor, target))
        link = _link(self.head(transaction), at=transaction.now, action=action, who_digest=who_digest, digest=digest)
        transaction.connection.execute(
            insert(audit),
            {
                "at": transaction.now,
                "action": action,
                "actor": actor,
                "target": target,
                "detail": text_,
                "salt": salt,
                "digest": digest,
                "hash": link,
                "who_salt": who_salt,
                "who_digest": who_digest,
            },
        )

    def head(self, transaction: Transaction) -> bytes:
        """The last row's hash: whoever keeps it elsewhere can tell later whether the log was written anew."""
        query = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
        return transaction.connection.execute(query).scalar() or _START

    def verify(self, transaction: Transaction) -> Broken | None:
        """Follow the chain from its start; a reading transaction will do.

        Returns:
            The first row where it breaks, or None when all is as it was written.
        """
        anchor = _anchor(transaction.connection)
        if isinstance(anchor, Broken):
            return anchor
        last, previous = anchor
        for row in _rows(transaction.connection):
            linked = _link(previous, at=row.at, action=row.action, who_digest=row.who_digest, digest=row.digest)
            if not hmac.compare_digest(linked, row.hash):
                return Broken(row.id, "it was changed, or a row before it was removed or added")
            if row.salt is not None and not hmac.compare_digest(_digest(row.salt, row.detail or ""), row.digest):
                return Broken(row.id, "its detail was changed")
            if row.salt is None and row.detail is not None:
                return Broken(row.id, "its detail was changed after it was erased")
            if (reason := _who_is_wrong(row)) is not None:
                return Broken(row.id, reason)
            previous, last = row.hash, row.id
        written = _last_written(transaction.connection)
        return Broken(written, "the last rows were removed") if written > last else None

    def prune(self, transaction: Transaction, *, older_than: datetime, most: int = _PAGE) -> int:
        """Remove the oldest rows, and write down where the log begins from now on. Returns how many are gone.

        A row stays while a younger one stands before it. Rows from a future that the clock once showed keep nothing;
        and for a few rows that only say that others were removed, nothing is removed or written.

        Args:
            transaction: A writing one.
            older_than: Only rows of this moment and before.
            most: So many at most; who asks again until none is removed keeps nobody waiting.
        """
        page = transaction.connection.execute(select(audit).order_by(audit.c.id).limit(most)).all()
        is_young = [older_than < row.at <= transaction.now for row in page]
        oldest = page[: is_young.index(True)] if True in is_young else page
        while oldest and oldest[-1].at > older_than:
            oldest = oldest[:-1]
        if len(oldest) < most and all(row.action == PRUNED for row in oldest):
            return 0
        last = oldest[-1]
        self.record(transaction, PRUNED, actor="manor", target=f"{last.id} {last.hash.hex()}")
        transaction.connection.execute(delete(audit).where(audit.c.id <= last.id))
        return len(oldest)

    def removed(self, transaction: Transaction) -> int:
        """How many rows are not there any more because they grew old."""
        anchor = _anchor(transaction.connection)
        return 0 if isinstance(anchor, Broken) else anchor[0]

    def count(self, transaction: Transaction) -> int:
        """How many rows there are."""
        return transaction.connection.execute(select(func.count()).select_from(audit)).scalar_one()

    def erase(self, transaction: Transaction, who: str, *, most: int | None = None) -> int:
        """Blank all rows that someone did or that concern them. Returns how many were blanked.

        What was done, and when, stays; by whom, to whom and the detail go.

        Args:
            transaction: A writing one.
            who: Their id.
            most: So many rows at most; who asks again until none is left keeps nobody waiting. None for all.
        """
        theirs = select(audit.c.id).where(or_(audit.c.actor == who, audit.c.target == who))
        some = theirs if most is None else theirs.limit(most)
        blank = update(audit).where(audit.c.id.in_(some))
        nothing = {"detail": None, "salt": None, "actor": ERASED, "target": ERASED, "who_salt": None}
        return transaction.connection.execute(blank.values(nothing)).rowcount

    def blank(self, transaction: Transaction, ids: Iterable[int]) -> int:
        """Blank the details of these rows. Returns how many were blanked."""
        theirs = and_(audit.c.id.in_(list(ids)), audit.c.salt.is_not(None))
        return transaction.connection.execute(update(audit).where(theirs).values(detail=None, salt=None)).rowcount

    def list(self, transaction: Transaction, *, after: int = 0, most: int = 200) -> Sequence[AuditRow]:
        """Rows by id, a page at a time.

        Args:
            transaction: A reading one will do.
            after: Only rows with a larger id.
            most: Rows of one page.
        """
        query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(most)
        return _read(transaction.connection.execute(query))

    def newest(
        self, transaction: Transaction, *, action: str = "", who: str = "", most: int = 200
    ) -> Sequence[AuditRow]:
        """The newest rows, oldest of them first.

        Args:
            transaction: A reading one will do.
            action: Only this action, or all below it: `hostservices` has `hostservices.users.add`.
            who: Only rows of this id, as the one who did it or to whom it was done.
            most: So many at most.
        """
        query = select(audit).order_by(audit.c.id.desc()).limit(most)
        if action:
            query = query.where(or_(audit.c.action == action, audit.c.action.startswith(f"{action}.", autoescape=True)))
        if who:
            query = query.where(or_(audit.c.actor == who, audit.c.target == who))
        return _read(transaction.connection.execute(query))[::-1]


def _read(rows: Iterable[Row[Any]]) -> list[AuditRow]:
    return [AuditRow(row.id, row.at, row.action, row.actor, row.target, row.detail) for row in rows]


def _rows(connection: Connection) -> Iterator[Row[Any]]:
    """All rows, a page in memory at a time."""
    last = 0
    while page := connection.execute(select(audit).where(audit.c.id > last).order_by(audit.c.id).limit(_PAGE)).all():
        yield from page
        last = page[-1].id


def _anchor(connection: Connection) -> tuple[int, bytes] | Broken:
    """The row that the first one follows, there or not: its id and hash."""
    query = select(audit.c.id, audit.c.target).where(audit.c.action == PRUNED).order_by(audit.c.id.desc()).limit(1)
    newest = connection.execute(query).one_or_none()
    if newest is None:
        return 0, _START
    id_, _, hash_ = newest.target.partition(" ")
    try:
        return int(id_), bytes.fromhex(hash_)
    except ValueError:
        return Broken(newest.id, "it was changed: it does not say where the log begins")


def _last_written(connection: Connection) -> int:
    """The largest id ever given: SQLite remembers it for tables with AUTOINCREMENT."""
    return connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'core_audit'")).scalar() or 0


def _digest(salt: bytes, detail: str) -> bytes:
    return hashlib.sha256(salt + detail.encode()).digest()


def _who(actor: str, target: str) -> str:
    # JSON keeps the members apart: ("ab", "c") and ("a", "bc") must not have one digest.
    return msgspec.json.encode([actor, target]).decode()


def _who_is_wrong(row: Row[Any]) -> str | None:
    if row.who_salt is not None:
        is_right = hmac.compare_digest(_digest(row.who_salt, _who(row.actor, row.target)), row.who_digest)
        return None if is_right else "who did it, or to whom, was changed"
    is_blank = row.actor == row.target == ERASED
    return None if is_blank else "who did it, or to whom, was changed after it was erased"


def _link(previous: bytes, *, at: datetime, action: str, who_digest: bytes, digest: bytes) -> bytes:
    row = msgspec.json.encode([to_microseconds(at), action, who_digest.hex(), digest.hex()])
    return hashlib.sha256(previous + row).digest()
