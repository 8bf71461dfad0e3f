"""What is only kept for the admin goes when it is old, and the audit log holds all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from sqlalchemy import insert

from manor import retention
from manor.audit import MIGRATIONS, PRUNED, Audit, Broken, audit
from manor.clock import SetClock
from manor.commands import AuditVerified, VerifyAudit
from manor.config import Server
from manor.events import Bus
from manor.mail import MAIL
from manor.outbox import MIGRATIONS as OUTBOX_MIGRATIONS
from manor.outbox import Outbox
from manor.outbox.store import outbox as table
from manor.retention import Retention
from manor.storage import Storage, Transaction, apply_migrations, open_storage
from manor.testing import open_test_house

NOW = datetime(2030, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


class Office:
    """The parts of a house that keep things for the admin."""

    def __init__(self, storage: Storage, box: Outbox, clock: SetClock) -> None:
        self.storage = storage
        self.box = box
        self.clock = clock

    async def tidy(self, *, audit_days: int = 90, dead_letter_days: int = 30) -> None:
        server = Server(audit_days=audit_days, dead_letter_days=dead_letter_days)
        await Retention(self.storage, self.box, Audit(), lambda: server).remove_old()

    async def note(self, *targets: str) -> None:
        def work(transaction: Transaction) -> None:
            for target in targets:
                Audit().record(transaction, "doorbell.door_added", actor="ann", target=target, detail={"was": "open"})

        await self.storage.write(work)

    async def targets(self) -> list[str]:
        rows = await self.storage.read(Audit().list)
        return [PRUNED if row.action == PRUNED else row.target for row in rows]

    async def verify(self) -> Broken | None:
        return await self.storage.read(Audit().verify)

    async def tamper(self, statement: str) -> Broken | None:
        await self.storage.write(lambda transaction: transaction.connection.exec_driver_sql(statement).close())
        return await self.verify()

    def forward(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)

    async def bury(self, name: str, *, due_at: datetime | None = None, state: str = "dead") -> None:
        def work(transaction: Transaction) -> None:
            row = {
                "kind": "job",
                "name": name,
                "subscriber": "",
                "payload": "{}",
                "due_at": due_at or transaction.now,
                "is_scheduled": 0,
                "attempts": 8,
                "state": state,
                "created_at": transaction.now,
            }
            transaction.connection.execute(insert(table), row)

        await self.storage.write(work)

    async def letters(self) -> list[str]:
        return [row.name for row in await self.storage.read(self.box.list)]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock, bus = SetClock(NOW), Bus()
    box = Outbox(bus, clock)
    async with open_storage(tmp_path / "manor.db", clock=clock, bus=bus, outbox=box, inline=True) as storage:
        await apply_migrations(storage, "core", (*OUTBOX_MIGRATIONS, *MIGRATIONS))
        yield Office(storage, box, clock)


# --- The audit log


async def test_old_rows_go_and_those_that_are_left_are_verified(office: Office) -> None:
    await office.note("front", "attic")
    office.forward(DAY)
    await office.note("cellar")
    office.forward(89 * DAY)
    await office.tidy()

    assert await office.targets() == ["cellar", PRUNED]
    assert await office.verify() is None

    office.forward(DAY)
    await office.note("roof")
    await office.tidy()
    assert await office.targets() == [PRUNED, "roof", PRUNED]
    assert await office.verify() is None


async def test_rows_of_a_log_that_forgot_some_still_hold_each_other(office: Office) -> None:
    await office.note("front", "attic")
    office.forward(91 * DAY)
    await office.note("cellar", "roof")
    await office.tidy()
    assert await office.targets() == ["cellar", "roof", PRUNED]

    statement = "UPDATE core_audit SET target = 'shed' WHERE target = 'roof'"
    assert await office.tamper(statement) == Broken(4, "who did it, or to whom, was changed")


CHANGED = "it was changed, or a row before it was removed or added"
WHO = "who did it, or to whom, was changed"


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("DELETE FROM core_audit WHERE id = 3", Broken(4, CHANGED)),
        ("DELETE FROM core_audit WHERE id = 5", Broken(3, CHANGED)),
        ("DELETE FROM core_audit WHERE id >= 4", Broken(3, CHANGED)),
        ("UPDATE core_audit SET target = '3 ' || lower(hex(hash)) WHERE id = 5", Broken(3, CHANGED)),
        (
            "UPDATE core_audit SET target = (SELECT '3 ' || lower(hex(hash)) FROM core_audit WHERE id = 3) "
            "WHERE id = 5; DELETE FROM core_audit WHERE id = 3",
            Broken(5, WHO),
        ),
        (
            "UPDATE core_audit SET target = 'nothing' WHERE id = 5",
            Broken(5, "it was changed: it does not say where the log begins"),
        ),
        (
            "UPDATE core_audit SET target = '2 nothing' WHERE id = 5",
            Broken(5, "it was changed: it does not say where the log begins"),
        ),
        ("UPDATE core_audit SET action = 'core.audit_pruned', target = '3 00' WHERE id = 4", Broken(4, CHANGED)),
    ],
)
async def test_nobody_makes_the_log_begin_later(office: Office, statement: str, broken: Broken) -> None:
    await office.note("front", "attic")
    office.forward(91 * DAY)
    await office.note("cellar", "roof")
    await office.tidy()
    assert await office.verify() is None

    for each in statement.split("; "):
        found = await office.tamper(each)

    assert found == broken


async def test_a_row_that_was_forgotten_does_not_come_back(office: Office) -> None:
    await office.note("front")
    (front,) = await office.storage.read(lambda transaction: transaction.connection.execute(audit.select()).all())
    office.forward(91 * DAY)
    await office.tidy()

    await office.storage.write(lambda transaction: transaction.connection.execute(insert(audit), dict(front._mapping)))

    assert await office.verify() == Broken(1, CHANGED)


async def test_nothing_is_written_where_nothing_is_old(office: Office) -> None:
    await office.note("front")
    await office.tidy()

    assert await office.targets() == ["front"]


async def test_an_idle_server_does_not_write_down_for_ever_that_it_removed_what_it_wrote_down(office: Office) -> None:
    await office.note("front")
    seen = []
    for _ in range(4):
        office.forward(91 * DAY)
        await office.tidy()
        seen.append(await office.targets())

    assert seen == [[PRUNED]] * 4
    assert await office.verify() is None


async def test_a_long_log_goes_in_small_batches(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    await office.note(*map(str, range(8)))
    office.forward(91 * DAY)
    await office.note("front")
    commits = office.storage.commits
    await office.tidy()

    # Two that may be of mail and letters, and three that are of rows.
    assert office.storage.commits - commits == 5
    assert await office.targets() == ["front", PRUNED, PRUNED, PRUNED]
    assert await office.verify() is None


async def test_what_many_batches_wrote_down_does_not_keep_the_rest_for_ever(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    await office.note(*map(str, range(12)))
    office.forward(91 * DAY)
    await office.tidy()
    assert await office.targets() == [PRUNED] * 4
    await office.note("front")
    office.forward(91 * DAY)
    await office.tidy()

    assert "front" not in await office.targets()
    assert await office.verify() is None
    seen = await office.targets()
    office.forward(91 * DAY)
    await office.tidy()
    assert len(await office.targets()) <= len(seen)


async def test_a_row_from_a_clock_that_was_ahead_keeps_nothing(office: Office) -> None:
    await office.note("front")
    office.clock.set(NOW + 3650 * DAY)
    await office.note("ahead")
    office.clock.set(NOW + DAY)
    await office.note("attic")
    office.clock.set(NOW + 91 * DAY)
    await office.note("roof")
    await office.tidy()

    assert await office.targets() == ["roof", PRUNED]
    assert await office.verify() is None


async def test_a_clock_that_was_behind_does_not_take_younger_rows_along(office: Office) -> None:
    await office.note("front")
    office.clock.set(datetime(2001, 1, 1, tzinfo=UTC))
    await office.note("behind")
    office.clock.set(NOW)
    await office.tidy()

    assert await office.targets() == ["front", "behind"]


async def test_rows_whose_details_were_erased_go_like_others(office: Office) -> None:
    await office.note("ada")
    await office.storage.write(lambda transaction: Audit().erase(transaction, "ada"))
    office.forward(91 * DAY)
    await office.tidy()

    assert await office.targets() == [PRUNED]
    assert await office.verify() is None


async def test_an_admin_keeps_the_log_for_ever(office: Office) -> None:
    await office.note("front")
    office.forward(3650 * DAY)
    await office.tidy(audit_days=0)

    assert await office.targets() == ["front"]


async def test_the_command_says_how_many_rows_grew_old(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=[], clock=clock) as house:
        work = Office(house.storage, house.services.outbox, clock)
        await work.note("front", "attic")
        clock.set(clock.now() + 91 * DAY)
        await work.tidy()

        assert await house.run_command("audit.verify", VerifyAudit()) == AuditVerified(rows=1, faults=[], removed=2)


# --- Dead letters


async def test_dead_letters_go_after_their_days_and_mails_after_a_week(office: Office) -> None:
    await office.bury(MAIL.name)
    await office.bury("doorbell.ring")
    seen = []
    for days in (6, 1, 22, 1):
        office.forward(days * DAY)
        await office.tidy()
        seen.append(await office.letters())

    assert seen == [[MAIL.name, "doorbell.ring"], ["doorbell.ring"], ["doorbell.ring"], []]


async def test_what_was_put_off_for_long_is_as_old_as_its_last_try(office: Office) -> None:
    await office.bury("doorbell.ring", due_at=NOW + 60 * DAY)
    office.forward(60 * DAY)
    await office.tidy()
    assert await office.letters() == ["doorbell.ring"]

    office.forward(30 * DAY)
    await office.tidy()
    assert await office.letters() == []


async def test_what_waits_is_never_too_old(office: Office) -> None:
    await office.bury("doorbell.ring", state="waiting")
    office.forward(3650 * DAY)
    await office.tidy()

    assert await office.letters() == ["doorbell.ring"]


async def test_an_admin_keeps_dead_letters_for_ever(office: Office) -> None:
    await office.bury("doorbell.ring")
    office.forward(3650 * DAY)
    await office.tidy(dead_letter_days=0)

    assert await office.letters() == ["doorbell.ring"]


async def test_the_house_looks_every_hour(
    tmp_path: Path, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_test_house(tmp_path, plugins=[], clock=clock) as house:
        work = Office(house.storage, house.services.outbox, clock)
        await work.note("front")
        await work.bury("doorbell.ring")
        clock.set(clock.now() + 91 * DAY)
        await trio.sleep(3601)

        assert await work.letters() == []
        assert await work.targets() == [PRUNED]
