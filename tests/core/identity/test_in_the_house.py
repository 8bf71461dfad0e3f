"""The house gives identity what it needs: its events, its tasks, its streams."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from manor.clock import SetClock
from manor.identity import (
    MIGRATIONS,
    NewCredential,
    NewUser,
    User,
    add_user,
    find_credential,
    issue,
    open_session,
    revoke,
)
from manor.identity.tables import metadata
from manor.storage import Transaction
from manor.testing import House

pytestmark = pytest.mark.manor(plugins=[], config={})


@pytest.fixture
async def ada(house: House) -> User:
    new = NewUser(username="Ada", email="ada@example.org", tier="FREE")
    return await house.storage.write(lambda transaction: add_user(transaction, new))


async def test_a_revoked_secret_is_dead_when_the_call_returns(house: House, ada: User) -> None:
    identity = house.services.identity
    credential = await house.storage.write(lambda t: issue(t, NewCredential(kind="device", user_id=ada.id), "s3cret"))
    assert await identity.authenticate("device", "s3cret") is not None

    await house.storage.write(lambda transaction: revoke(transaction, credential.id))

    assert await identity.authenticate("device", "s3cret") is None


async def test_uses_are_counted_in_the_background(
    house: House, ada: User, clock: SetClock, autojump_clock: trio.abc.Clock
) -> None:
    credential = await house.storage.write(lambda t: issue(t, NewCredential(kind="device", user_id=ada.id), "s3cret"))
    await house.services.identity.authenticate("device", "s3cret")
    await trio.sleep(61)

    known = await house.storage.read(lambda transaction: find_credential(transaction, credential.id))
    assert known is not None
    assert (known.use_count, known.last_used_at) == (1, clock.now())


async def test_a_session_stands_for_its_person(house: House, ada: User) -> None:
    session = await house.storage.write(
        lambda t: open_session(
            t, user_id=ada.id, kind="access", ip="", user_agent="", life=timedelta(1), absolute=timedelta(1)
        )
    )

    principal = await house.services.identity.session_principal(session.id)

    assert principal is not None
    assert principal.user_id == ada.id


async def test_the_migrations_make_the_tables_that_the_code_knows(house: House) -> None:
    def columns(transaction: Transaction) -> dict[str, set[str]]:
        run = transaction.connection.exec_driver_sql
        return {name: {row[1] for row in run(f"PRAGMA table_info({name})")} for name in metadata.tables}

    def indexes(transaction: Transaction) -> set[str]:
        rows = transaction.connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'")
        return set(rows.scalars())

    assert await house.storage.read(columns) == {
        name: {column.name for column in table.columns} for name, table in metadata.tables.items()
    }
    declared = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert declared <= await house.storage.read(indexes)
    assert [migration.id for migration in MIGRATIONS][:2] == ["0001_people", "0002_credentials"]
