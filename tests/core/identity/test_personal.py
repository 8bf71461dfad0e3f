"""What is known of a person: exported whole, and erased so that not a word of it is left in the files."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest
import structlog
import trio
from sqlalchemy import text
from trio.testing import MockClock

from manor import audit, outbox
from manor.audit import Audit
from manor.clock import SetClock
from manor.commands import AddUser, Who
from manor.errors import Conflict, ManorError, NotFound
from manor.events import Bus, Delivery, Event, Job, Subscription
from manor.house import House
from manor.identity import (
    EVENTS,
    MIGRATIONS,
    SYSTEM_ID,
    NewCredential,
    NewUser,
    Personal,
    User,
    UserErased,
    account_of,
    add_member,
    add_user,
    begin_totp,
    create_team,
    find_team,
    find_user,
    invite,
    issue,
    link_login,
    make_link,
    note_failure,
    note_success,
    open_session,
    record_consent,
)
from manor.identity.erasing import salted
from manor.outbox import Outbox
from manor.plugins import PersonalData
from manor.storage import Migration, Storage, Transaction, apply_migrations, new_id, open_storage

HOUR = timedelta(hours=1)
WORDS = (b"quetzal", b"zanzibar", b"marzipan")
"""In Zoe's name, in her address, and in what she wrote."""


class Mailing(msgspec.Struct):
    to: str
    user_id: UUID | None = None


class DoorRang(Event, frozen=True):
    name: ClassVar[str] = "doorbell.door_rang"
    door: str


class Note(msgspec.Struct):
    text: str


def _tables(connection: object) -> None:
    for statement in (
        "CREATE TABLE notes_notes (id INTEGER PRIMARY KEY, user_id BLOB, text TEXT)",
        "CREATE VIRTUAL TABLE notes_search USING fts5(text)",
    ):
        connection.exec_driver_sql(statement)  # type: ignore[attr-defined]


@dataclass
class Notes:
    """A plugin that keeps what people write, and an index of its words."""

    storage: Storage
    batches: list[int] = field(default_factory=list)
    trouble: Exception | None = None
    interrupt: Callable[[], None] | None = None

    @property
    def data(self) -> PersonalData:
        return PersonalData(sections=("notes", "drafts"), export=self.export, erase=self.erase)

    async def export(self, user_id: UUID) -> AsyncGenerator[tuple[str, Note], None]:
        statement = text("SELECT text FROM notes_notes WHERE user_id = :who ORDER BY id").bindparams(who=user_id.bytes)
        async with self.storage.stream(statement) as rows:
            async for row in rows:
                yield "notes", Note(row.text)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        if self.trouble is not None:
            raise self.trouble
        run = transaction.connection.exec_driver_sql
        mine = "SELECT id FROM notes_notes WHERE user_id = ? LIMIT ?"
        run(f"DELETE FROM notes_search WHERE rowid IN ({mine})", (user_id.bytes, limit))
        gone = run(f"DELETE FROM notes_notes WHERE id IN ({mine})", (user_id.bytes, limit)).rowcount
        if not gone:
            run("INSERT INTO notes_search (notes_search) VALUES ('optimize')")
        self.batches.append(gone)
        return gone

    async def write(self, user_id: UUID, count: int, what: str = "marzipan") -> None:
        def work(transaction: Transaction) -> None:
            for number in range(count):
                row = transaction.connection.exec_driver_sql(
                    "INSERT INTO notes_notes (user_id, text) VALUES (?, ?)", (user_id.bytes, f"{what} number {number}")
                )
                transaction.connection.exec_driver_sql(
                    "INSERT INTO notes_search (rowid, text) VALUES (?, ?)", (row.lastrowid, f"{what} number {number}")
                )

        await self.storage.write(work)


