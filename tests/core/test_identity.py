"""People: added, found and listed in the caller's transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import select, text

from manor import audit
from manor.audit import Audit
from manor.clock import SetClock
from manor.commands import AddUser
from manor.config import IdentityConfig
from manor.errors import Conflict, Refused, Unprocessable
from manor.events import Bus, Delivery, Event, Subscription
from manor.identity import (
    EVENTS,
    MIGRATIONS,
    SYSTEM_ID,
    Identity,
    NewUser,
    User,
    UserChanged,
    UserCommands,
    add_user,
    find_user,
    list_users,
)
from manor.identity.tables import users
from manor.live import LiveService
from manor.outbox import Outbox
from manor.storage import Storage, Transaction, apply_migrations, open_storage

NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC)
CHEAP = IdentityConfig(argon2_memory_mib=19, argon2_time=2)


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
async def storage(tmp_path: Path, heard: list[Event]) -> AsyncIterator[Storage]:
    clock = SetClock(NOW)
    bus = Bus()
    bus.declare("identity", EVENTS)
    bus.subscribe("tests", Subscription(UserChanged.name, UserChanged, heard.append, delivery=Delivery.INLINE))
    async with open_storage(
        tmp_path / "manor.db", clock=clock, bus=bus, outbox=Outbox(bus, clock), inline=True
    ) as opened:
        await apply_migrations(opened, "core", audit.MIGRATIONS)
        await apply_migrations(opened, "identity", MIGRATIONS)
        yield opened


@pytest.fixture
def commands(storage: Storage) -> UserCommands:
    identity = Identity(
        CHEAP, default_tier="TEAM", storage=storage, clock=SetClock(NOW), live=LiveService(), inline=True
    )
    return UserCommands(identity, storage, Audit(), lambda: {"TEAM"})


def new(username: str = "Ada", email: str | None = "Ada@Example.org") -> NewUser:
    return NewUser(username=username, email=email, tier="FREE")


async def added(storage: Storage, wanted: NewUser) -> User:
    return await storage.write(lambda transaction: add_user(transaction, wanted))


async def refused(storage: Storage, wanted: NewUser) -> Refused:
    with pytest.raises(Refused) as caught:
        await added(storage, wanted)
    return caught.value


async def found(
    storage: Storage, *, username: str | None = None, email: str | None = None, user_id: UUID | None = None
) -> User | None:
    return await storage.read(
        lambda transaction: find_user(transaction, username=username, email=email, user_id=user_id)
    )


# --- The system person ---------------------------------------------------------------------------------------------


async def test_the_system_person_is_there_from_the_start_and_has_nothing_to_log_in_with(storage: Storage) -> None:
    def hidden(transaction: Transaction) -> tuple[object, ...]:
        row = transaction.connection.execute(
            select(users.c.password_hash, users.c.email_folded).where(users.c.id == SYSTEM_ID)
        ).one()
        return tuple(row)

    system = await found(storage, user_id=UUID("00000000-0000-7000-8000-000000000000"))

    assert system is not None
    assert (system.username, system.email, system.is_system, system.is_admin) == ("manor", None, True, False)
    assert await storage.read(hidden) == (None, None)


async def test_nobody_else_is_called_manor_in_whatever_case(storage: Storage) -> None:
    assert isinstance(await refused(storage, new(username="MANOR")), Unprocessable)


# --- Adding --------------------------------------------------------------------------------------------------------


async def test_a_person_is_kept_as_typed_and_told_after_the_commit(storage: Storage, heard: list[Event]) -> None:
    ada = await added(storage, new())

    assert ada == User(
        id=ada.id,
        username="Ada",
        handle="ada",
        email="Ada@Example.org",
        tier="FREE",
        is_active=True,
        is_admin=False,
        is_bot=False,
        is_system=False,
        is_verified=False,
        created_at=NOW,
    )
    assert await found(storage, user_id=ada.id) == ada
    assert heard == [UserChanged(user_id=ada.id, is_active=True)]


async def test_a_rolled_back_person_is_told_to_nobody(storage: Storage, heard: list[Event]) -> None:
    def work(transaction: Transaction) -> None:
        add_user(transaction, new())
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        await storage.write(work)

    assert await found(storage, username="Ada") is None
    assert heard == []


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (new(username="ADA", email="other@example.org"), "username"),
        (new(username="other", email="ada@EXAMPLE.org"), "email"),
        (new(username="other", email="ADA@example.org"), "email"),
    ],
)
async def test_a_name_or_address_is_taken_whatever_its_case(storage: Storage, second: NewUser, field: str) -> None:
    await added(storage, new())

    error = await refused(storage, second)

    assert isinstance(error, Conflict)
    assert [problem.field for problem in error.errors] == [field]


async def test_the_tables_own_rules_hold_without_the_functions(storage: Storage) -> None:
    await added(storage, new())
    await added(storage, new("Bea", "bea@example.org"))

    def collide(transaction: Transaction) -> None:
        transaction.connection.execute(text("UPDATE identity_users SET handle = 'same' WHERE NOT is_system"))

    with pytest.raises(Exception, match=r"UNIQUE constraint failed: identity_users\.handle"):
        await storage.write(collide)


async def test_several_bots_may_have_no_address(storage: Storage) -> None:
    first = await added(storage, NewUser(username="bot-1", email=None, tier="FREE", is_bot=True))
    second = await added(storage, NewUser(username="bot-2", email=None, tier="FREE", is_bot=True))

    assert (first.email, second.email, first.is_bot) == (None, None, True)


@pytest.mark.parametrize(
    "username",
    ["ab", "x" * 65, "", "with space", "ünder", "a/b", "a\nb", "ada\n", "all", "Channel", "HERE", "matterbot"],
)
async def test_a_username_that_cannot_be_is_refused_naming_the_field(storage: Storage, username: str) -> None:
    error = await refused(storage, new(username=username))

    assert isinstance(error, Unprocessable)
    assert [problem.field for problem in error.errors] == ["username"]


@pytest.mark.parametrize("username", ["abc", "x" * 64, "A.b_c-9", "...", "all-of-us"])
async def test_a_username_is_3_to_64_letters_digits_dots_dashes_and_underscores(
    storage: Storage, username: str
) -> None:
    assert (await added(storage, new(username=username))).username == username


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a da@example.org",
        "ada@exa mple.org",
        "ada@@example.org",
        "ada@example..org",
        "ada@-example.org",
        "ada@example.org\n",
        "ada\u00a0b@example.org",
        "ada\u202e@example.org",
        "ada\udc80@example.org",
        ".ada@example.org",
        "ada..b@example.org",
        "a" * 65 + "@example.org",
        "ada@" + "a." * 125 + "org",
    ],
)
async def test_an_address_that_cannot_be_is_refused_naming_the_field(storage: Storage, email: str) -> None:
    error = await refused(storage, new(email=email))

    assert isinstance(error, Unprocessable)
    assert [problem.field for problem in error.errors] == ["email"]


@pytest.mark.parametrize(
    "email",
    ["ada@localhost", "a.b+tag@mail.example.org", "o'hara@example.org", "jürgen@bücher.example", "x" * 64 + "@y.z"],
)
async def test_addresses_of_all_kinds_are_taken(storage: Storage, email: str) -> None:
    assert (await added(storage, new(email=email))).email == email


async def test_composed_and_decomposed_spellings_are_one_address(storage: Storage) -> None:
    await added(storage, new(email="jürgen@example.org"))

    assert isinstance(await refused(storage, new("other", "ju\u0308rgen@example.org")), Conflict)


# --- Finding -------------------------------------------------------------------------------------------------------


async def test_a_person_is_found_by_id_name_and_address(storage: Storage) -> None:
    ada = await added(storage, new())

    assert await found(storage, user_id=ada.id) == ada
    assert await found(storage, username="aDA") == ada
    assert await found(storage, email="aDA@eXample.org") == ada
    assert await found(storage, username="nobody") is None


async def test_finding_takes_exactly_one_of_the_three(storage: Storage) -> None:
    with pytest.raises(TypeError):
        await found(storage)
    with pytest.raises(TypeError):
        await found(storage, username="ada", email="ada@example.org")


async def test_people_are_listed_by_handle_a_page_at_a_time_without_the_system_person(storage: Storage) -> None:
    for name in ("Cleo", "ada", "Bea"):
        await added(storage, new(name, f"{name}@example.org"))

    first = await storage.read(lambda transaction: list_users(transaction, limit=2))
    second = await storage.read(lambda transaction: list_users(transaction, after=first[-1].handle, limit=2))

    assert [user.username for user in (*first, *second)] == ["ada", "Bea", "Cleo"]


# --- user.add ------------------------------------------------------------------------------------------------------


async def test_an_admin_adds_a_person_whose_password_is_hashed(storage: Storage, commands: UserCommands) -> None:
    answer = await commands.add(AddUser("ada@example.org", "Ada", is_admin=True, password="long enough to keep"))

    def stored(transaction: Transaction) -> tuple[str, str, bool]:
        row = transaction.connection.execute(
            select(users.c.password_hash, users.c.tier, users.c.is_verified).where(users.c.id == answer.id)
        ).one()
        return (row[0], row[1], row[2])

    password_hash, tier, is_verified = await storage.read(stored)
    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (tier, is_verified, answer.is_admin) == ("TEAM", True, True)


async def test_a_person_without_a_password_has_none(storage: Storage, commands: UserCommands) -> None:
    answer = await commands.add(AddUser("ada@example.org", "Ada"))

    def stored(transaction: Transaction) -> object:
        return transaction.connection.execute(select(users.c.password_hash).where(users.c.id == answer.id)).scalar_one()

    assert await storage.read(stored) is None


async def test_a_weak_password_adds_nobody(storage: Storage, commands: UserCommands) -> None:
    with pytest.raises(Unprocessable):
        await commands.add(AddUser("ada@example.org", "Ada", password="password"))

    assert await found(storage, username="Ada") is None


async def test_a_taken_name_is_refused_with_and_without_a_password(commands: UserCommands) -> None:
    await commands.add(AddUser("ada@example.org", "Ada"))

    with pytest.raises(Conflict, match="username: is taken"):
        await commands.add(AddUser("bea@example.org", "ada"))
    with pytest.raises(Conflict, match="email: is taken"):
        await commands.add(AddUser("ADA@example.org", "Bea", password="long enough to keep"))


def test_the_arguments_do_not_show_the_password() -> None:
    assert "hunter22" not in repr(AddUser("ada@example.org", "Ada", password="hunter22"))


# --- Events --------------------------------------------------------------------------------------------------------


def test_every_event_is_named_after_identity_and_documented() -> None:
    for event in EVENTS:
        assert event.name.startswith("identity.")
        assert event.__doc__
        assert {info.name for info in msgspec.structs.fields(event)} & {
            "user_id",
            "team_id",
            "credential_id",
            "session_id",
        }
