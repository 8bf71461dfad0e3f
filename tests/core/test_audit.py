from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manor.audit import ERASED, MIGRATIONS, Audit, Broken
from manor.clock import SetClock
from manor.events import Bus
from manor.outbox import Outbox
from manor.storage import Storage, Transaction, apply_migrations, open_storage

NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    clock, bus = SetClock(NOW), Bus()
    path = tmp_path / "manor.db"
    async with open_storage(path, clock=clock, bus=bus, outbox=Outbox(bus, clock), inline=True) as storage:
        await apply_migrations(storage, "core", MIGRATIONS)
        yield storage


async def add(storage: Storage, *targets: str) -> None:
    def work(transaction: Transaction) -> None:
        for target in targets:
            Audit().record(transaction, "doorbell.door_added", actor="ann", target=target, detail={"was": "open"})

    await storage.write(work)


async def tamper_unseen(storage: Storage, statement: str) -> None:
    """Change the table behind the log's back."""
    await storage.write(lambda transaction: transaction.connection.exec_driver_sql(statement).close())


async def tamper(storage: Storage, statement: str) -> Broken | None:
    """Change the table behind the log's back; what `verify` says then."""
    await tamper_unseen(storage, statement)
    return await storage.read(Audit().verify)


async def test_a_log_as_it_was_written_holds(storage: Storage) -> None:
    assert await storage.read(Audit().verify) is None
    await add(storage, "front", "attic")
    await add(storage, "cellar")

    assert await storage.read(Audit().verify) is None
    rows = await storage.read(Audit().list)
    assert [(row.id, row.at, row.action, row.actor, row.target, row.detail) for row in rows] == [
        (number, NOW, "doorbell.door_added", "ann", target, '{"was":"open"}')
        for number, target in enumerate(("front", "attic", "cellar"), 1)
    ]


async def test_what_was_rolled_back_was_not_done(storage: Storage) -> None:
    def work(transaction: Transaction) -> None:
        Audit().record(transaction, "doorbell.door_added", actor="ann")
        raise KeyError("front")

    with pytest.raises(KeyError):
        await storage.write(work)

    assert await storage.read(Audit().list) == []


CHANGED = "it was changed, or a row before it was removed or added"
WHO = "who did it, or to whom, was changed"


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE core_audit SET action = 'doorbell.door_kept' WHERE id = 2", Broken(2, CHANGED)),
        ("UPDATE core_audit SET actor = 'bob' WHERE id = 2", Broken(2, WHO)),
        ("UPDATE core_audit SET target = 'roof' WHERE id = 2", Broken(2, WHO)),
        ("UPDATE core_audit SET at = at + 1 WHERE id = 2", Broken(2, CHANGED)),
        ("UPDATE core_audit SET actor = '', target = actor || target WHERE id = 2", Broken(2, WHO)),
        ("UPDATE core_audit SET who_salt = NULL WHERE id = 2", Broken(2, f"{WHO} after it was erased")),
        ('UPDATE core_audit SET detail = \'{"was":"shut"}\' WHERE id = 2', Broken(2, "its detail was changed")),
        ("UPDATE core_audit SET detail = NULL WHERE id = 2", Broken(2, "its detail was changed")),
        ("UPDATE core_audit SET salt = NULL WHERE id = 2", Broken(2, "its detail was changed after it was erased")),
        ("DELETE FROM core_audit WHERE id = 2", Broken(3, CHANGED)),
        ("DELETE FROM core_audit WHERE id = 1", Broken(2, CHANGED)),
        ("DELETE FROM core_audit WHERE id = 3", Broken(3, "the last rows were removed")),
        ("DELETE FROM core_audit", Broken(3, "the last rows were removed")),
        (
            "INSERT INTO core_audit (at, action, actor, target, digest, hash, who_digest) "
            "SELECT at, action, actor, target, digest, hash, who_digest FROM core_audit WHERE id = 3",
            Broken(4, CHANGED),
        ),
    ],
)
async def test_a_log_that_was_tampered_with_breaks_at_that_row(
    storage: Storage, statement: str, broken: Broken
) -> None:
    await add(storage, "front", "attic", "cellar")

    assert await tamper(storage, statement) == broken