@dataclass
class World:
    """A storage with all that an erasure touches."""

    path: Path
    storage: Storage
    outbox: Outbox
    audit: Audit
    personal: Personal
    notes: Notes
    heard: list[Event]

    def words(self) -> dict[str, list[bytes]]:
        """Which of the words stand in which of the database's files."""
        files = [path for path in self.path.parent.iterdir() if path.name.startswith(self.path.name)]
        assert {file.name for file in files} == {"manor.db", "manor.db-wal", "manor.db-shm"}
        found = {file.name: [word for word in WORDS if word in file.read_bytes().lower()] for file in files}
        return {name: words for name, words in found.items() if words}

    async def erase(self, who: User) -> None:
        await self.storage.write(lambda transaction: self.personal.erase(transaction, who.id, actor="shell"))

    async def erased(self, who: User) -> None:
        """Wait until the job says that it is done."""
        while await self.personal.is_erasing(who.id):  # noqa: ASYNC110 - nothing rings when it is over
            await trio.sleep(0.1)

    async def says_erased(self, who: User) -> bool:
        """Whether the audit log's last row says so, for whoever knows the id; and no row says the id."""
        *before, last = await self.storage.read(self.audit.list)
        assert str(who.id) not in {word for row in (*before, last) for word in (row.actor, row.target)}
        return last.action == "identity.user_erased" and last.target == salted(who.id, last.target.partition(":")[0])

    async def count(self, table: str) -> int:
        query = text(f"SELECT count(*) FROM {table}")
        return await self.storage.read(lambda transaction: transaction.connection.execute(query).scalar_one())

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """With the outbox at work."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.outbox.run, self.storage)
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def opened_world(folder: Path, clock: SetClock) -> AsyncIterator[World]:
    bus = Bus()
    heard: list[Event] = []
    bus.declare("identity", EVENTS)
    bus.declare("doorbell", [DoorRang])
    bus.subscribe("tests", Subscription(UserErased.name, UserErased, heard.append, delivery=Delivery.INLINE))
    box = Outbox(bus, clock)
    path = folder / "data" / "manor.db"
    async with open_storage(path, clock=clock, bus=bus, outbox=box, inline=True) as storage:
        await apply_migrations(storage, "core", (*outbox.MIGRATIONS, *audit.MIGRATIONS))
        await apply_migrations(storage, "identity", MIGRATIONS)
        await apply_migrations(storage, "notes", [Migration("0001_notes", _tables)])
        notes = Notes(storage)
        log = Audit()
        personal = Personal(storage, box, log)
        personal.contribute("notes", notes.data)
        personal.contribute("doorbell", None)
        box.handle("identity", personal.jobs())
        yield World(path, storage, box, log, personal, notes, heard)


@pytest.fixture
async def world(tmp_path: Path, clock: SetClock) -> AsyncIterator[World]:
    async with opened_world(tmp_path, clock) as opened:
        yield opened


async def person(world: World, username: str, email: str) -> User:
    new = NewUser(username=username, email=email, tier="FREE", is_verified=True)
    return await world.storage.write(lambda transaction: add_user(transaction, new))


async def zoe_everywhere(world: World, other: User) -> User:
    """Somebody whose name, address and words stand in every table that may hold them."""
    zoe = await person(world, "Quetzal", "zoe@Zanzibar.example")

    def work(transaction: Transaction) -> None:
        session = open_session(
            transaction, user_id=zoe.id, kind="access", ip="192.0.2.7", user_agent="quetzal/1", life=HOUR, absolute=HOUR
        )
        key = NewCredential(kind="api_key", user_id=zoe.id, session_id=session.id, label="quetzal's key")
        issue(transaction, key, "secret")
        make_link(transaction, "verify", email="zoe@zanzibar.example", life=HOUR)
        make_link(transaction, "reset", email="zoe@zanzibar.example", user_id=zoe.id, life=HOUR)
        record_consent(transaction, zoe.id, consent_type="tos", document_version="quetzal", method="web_checkbox")
        link_login(transaction, zoe.id, issuer="https://id.example", subject="quetzal-7", provider="keycloak")
        begin_totp(transaction, zoe.id)
        note_failure(transaction, account_of(zoe, ""), "192.0.2.7")
        note_success(transaction, account_of(zoe, ""), "192.0.2.7")
        theirs = create_team(transaction, other.id, name="garden", display_name="Garden")
        add_member(transaction, theirs.id, zoe.id)
        hers = create_team(transaction, zoe.id, name="zanzibar", display_name="Quetzals")
        invite(transaction, hers.id, email="bea@example.org", role="member", invited_by_id=zoe.id)
        cellar = create_team(transaction, other.id, name="cellar", display_name="Cellar")
        invite(transaction, cellar.id, email="ZOE@zanzibar.example", role="member", invited_by_id=other.id)
        transaction.defer(Job("core.mail", Mailing), Mailing("Zoe <zoe@zanzibar.example>"))
        transaction.defer(Job("core.mail", Mailing), Mailing("kept elsewhere", zoe.id))
        transaction.defer(Job("auth.ask_reset", Mailing), Mailing("zoe@ZANZIBAR.example"))
        transaction.defer(Job("core.mail", Mailing), Mailing("other@example.org"))
        world.audit.record(transaction, "auth.email_changed", actor=str(zoe.id), detail={"to": "zoe@zanzibar.example"})
        world.audit.record(transaction, "auth.failed", actor="", detail={"login": "Zoe@Zanzibar.example"})
        world.audit.record(transaction, "topics.made", actor=str(other.id), detail={"name": "kept"})

    await world.storage.write(work)
    await world.notes.write(zoe.id, 30)
    return zoe


# --- Erasure -------------------------------------------------------------------------------------------------------


async def test_nothing_of_an_erased_person_is_left_in_the_files(world: World, autojump_clock: MockClock) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)
    assert {word for words in world.words().values() for word in words} == set(WORDS), "she is in there before"

    async with world.working():
        await world.erase(zoe)
        await world.erased(zoe)

    assert world.words() == {}
    assert await world.says_erased(zoe)
    assert await world.storage.read(world.audit.verify) is None


async def test_what_belongs_to_others_stays(world: World, autojump_clock: MockClock) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)
    await world.notes.write(other.id, 3, "mine")

    async with world.working():
        await world.erase(zoe)
        await world.erased(zoe)

    def left(transaction: Transaction) -> tuple[object, ...]:
        rows = world.outbox.list(transaction)
        details = [row.detail for row in world.audit.list(transaction) if row.detail is not None]
        notes = transaction.connection.exec_driver_sql("SELECT count(*) FROM notes_notes").scalar_one()
        return [json.loads(row.payload)["to"] for row in rows], details, notes

    assert await world.storage.read(left) == (["other@example.org"], ['{"name":"kept"}'], 3)
    assert await world.storage.read(lambda transaction: find_team(transaction, name="garden")) is not None
    assert await world.storage.read(lambda transaction: find_team(transaction, name="zanzibar")) is None


async def test_no_table_of_identity_holds_the_id_of_an_erased_person(world: World, autojump_clock: MockClock) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)

    async with world.working():
        await world.erase(zoe)
        await world.erased(zoe)

    def holding(transaction: Transaction) -> list[str]:
        run = transaction.connection.exec_driver_sql
        tables = run("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'identity!_%' ESCAPE '!'")
        names = list(tables.scalars())
        assert len(names) > 10
        return [name for name in names if any(zoe.id.bytes in row for row in run(f"SELECT * FROM {name}"))]

    assert await world.storage.read(holding) == []


async def test_the_account_is_gone_with_the_first_transaction_and_its_names_are_free(
    world: World, clock: SetClock, autojump_clock: MockClock
) -> None:
    zoe = await person(world, "Quetzal", "zoe@zanzibar.example")

    await world.erase(zoe)
    clock.set(clock.now() + timedelta(seconds=1))
    again = await person(world, "Quetzal", "zoe@zanzibar.example")

    assert world.heard == [UserErased(user_id=zoe.id)]
    assert await world.storage.read(lambda transaction: find_user(transaction, user_id=zoe.id)) is None
    assert again.id != zoe.id


async def test_what_the_next_owner_of_the_name_gets_is_theirs(
    world: World, clock: SetClock, autojump_clock: MockClock
) -> None:
    zoe = await person(world, "Quetzal", "zoe@zanzibar.example")
    await world.erase(zoe)
    clock.set(clock.now() + timedelta(seconds=1))
    again = await person(world, "Quetzal", "zoe@zanzibar.example")

    def work(transaction: Transaction) -> None:
        make_link(transaction, "verify", email="zoe@zanzibar.example", user_id=again.id, life=HOUR)
        transaction.defer(Job("core.mail", Mailing), Mailing("zoe@zanzibar.example", again.id))
        world.audit.record(transaction, "auth.registered", actor="", detail={"email": "zoe@zanzibar.example"})

    await world.storage.write(work)
    async with world.working():
        await world.erased(zoe)

    def left(transaction: Transaction) -> tuple[int, int, int]:
        links = transaction.connection.exec_driver_sql("SELECT count(*) FROM identity_links").scalar_one()
        details = [row for row in world.audit.list(transaction) if row.detail is not None]
        return links, len(world.outbox.list(transaction)), len(details)

    assert await world.storage.read(left) == (1, 1, 1)


async def test_rows_go_in_batches_and_others_write_in_between(world: World) -> None:
    zoe = await person(world, "Quetzal", "zoe@zanzibar.example")
    other = await person(world, "Other", "other@example.org")
    await world.notes.write(zoe.id, 1_600)
    published: list[int] = []

    async def publish() -> None:
        while True:
            await world.notes.write(other.id, 1, "news")
            published.append(len(world.notes.batches))

    async with trio.open_nursery() as nursery, world.working():
        nursery.start_soon(publish)
        await world.erase(zoe)
        await world.erased(zoe)
        nursery.cancel_scope.cancel()

    assert world.notes.batches[:5] == [500, 500, 500, 100, 0]
    assert {1, 2, 3, 4} <= set(published), "somebody wrote after each batch"


async def test_an_open_reader_puts_off_the_end_and_not_the_work(world: World, autojump_clock: MockClock) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)

    async with world.working():
        async with world.storage.stream(text("SELECT text FROM notes_notes")) as rows:
            assert (await anext(rows)).text == "marzipan number 0"
            await world.erase(zoe)
            await trio.sleep(25)
            assert await world.personal.is_erasing(zoe.id)
            assert (
                await world.storage.read(
                    lambda transaction: transaction.connection.exec_driver_sql(
                        "SELECT count(*) FROM notes_notes"
                    ).scalar()
                )
                == 0
            )
            assert world.words() != {}, "the reader's state is in the files still"
        await world.erased(zoe)

    assert world.words() == {}


async def test_an_erasure_goes_on_after_a_restart_in_its_middle(tmp_path: Path, clock: SetClock) -> None:
    async with opened_world(tmp_path, clock) as first:
        other = await person(first, "Other", "other@example.org")
        zoe = await zoe_everywhere(first, other)
        await first.notes.write(zoe.id, 1_200)
        await first.erase(zoe)
        async with first.working():
            while not first.notes.batches:
                await trio.lowlevel.checkpoint()
        assert await first.personal.is_erasing(zoe.id)
        assert 0 < sum(first.notes.batches) < 1_230, "it was in the middle"

    async with opened_world(tmp_path, clock) as second, second.working():
        with trio.fail_after(30):
            await second.erased(zoe)

        assert second.words() == {}
        assert await second.says_erased(zoe)


async def test_a_plugin_that_fails_keeps_the_erasure_open_and_the_others_go_on(
    world: World, clock: SetClock, autojump_clock: MockClock
) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)
    world.notes.trouble = RuntimeError("the index is broken")

    async with world.working():
        await world.erase(zoe)
        await trio.sleep(1)
        [row, *_] = [row for row in await world.storage.read(world.outbox.list) if row.name == "identity.erase"]
        assert "notes: RuntimeError: the index is broken" in (row.last_error or "")
        assert (
            await world.storage.read(
                lambda transaction: transaction.connection.exec_driver_sql(
                    "SELECT count(*) FROM identity_sessions"
                ).scalar()
            )
            == 0
        )

        world.notes.trouble = None
        clock.set(clock.now() + HOUR)
        await world.erased(zoe)

    assert world.words() == {}


async def test_a_plugin_that_does_not_run_is_waited_for(
    world: World, clock: SetClock, autojump_clock: MockClock
) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)
    world.personal.withdraw("notes")

    async with world.working():
        with structlog.testing.capture_logs() as logged:
            await world.erase(zoe)
            await trio.sleep(1)
        assert [entry["plugins"] for entry in logged if "plugins" in entry] == [["notes"]]
        assert {word for words in world.words().values() for word in words} == {b"marzipan"}

        world.personal.contribute("notes", world.notes.data)
        await world.personal.resume()
        await world.erased(zoe)

    assert world.words() == {}


async def test_the_system_person_and_nobody_are_not_erased(world: World) -> None:
    with pytest.raises(Conflict):
        await world.storage.write(partial(world.personal.erase, user_id=SYSTEM_ID, actor="shell"))
    with pytest.raises(NotFound):
        await world.storage.write(partial(world.personal.erase, user_id=new_id(), actor="shell"))


# --- Export --------------------------------------------------------------------------------------------------------


async def exported(world: World, who: User) -> dict[str, object]:
    pieces = [
        piece
        async for piece in world.personal.export_json(
            who.id, head={"user_id": str(who.id)}, tail=lambda counts: {"total_notes": counts["notes"]}
        )
    ]
    document: dict[str, object] = json.loads(b"".join(pieces))
    return document


async def test_an_export_has_every_section_at_its_top_level(world: World) -> None:
    other = await person(world, "Other", "other@example.org")
    zoe = await zoe_everywhere(world, other)

    document = await exported(world, zoe)

    assert set(document) == {"export_metadata", *world.personal.sections, "statistics"}
    counts = {name: len(rows) for name, rows in document.items() if isinstance(rows, list)}
    assert counts == {
        "logins": 1,
        "consents": 1,
        "sessions": 1,
        "teams": 2,
        "invites": 2,
        "credentials": 1,
        "notes": 30,
        "drafts": 0,
    }
    assert document["statistics"] == {"total_notes": 30}
    assert document["account"]["username"] == "Quetzal"  # type: ignore[index]


async def test_an_export_holds_nothing_of_others_and_no_secret(world: World) -> None:
    other = await person(world, "Other", "other@example.org")
    await zoe_everywhere(world, other)
    await world.notes.write(other.id, 1, "mine")

    written = json.dumps(await exported(world, other)).encode().lower()

    assert b"marzipan" not in written
    assert b"hash" not in written
    assert b"secret" not in written


async def test_an_export_of_nobody_is_refused_before_a_byte_of_it(world: World) -> None:
    with pytest.raises(NotFound):
        await anext(world.personal.export_json(new_id(), head={}))


@pytest.mark.parametrize("section", ["account", "notes", "statistics", "export_metadata"])
async def test_two_cannot_bring_one_section(world: World, section: str) -> None:
    data = PersonalData(sections=(section,), export=world.notes.export, erase=world.notes.erase)

    with pytest.raises(ManorError, match=f"'more' exports the section '{section}'"):
        world.personal.contribute("more", data)


async def test_a_row_of_an_undeclared_section_is_an_error(world: World) -> None:
    async def export(user_id: UUID) -> AsyncGenerator[tuple[str, Note], None]:
        yield "surprise", Note("here")

    zoe = await person(world, "Quetzal", "zoe@zanzibar.example")
    world.personal.contribute("more", PersonalData(sections=("more",), export=export, erase=world.notes.erase))

    with pytest.raises(ManorError, match="'more' exported a row of 'surprise'"):
        await exported(world, zoe)


# --- In the house --------------------------------------------------------------------------------------------------


@pytest.mark.manor(plugins=["topics"], config={"identity": {"argon2_memory_mib": 19, "argon2_time": 2}})
async def test_the_house_erases_whom_the_shell_deletes(house: House, autojump_clock: MockClock) -> None:
    added = await house.run_command("user.add", AddUser("zoe@zanzibar.example", "Quetzal"))

    await house.run_command("user.delete", Who("quetzal"))
    while await house.services.identity.personal.is_erasing(added.id):  # noqa: ASYNC110 - as above
        await trio.sleep(0.1)

    files = [path for path in house.storage.path.parent.iterdir() if path.name.startswith("manor.db")]
    assert [word for file in files for word in WORDS if word in file.read_bytes().lower()] == []
