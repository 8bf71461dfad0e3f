"""What is removed, and what is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor.clock import SetClock
from manor.events import Event
from manor.identity import (
    Identity,
    NewCredential,
    Session,
    User,
    create_team,
    end_session,
    find_by_secret,
    find_invite,
    find_link,
    find_session,
    housekeeping,
    invite,
    issue,
    make_link,
    note_failure,
    note_success,
    open_session,
    revoke,
    use_link,
)
from manor.identity.housekeeping import tidy_once
from manor.storage import Storage, Transaction

DAY = timedelta(days=1)


async def signed_in(storage: Storage, user: User, life: timedelta = DAY) -> Session:
    return await storage.write(
        lambda t: open_session(t, user_id=user.id, kind="access", ip="", user_agent="", life=life, absolute=life)
    )


async def issued(storage: Storage, secret: str, **fields: Any) -> None:
    await storage.write(lambda transaction: issue(transaction, NewCredential(kind="refresh", **fields), secret))


async def known(storage: Storage, *secrets: str) -> list[str]:
    def work(transaction: Transaction) -> list[str]:
        return [secret for secret in secrets if find_by_secret(transaction, secret) is not None]

    return await storage.read(work)


async def test_sessions_go_thirty_days_after_they_were_over_with_all_their_credentials(
    storage: Storage, ada: User, clock: SetClock, heard: list[Event]
) -> None:
    ended, expired = await signed_in(storage, ada, 90 * DAY), await signed_in(storage, ada, 10 * DAY)
    alive = await signed_in(storage, ada, 90 * DAY)
    for number, session in enumerate((ended, expired, alive)):
        await issued(storage, str(number), user_id=ada.id, session_id=session.id)
    await storage.write(lambda transaction: end_session(transaction, ended.id))
    heard.clear()
    start = clock.now()
    seen = []
    for day in (29, 30, 39, 40):
        clock.set(start + day * DAY)
        await tidy_once(storage)
        seen.append(await known(storage, "0", "1", "2"))

    assert seen == [["0", "1", "2"], ["1", "2"], ["1", "2"], ["2"]]
    for session, is_there in ((ended, False), (expired, False), (alive, True)):
        found = await storage.read(lambda t, session=session: find_session(t, session.id))  # type: ignore[misc]
        assert (found is not None) is is_there
    assert heard == []


async def test_expired_credentials_of_a_session_go_a_day_later(storage: Storage, ada: User, clock: SetClock) -> None:
    session = await signed_in(storage, ada, 90 * DAY)
    await issued(storage, "spent", session_id=session.id, expires_at=clock.now() + DAY)
    await issued(storage, "key", user_id=ada.id, expires_at=clock.now() + DAY)
    clock.set(clock.now() + 2 * DAY - timedelta(seconds=1))
    await tidy_once(storage)
    assert await known(storage, "spent", "key") == ["spent", "key"]

    clock.set(clock.now() + timedelta(seconds=1))
    await tidy_once(storage)
    assert await known(storage, "spent", "key") == ["key"]


async def test_keys_go_ninety_days_after_they_expired_or_were_revoked(
    storage: Storage, ada: User, clock: SetClock, heard: list[Event]
) -> None:
    await issued(storage, "good", user_id=ada.id)
    await issued(storage, "later", user_id=ada.id, expires_at=clock.now() + 200 * DAY)
    await issued(storage, "expired", user_id=ada.id, expires_at=clock.now() + 2 * DAY)
    await issued(storage, "revoked", user_id=ada.id)
    await issued(storage, "nobody's", expires_at=clock.now() + DAY)
    await storage.write(lambda transaction: revoke(transaction, _id_of(transaction, "revoked")))
    heard.clear()
    start = clock.now()
    seen = []
    for day in (89, 90, 91, 92):
        clock.set(start + day * DAY)
        await tidy_once(storage)
        seen.append(await known(storage, "good", "later", "expired", "revoked", "nobody's"))

    assert seen == [
        ["good", "later", "expired", "revoked", "nobody's"],
        ["good", "later", "expired", "nobody's"],
        ["good", "later", "expired"],
        ["good", "later"],
    ]
    assert heard == []


async def test_credentials_of_an_hour_go_a_day_after_it(storage: Storage, ada: User, clock: SetClock) -> None:
    await issued(storage, "brief", user_id=ada.id, expires_at=clock.now() + timedelta(hours=1))
    await issued(storage, "longer", user_id=ada.id, expires_at=clock.now() + timedelta(hours=1, microseconds=1))
    clock.set(clock.now() + DAY + timedelta(minutes=59))
    await tidy_once(storage)
    assert await known(storage, "brief", "longer") == ["brief", "longer"]

    clock.set(clock.now() + timedelta(minutes=1))
    await tidy_once(storage)
    assert await known(storage, "brief", "longer") == ["longer"]


def _id_of(transaction: Transaction, secret: str) -> UUID:
    found = find_by_secret(transaction, secret)
    assert found is not None
    return found.id


async def test_invites_go_ninety_days_after_their_time(storage: Storage, ada: User, clock: SetClock) -> None:
    team = await storage.write(lambda t: create_team(t, ada.id, name="garden", display_name="Garden"))
    asked, _ = await storage.write(
        lambda t: invite(t, team.id, email="bob@example.org", role="member", invited_by_id=ada.id)
    )
    found = []
    for days in (96, 1):
        clock.set(clock.now() + days * DAY)
        await tidy_once(storage)
        found.append(await storage.read(lambda t: find_invite(t, invite_id=asked.id)) is not None)

    assert found == [True, False]


async def test_a_used_link_goes_when_others_of_its_age_do(storage: Storage, clock: SetClock) -> None:
    _, token = await storage.write(lambda t: make_link(t, "verify", email="ada@example.org", life=DAY))
    await storage.write(lambda transaction: use_link(transaction, "verify", token))
    found = []
    for days in (7, 1):
        clock.set(clock.now() + days * DAY)
        await tidy_once(storage)
        found.append(await storage.read(lambda transaction: find_link(transaction, "verify", token)) is not None)

    assert found == [True, False]


async def test_links_go_a_week_after_they_expired(storage: Storage, clock: SetClock) -> None:
    _, token = await storage.write(lambda t: make_link(t, "verify", email="ada@example.org", life=DAY))
    found = []
    for days in (7, 1):
        clock.set(clock.now() + days * DAY)
        await tidy_once(storage)
        found.append(await storage.read(lambda transaction: find_link(transaction, "verify", token)) is not None)

    assert found == [True, False]


async def test_failed_sign_ins_and_known_addresses_go_when_they_count_no_more(
    storage: Storage, clock: SetClock
) -> None:
    def rows(transaction: Transaction) -> tuple[int, int]:
        count = transaction.connection.exec_driver_sql
        return (
            count("SELECT count(*) FROM identity_failures").scalar_one(),
            count("SELECT count(*) FROM identity_familiar").scalar_one(),
        )

    await storage.write(lambda transaction: note_failure(transaction, "login eve", "192.0.2.1"))
    await storage.write(lambda transaction: note_success(transaction, "login ada", "192.0.2.2"))
    start = clock.now()
    seen = []
    for passed in (timedelta(minutes=29), timedelta(minutes=30), 29 * DAY, 30 * DAY):
        clock.set(start + passed)
        await tidy_once(storage)
        seen.append(await storage.read(rows))

    assert seen == [(1, 1), (0, 1), (0, 1), (0, 0)]


async def test_many_rows_go_in_small_batches(
    storage: Storage, ada: User, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 3)
    session = await signed_in(storage, ada)
    secrets = [str(number) for number in range(8)]
    for secret in secrets:
        await issued(storage, secret, session_id=session.id)
    clock.set(clock.now() + 31 * DAY)
    commits = storage.commits

    await tidy_once(storage)

    # One for failed sign-ins, three for the credentials.
    assert storage.commits == commits + 4
    assert await known(storage, *secrets) == []
    assert await storage.read(lambda transaction: find_session(transaction, session.id)) is None


async def test_it_is_done_every_hour(
    identity: Identity, storage: Storage, clock: SetClock, autojump_clock: trio.abc.Clock
) -> None:
    _, token = await storage.write(lambda t: make_link(t, "verify", email="ada@example.org", life=DAY))
    clock.set(clock.now() + 8 * DAY)
    async with trio.open_nursery() as nursery:
        for task in identity.background_tasks():
            nursery.start_soon(task.run)
        await trio.sleep(3601)
        nursery.cancel_scope.cancel()

    assert await storage.read(lambda transaction: find_link(transaction, "verify", token)) is None