async def test_erasing_someone_blanks_their_rows_and_the_chain_holds(storage: Storage) -> None:
    await add(storage, "front")
    await storage.write(
        lambda transaction: Audit().record(transaction, "x.y", actor="bob", target="attic", detail={"email": "b@b"})
    )
    await add(storage, "bob")

    assert await storage.write(lambda transaction: Audit().erase(transaction, "bob")) == 2

    assert await storage.read(Audit().verify) is None
    rows = await storage.read(Audit().list)
    assert [row.detail for row in rows] == ['{"was":"open"}', None, None]
    assert [(row.actor, row.target) for row in rows] == [("ann", "front"), (ERASED, ERASED), (ERASED, ERASED)]


def open_the_ids(transaction: Transaction) -> None:
    """Make the log what it was while ids were in the hashes as they are."""
    connection = transaction.connection
    for column in ("who_salt", "who_digest"):
        connection.exec_driver_sql(f"ALTER TABLE core_audit DROP COLUMN {column}")
    previous = bytes(32)
    rows = connection.exec_driver_sql("SELECT id, at, action, actor, target, digest FROM core_audit ORDER BY id").all()
    for id_, *members, digest in rows:
        previous = hashlib.sha256(previous + msgspec.json.encode([*members, digest.hex()])).digest()
        connection.exec_driver_sql("UPDATE core_audit SET hash = ? WHERE id = ?", (previous, id_))


async def test_a_log_with_its_ids_in_the_open_is_linked_anew(storage: Storage) -> None:
    await add(storage, "front", "attic")
    await storage.write(open_the_ids)
    await storage.write(lambda transaction: MIGRATIONS[1].run(transaction.connection))

    assert await storage.read(Audit().verify) is None
    await add(storage, "roof")
    assert await storage.read(Audit().verify) is None
    assert await tamper(storage, "UPDATE core_audit SET actor = 'bob' WHERE id = 2") == Broken(2, WHO)


async def test_a_log_that_was_tampered_with_before_is_not_made_whole_by_linking_it_anew(storage: Storage) -> None:
    await add(storage, "front", "attic", "roof")
    await storage.write(open_the_ids)
    await tamper_unseen(storage, "UPDATE core_audit SET actor = 'bob' WHERE id = 2")
    await storage.write(lambda transaction: MIGRATIONS[1].run(transaction.connection))
    await add(storage, "cellar")

    assert await storage.read(Audit().verify) == Broken(2, CHANGED)


async def test_a_long_log_is_verified_to_its_end(storage: Storage) -> None:
    await add(storage, *map(str, range(1_100)))

    assert await storage.read(Audit().verify) is None
    assert await tamper(storage, "UPDATE core_audit SET actor = 'bob' WHERE id = 1050") == Broken(1050, WHO)


async def test_the_list_comes_in_pages(storage: Storage) -> None:
    await add(storage, "front", "attic", "cellar")

    page = await storage.read(lambda transaction: Audit().list(transaction, after=1, most=1))

    assert [row.target for row in page] == ["attic"]


async def test_the_newest_rows_are_found_by_what_was_done_and_by_whom(storage: Storage) -> None:
    def work(transaction: Transaction) -> None:
        for action, actor, target in (
            ("doorbell.door_added", "ann", "front"),
            ("doorbell.door.opened", "bob", "front"),
            ("doorbells.polished", "ann", "all"),
            ("doorbell.door_added", "bob", "ann"),
        ):
            Audit().record(transaction, action, actor=actor, target=target)

    await storage.write(work)

    async def found(**wanted: Any) -> list[int]:
        rows = await storage.read(lambda transaction: Audit().newest(transaction, **wanted))
        return [row.id for row in rows]

    assert await found() == [1, 2, 3, 4]
    assert await found(most=2) == [3, 4]
    assert await found(action="doorbell") == [1, 2, 4]
    assert await found(action="doorbell.door_added") == [1, 4]
    assert await found(action="%") == []
    assert await found(who="ann") == [1, 3, 4]
    assert await found(who="ann", action="doorbell", most=1) == [4]
