"""Sessions: how long they last, and what ends with them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from manor.clock import SetClock
from manor.events import Event
from manor.identity import (
    CredentialRevoked,
    NewCredential,
    Session,
    SessionEnded,
    User,
    end_session,
    end_sessions,
    find_by_secret,
    find_session,
    issue,
    list_sessions,
    open_session,
    touch_session,
)
from manor.storage import Storage

WEEK = timedelta(days=7)
NOBODY = UUID(int=1)


async def opened_session(storage: Storage, user: User, kind: str = "access", agent: str = "curl") -> Session:
    return await storage.write(
        lambda transaction: open_session(
            transaction,
            user_id=user.id,
            kind=kind,
            ip="192.0.2.1",
            user_agent=agent,
            life=WEEK,
            absolute=timedelta(days=10),
        )
    )


async def test_a_session_is_found_as_it_was_opened(storage: Storage, ada: User, clock: SetClock) -> None:
    session = await opened_session(storage, ada)

    assert await storage.read(lambda transaction: find_session(transaction, session.id)) == session
    assert session.expires_at == clock.now() + WEEK
    assert await storage.read(lambda transaction: find_session(transaction, NOBODY)) is None


async def test_use_puts_off_the_end_but_never_past_the_absolute_one(
    storage: Storage, ada: User, clock: SetClock
) -> None:
    start = clock.now()
    session = await opened_session(storage, ada)

    ends = []
    for day in (2, 5, 9):
        clock.set(start + timedelta(days=day))
        touched = await storage.write(lambda transaction: touch_session(transaction, session.id))
        assert touched is not None
        ends.append((touched.expires_at - start).days)

    assert ends == [9, 10, 10]
    clock.set(start + timedelta(days=10))
    assert await storage.write(lambda transaction: touch_session(transaction, session.id)) is None


async def test_an_expired_session_is_not_revived_by_use(storage: Storage, ada: User, clock: SetClock) -> None:
    session = await opened_session(storage, ada)
    clock.set(clock.now() + WEEK)

    assert await storage.write(lambda transaction: touch_session(transaction, session.id)) is None
    assert await storage.read(lambda transaction: list_sessions(transaction, ada.id)) == []


async def test_a_clock_set_back_does_not_shorten_a_session(storage: Storage, ada: User, clock: SetClock) -> None:
    session = await opened_session(storage, ada)
    clock.set(clock.now() - timedelta(days=3))

    touched = await storage.write(lambda transaction: touch_session(transaction, session.id))

    assert touched is not None
    assert touched.expires_at == session.expires_at


async def test_ending_a_session_revokes_its_credentials_and_tells(
    storage: Storage, ada: User, clock: SetClock, heard: list[Event]
) -> None:
    session = await opened_session(storage, ada)
    new = NewCredential(kind="refresh", user_id=ada.id, session_id=session.id)
    credential = await storage.write(lambda transaction: issue(transaction, new, "s3cret"))

    assert await storage.write(lambda transaction: end_session(transaction, session.id))

    assert heard == [
        CredentialRevoked(credential_id=credential.id, user_id=ada.id),
        SessionEnded(session_id=session.id, user_id=ada.id),
    ]
    known = await storage.read(lambda transaction: find_by_secret(transaction, "s3cret"))
    assert known is not None
    assert not known.is_usable(clock.now())


async def test_a_session_ends_once(storage: Storage, ada: User, heard: list[Event]) -> None:
    session = await opened_session(storage, ada)
    await storage.write(lambda transaction: end_session(transaction, session.id))
    heard.clear()

    assert not await storage.write(lambda transaction: end_session(transaction, session.id))
    assert not await storage.write(lambda transaction: end_session(transaction, NOBODY))
    assert heard == []


async def test_all_sessions_end_but_one_and_other_kinds(storage: Storage, ada: User, heard: list[Event]) -> None:
    first, kept = await opened_session(storage, ada), await opened_session(storage, ada)
    page = await opened_session(storage, ada, kind="web_session")

    ended = await storage.write(lambda transaction: end_sessions(transaction, ada.id, but=kept.id, kind="access"))

    assert ended == 1
    assert heard == [SessionEnded(session_id=first.id, user_id=ada.id)]
    assert await storage.read(lambda transaction: list_sessions(transaction, ada.id)) == [page, kept]
    assert await storage.read(lambda transaction: list_sessions(transaction, ada.id, "access")) == [kept]
    assert await storage.write(lambda transaction: end_sessions(transaction, ada.id)) == 2


async def test_what_a_client_calls_itself_is_cut_and_without_control_characters(storage: Storage, ada: User) -> None:
    session = await opened_session(storage, ada, agent="evil\r\nSet-Cookie: a\x1b[2J\ud800" + "x" * 100_000)

    assert session.user_agent.startswith("evilSet-Cookie: a[2Jx")
    assert len(session.user_agent) == 400
    assert await storage.read(lambda transaction: find_session(transaction, session.id)) == session
