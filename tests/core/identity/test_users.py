"""People change: names, addresses, rights, passwords, and the accounts elsewhere that are theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from manor.clock import SetClock
from manor.errors import Conflict, NotFound, Unprocessable
from manor.events import Event
from manor.identity import (
    SYSTEM_ID,
    NewUser,
    SessionEnded,
    User,
    UserChanged,
    add_user,
    find_login,
    find_password_hash,
    find_user,
    link_login,
    list_logins,
    list_sessions,
    mark_verified,
    note_login,
    note_terms,
    open_session,
    set_active,
    set_admin,
    set_password_hash,
    set_tier,
    unlink_login,
    update_user,
)
from manor.storage import Storage, Transaction, new_id

HOUR = timedelta(hours=1)


async def bea(storage: Storage) -> User:
    new = NewUser(username="Bea", email="bea@example.org", tier="FREE")
    return await storage.write(partial(add_user, new=new))


async def found(storage: Storage, user: User) -> User:
    there = await storage.read(partial(find_user, user_id=user.id))
    assert there is not None
    return there


# --- Names and addresses -------------------------------------------------------------------------------------------


async def test_a_new_name_is_found_and_the_old_one_is_free(storage: Storage, ada: User, heard: list[Event]) -> None:
    changed = await storage.write(partial(update_user, user_id=ada.id, username="Augusta"))

    assert changed == await found(storage, ada)
    assert (changed.username, changed.handle, changed.is_verified) == ("Augusta", "augusta", True)
    assert await storage.read(partial(find_user, username="ada")) is None
    assert heard == [UserChanged(user_id=ada.id, is_active=True)]


async def test_a_new_address_is_not_known_to_be_theirs(storage: Storage, ada: User) -> None:
    changed = await storage.write(partial(update_user, user_id=ada.id, email="augusta@example.org"))

    assert (changed.email, changed.is_verified) == ("augusta@example.org", False)
    assert await storage.read(partial(find_user, email="AUGUSTA@example.org")) == changed


async def test_the_same_name_and_address_spelt_otherwise_stay_theirs(storage: Storage, ada: User) -> None:
    changed = await storage.write(partial(update_user, user_id=ada.id, username="ADA", email="ADA@example.org"))

    assert (changed.username, changed.handle, changed.email) == ("ADA", "ada", "ADA@example.org")
    assert changed.is_verified


async def test_what_is_left_out_or_the_same_stays_and_is_told_to_nobody(
    storage: Storage, ada: User, heard: list[Event]
) -> None:
    assert await storage.write(partial(update_user, user_id=ada.id)) == ada
    assert await storage.write(partial(update_user, user_id=ada.id, username="Ada", email="ada@example.org")) == ada
    assert heard == []


@pytest.mark.parametrize("taken", [{"username": "bEA"}, {"email": "BEA@example.org"}])
async def test_what_somebody_else_has_is_refused_naming_the_field(
    storage: Storage, ada: User, taken: dict[str, Any]
) -> None:
    await bea(storage)

    with pytest.raises(Conflict) as caught:
        await storage.write(partial(update_user, user_id=ada.id, **taken))

    assert [problem.field for problem in caught.value.errors] == list(taken)
    assert await found(storage, ada) == ada


@pytest.mark.parametrize(
    "wrong", [{"username": "a\r\nb"}, {"username": "system"}, {"email": "ada"}, {"email": "a@b\r\nBcc: c@d"}]
)
async def test_what_cannot_be_one_is_refused(storage: Storage, ada: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        await storage.write(partial(update_user, user_id=ada.id, **wrong))


async def test_a_picture_is_set_and_taken_away(storage: Storage, ada: User) -> None:
    pictured = await storage.write(partial(update_user, user_id=ada.id, avatar_url="https://example.org/a.png"))
    assert (await found(storage, ada)).avatar_url == pictured.avatar_url == "https://example.org/a.png"

    assert (await storage.write(partial(update_user, user_id=ada.id, avatar_url=None))).avatar_url is None


# --- Rights --------------------------------------------------------------------------------------------------------


async def test_who_is_disabled_is_signed_out_and_may_come_back(storage: Storage, ada: User, heard: list[Event]) -> None:
    def sign_in(transaction: Transaction) -> SessionEnded:
        session = open_session(
            transaction, user_id=ada.id, kind="access", ip="", user_agent="", life=HOUR, absolute=HOUR
        )
        return SessionEnded(session_id=session.id, user_id=ada.id)

    ended = await storage.write(sign_in)

    disabled = await storage.write(partial(set_active, user_id=ada.id, is_active=False))

    assert heard == [ended, UserChanged(user_id=ada.id, is_active=False)]
    assert not disabled.is_active
    assert await storage.read(partial(list_sessions, user_id=ada.id)) == []
    assert await storage.write(partial(set_active, user_id=ada.id, is_active=True)) == ada


@pytest.mark.parametrize(
    ("change", "member", "value"),
    [
        (partial(set_admin, is_admin=True), "is_admin", True),
        (partial(set_tier, tier="TEAM"), "tier", "TEAM"),
        (partial(mark_verified, is_verified=False), "is_verified", False),
    ],
)
async def test_a_change_is_stored_and_told_once(
    storage: Storage, ada: User, heard: list[Event], change: Callable[..., User], member: str, value: object
) -> None:
    changed = await storage.write(partial(change, user_id=ada.id))
    await storage.write(partial(change, user_id=ada.id))

    assert getattr(await found(storage, ada), member) == getattr(changed, member) == value
    assert heard == [UserChanged(user_id=ada.id, is_active=True, is_admin=changed.is_admin)]


CHANGES: list[Callable[..., Any]] = [
    partial(update_user, username="other"),
    partial(set_active, is_active=False),
    partial(set_admin, is_admin=True),
    partial(set_tier, tier="TEAM"),
    partial(mark_verified),
    partial(set_password_hash, password_hash="a hash"),
    partial(note_terms),
]


@pytest.mark.parametrize("change", CHANGES)
async def test_the_system_person_stays_as_it_is(storage: Storage, change: Callable[..., Any]) -> None:
    with pytest.raises(Conflict, match="the server itself"):
        await storage.write(partial(change, user_id=SYSTEM_ID))


@pytest.mark.parametrize("change", CHANGES)
async def test_nobody_cannot_be_changed(storage: Storage, change: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        await storage.write(partial(change, user_id=new_id()))


# --- Signing in ----------------------------------------------------------------------------------------------------


async def test_a_password_is_set_and_taken_away(storage: Storage, ada: User) -> None:
    await storage.write(partial(set_password_hash, user_id=ada.id, password_hash="a hash"))
    assert await storage.read(partial(find_password_hash, user_id=ada.id)) == "a hash"

    await storage.write(partial(set_password_hash, user_id=ada.id, password_hash=None))
    assert await storage.read(partial(find_password_hash, user_id=ada.id)) is None


async def test_the_last_login_and_the_terms_are_remembered_with_their_time(
    storage: Storage, ada: User, clock: SetClock
) -> None:
    assert (ada.last_login, ada.terms_accepted_at) == (None, None)

    await storage.write(partial(note_terms, user_id=ada.id))
    clock.set(clock.now() + HOUR)
    await storage.write(partial(note_login, user_id=ada.id))

    there = await found(storage, ada)
    assert (there.terms_accepted_at, there.last_login) == (clock.now() - HOUR, clock.now())


async def test_an_account_elsewhere_is_one_persons_and_linked_once(storage: Storage, ada: User) -> None:
    other = await bea(storage)
    google: dict[str, Any] = {"issuer": "https://accounts.google.com", "subject": "1", "provider": "google"}

    login = await storage.write(partial(link_login, user_id=ada.id, **google))

    assert await storage.write(partial(link_login, user_id=ada.id, **google)) == login
    assert await storage.read(partial(find_login, issuer=login.issuer, subject="1")) == login
    assert await storage.read(partial(find_login, issuer="https://elsewhere.example", subject="1")) is None
    with pytest.raises(Conflict):
        await storage.write(partial(link_login, user_id=other.id, **google))


async def test_only_their_own_account_elsewhere_is_unlinked(storage: Storage, ada: User) -> None:
    other = await bea(storage)
    which: dict[str, Any] = {"issuer": "https://accounts.google.com", "subject": "1"}
    await storage.write(partial(link_login, user_id=ada.id, provider="google", **which))

    assert not await storage.write(partial(unlink_login, user_id=other.id, **which))
    assert await storage.write(partial(unlink_login, user_id=ada.id, **which))
    assert await storage.read(partial(list_logins, user_id=ada.id)) == []
