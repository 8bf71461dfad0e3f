"""From a secret to a principal: what is kept in memory, and what empties it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor.auth import Principal
from manor.clock import SetClock
from manor.identity import (
    SYSTEM_ID,
    Credential,
    Identity,
    NewCredential,
    Session,
    User,
    UserChanged,
    delete_credential,
    end_session,
    issue,
    open_session,
    resolving,
    revoke,
)
from manor.identity.tables import users
from manor.storage import Storage, Transaction, Work, new_id

DAY = timedelta(days=1)


class CountingStorage:
    """A storage that counts reads, and can do something between a read and its answer."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.reads = 0
        self.meanwhile: list[Any] = []

    async def read(self, work: Work[Any]) -> Any:
        self.reads += 1
        found = await self._storage.read(work)
        while self.meanwhile:
            await self.meanwhile.pop()()
        return found

    async def write(self, work: Work[Any]) -> Any:
        return await self._storage.write(work)


@pytest.fixture
def counting(storage: Storage) -> CountingStorage:
    return CountingStorage(storage)


@pytest.fixture
def resolver(counting: CountingStorage, clock: SetClock, bus: Any) -> resolving.Resolver:
    resolver = resolving.Resolver(counting, clock)  # type: ignore[arg-type]  # it does what a storage does
    for subscription in resolver.subscriptions():
        bus.subscribe("identity", subscription)
    return resolver


async def issued(storage: Storage, user: User | None = None, secret: str = "s3cret", **fields: Any) -> Credential:
    new = NewCredential(kind="api_key", user_id=None if user is None else user.id, **fields)
    return await storage.write(lambda transaction: issue(transaction, new, secret))


async def signed_in(storage: Storage, user: User, life: timedelta = DAY) -> Session:
    return await storage.write(
        lambda t: open_session(
            t, user_id=user.id, kind="access", ip="", user_agent="", life=life, absolute=timedelta(days=3)
        )
    )


async def set_user(storage: Storage, user: User, **values: Any) -> None:
    def work(transaction: Transaction) -> None:
        transaction.connection.execute(users.update().where(users.c.id == user.id).values(values))
        transaction.emit(UserChanged(user_id=user.id, is_active=values.get("is_active", True)))

    await storage.write(work)


async def test_a_secret_stands_for_its_person_scopes_and_thing(identity: Identity, storage: Storage, ada: User) -> None:
    topic = new_id()
    credential = await issued(storage, ada, scopes=("publish", "keys"), resource=topic)

    assert await identity.authenticate("api_key", "s3cret") == Principal(
        kind="api_key",
        user_id=ada.id,
        credential_id=credential.id,
        scopes=frozenset({"publish", "keys"}),
        resource=topic,
    )


async def test_a_credential_may_stand_for_nobody(identity: Identity, storage: Storage) -> None:
    credential = await issued(storage)

    assert await identity.authenticate("api_key", "s3cret") == Principal("api_key", credential_id=credential.id)


@pytest.mark.parametrize("secret", ["", "s3cre", "s3cret\n", "\ud800", "x" * 1_000_000])
async def test_what_was_not_issued_stands_for_nobody(identity: Identity, storage: Storage, secret: str) -> None:
    await issued(storage)

    assert await identity.authenticate("api_key", secret) is None


async def test_another_kind_is_unknown_also_once_the_secret_is_in_memory(identity: Identity, storage: Storage) -> None:
    await issued(storage)
    assert await identity.authenticate("api_key", "s3cret") is not None

    assert await identity.authenticate("device", "s3cret") is None
    assert await identity.authenticate("api_key", "s3cret") is not None


async def test_a_known_secret_is_read_once(
    resolver: resolving.Resolver, counting: CountingStorage, storage: Storage, ada: User
) -> None:
    await issued(storage, ada)

    for _ in range(5):
        assert await resolver.by_secret("api_key", "s3cret") is not None

    assert counting.reads == 1


async def test_unknown_secrets_take_no_memory(resolver: resolving.Resolver, counting: CountingStorage) -> None:
    for number in range(50):
        assert await resolver.by_secret("api_key", str(number)) is None

    assert (len(resolver._known), len(resolver._keys), counting.reads) == (0, 0, 50)


async def test_memory_is_bounded_and_what_was_used_last_stays(
    resolver: resolving.Resolver,
    storage: Storage,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
    counting: CountingStorage,
) -> None:
    monkeypatch.setattr(resolving, "MOST_KNOWN", 3)
    for name in "abcd":
        await issued(storage, ada, name)
    for name in "abcad":
        await resolver.by_secret("api_key", name)

    assert len(resolver._known) == 3
    counting.reads = 0
    await resolver.by_secret("api_key", "a")
    assert counting.reads == 0
    await resolver.by_secret("api_key", "b")
    assert counting.reads == 1
    assert sum(len(keys) for keys in resolver._keys.values()) == 6


@pytest.mark.parametrize("end", [revoke, delete_credential])
async def test_a_revoked_secret_is_dead_when_the_call_returns(
    identity: Identity, storage: Storage, ada: User, end: Any
) -> None:
    credential = await issued(storage, ada)
    assert await identity.authenticate("api_key", "s3cret") is not None

    await storage.write(lambda transaction: end(transaction, credential.id))

    assert await identity.authenticate("api_key", "s3cret") is None


async def test_a_revocation_that_is_rolled_back_changes_nothing(
    resolver: resolving.Resolver, counting: CountingStorage, storage: Storage, ada: User
) -> None:
    credential = await issued(storage, ada)
    await resolver.by_secret("api_key", "s3cret")

    def work(transaction: Transaction) -> None:
        revoke(transaction, credential.id)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await storage.write(work)

    assert await resolver.by_secret("api_key", "s3cret") is not None
    assert counting.reads == 1


async def test_a_revocation_while_the_secret_is_read_is_not_missed(
    resolver: resolving.Resolver, counting: CountingStorage, storage: Storage, ada: User
) -> None:
    credential = await issued(storage, ada)

    async def revoke_it() -> None:
        await storage.write(lambda transaction: revoke(transaction, credential.id))

    counting.meanwhile.append(revoke_it)

    assert await resolver.by_secret("api_key", "s3cret") is None
    assert await resolver.by_secret("api_key", "s3cret") is None


async def test_a_secret_in_memory_expires_on_the_dot(
    identity: Identity, storage: Storage, ada: User, clock: SetClock
) -> None:
    await issued(storage, ada, expires_at=clock.now() + DAY)
    assert await identity.authenticate("api_key", "s3cret") is not None

    clock.set(clock.now() + DAY)

    assert await identity.authenticate("api_key", "s3cret") is None


async def test_a_clock_set_back_brings_an_expired_secret_back(
    identity: Identity, storage: Storage, ada: User, clock: SetClock
) -> None:
    await issued(storage, ada, expires_at=clock.now() + DAY)
    clock.set(clock.now() + 2 * DAY)
    assert await identity.authenticate("api_key", "s3cret") is None

    clock.set(clock.now() - 2 * DAY)

    assert await identity.authenticate("api_key", "s3cret") is not None


async def test_nobody_is_let_in_while_they_are_not_active(identity: Identity, storage: Storage, ada: User) -> None:
    await issued(storage, ada)
    session = await signed_in(storage, ada)
    assert await identity.authenticate("api_key", "s3cret") is not None
    assert await identity.session_principal(session.id) is not None

    await set_user(storage, ada, is_active=False)
    assert await identity.authenticate("api_key", "s3cret") is None
    assert await identity.session_principal(session.id) is None

    await set_user(storage, ada, is_active=True)
    assert await identity.authenticate("api_key", "s3cret") is not None


async def test_new_rights_hold_at_once(identity: Identity, storage: Storage, ada: User) -> None:
    await issued(storage, ada)
    before = await identity.authenticate("api_key", "s3cret")
    await set_user(storage, ada, is_admin=True)
    after = await identity.authenticate("api_key", "s3cret")

    assert before is not None
    assert after is not None
    assert (before.is_admin, after.is_admin) == (False, True)


async def test_the_system_person_is_never_let_in(identity: Identity, storage: Storage) -> None:
    new = NewCredential(kind="api_key", user_id=SYSTEM_ID)
    await storage.write(lambda transaction: issue(transaction, new, "s3cret"))

    assert await identity.authenticate("api_key", "s3cret") is None


@pytest.mark.parametrize(
    "new", [NewCredential(kind="api_key", user_id=UUID(int=1)), NewCredential(kind="api_key", session_id=UUID(int=1))]
)
async def test_a_credential_whose_person_or_session_is_gone_opens_nothing(
    identity: Identity, storage: Storage, new: NewCredential
) -> None:
    await storage.write(lambda t: issue(t, new, "s3cret"))

    assert await identity.authenticate("api_key", "s3cret") is None


async def test_a_session_stands_for_its_person(identity: Identity, storage: Storage, ada: User) -> None:
    session = await signed_in(storage, ada)

    assert await identity.session_principal(session.id, "access", ["*"]) == Principal(
        "access", user_id=ada.id, session_id=session.id, scopes=frozenset({"*"})
    )
    assert await identity.session_principal(UUID(int=1)) is None


async def test_an_ended_session_is_dead_with_its_credentials_when_the_call_returns(
    identity: Identity, storage: Storage, ada: User
) -> None:
    session = await signed_in(storage, ada)
    await issued(storage, ada, session_id=session.id)
    assert await identity.authenticate("api_key", "s3cret") is not None
    assert await identity.session_principal(session.id) is not None

    await storage.write(lambda transaction: end_session(transaction, session.id))

    assert await identity.authenticate("api_key", "s3cret") is None
    assert await identity.session_principal(session.id) is None


async def test_a_session_that_expired_takes_its_credentials_along(
    identity: Identity, storage: Storage, ada: User, clock: SetClock
) -> None:
    session = await signed_in(storage, ada)
    await issued(storage, ada, session_id=session.id)
    assert await identity.authenticate("api_key", "s3cret") is not None

    clock.set(clock.now() + DAY)

    assert await identity.authenticate("api_key", "s3cret") is None
    assert await identity.session_principal(session.id) is None


async def test_many_readers_of_one_secret_agree(identity: Identity, storage: Storage, ada: User) -> None:
    await issued(storage, ada)
    found: list[Principal | None] = []

    async def ask() -> None:
        found.append(await identity.authenticate("api_key", "s3cret"))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(ask)

    assert len(found) == 50
    assert len(set(found)) == 1
    assert found[0] is not None
