"""Streams end when what opened them is revoked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import trio
import trio.testing

from manor.auth import Principal
from manor.identity import (
    Identity,
    NewCredential,
    User,
    UserChanged,
    UserErased,
    end_session,
    issue,
    open_session,
    revoke,
)
from manor.live import LiveService
from manor.routing import Closing, Wire
from manor.storage import Storage, Transaction, new_id


@dataclass
class Listener:
    """An outlet that says how it ended."""

    principals: tuple[Principal, ...]
    wire: Wire = Wire.SSE
    send: Callable[[bytes], int] | None = None
    closing: Closing | None = None
    over: trio.Event = field(default_factory=trio.Event)

    def control(self, data: bytes) -> None:
        raise AssertionError("nothing is controlled here")

    def gone(self) -> None:
        raise AssertionError("the pump says when it is over")

    async def listen(self, live: LiveService) -> None:
        source = live.feed([live.channel("door")])
        source.attach(self, None)
        try:
            self.closing = await source.pump(self, self._write)
        finally:
            source.detach(self)
            self.over.set()

    async def _write(self, data: bytes) -> None:
        raise AssertionError("nothing is said here")


@pytest.fixture
async def nursery_of_listeners(nursery: trio.Nursery, live: LiveService) -> trio.Nursery:
    await nursery.start(live.run)
    return nursery


async def listening(nursery: trio.Nursery, live: LiveService, *principals: Principal) -> Listener:
    listener = Listener(principals)
    nursery.start_soon(listener.listen, live)
    await trio.testing.wait_all_tasks_blocked()
    return listener


async def test_streams_of_a_revoked_credential_end_and_no_others(
    identity: Identity, storage: Storage, ada: User, live: LiveService, nursery_of_listeners: trio.Nursery
) -> None:
    credential = await storage.write(lambda t: issue(t, NewCredential(kind="api_key", user_id=ada.id), "s3cret"))
    theirs = Principal("api_key", user_id=ada.id, credential_id=credential.id)
    both = await listening(nursery_of_listeners, live, Principal("api_key", credential_id=new_id()), theirs)
    other = await listening(nursery_of_listeners, live, Principal("access", user_id=ada.id))

    await storage.write(lambda transaction: revoke(transaction, credential.id))

    await both.over.wait()
    assert both.closing == Closing(4401, "credential revoked")
    await trio.testing.wait_all_tasks_blocked()
    assert not other.over.is_set()


async def test_streams_of_an_ended_session_end(
    identity: Identity, storage: Storage, ada: User, live: LiveService, nursery_of_listeners: trio.Nursery
) -> None:
    session = await storage.write(
        lambda t: open_session(
            t, user_id=ada.id, kind="access", ip="", user_agent="", life=timedelta(1), absolute=timedelta(1)
        )
    )
    listener = await listening(nursery_of_listeners, live, Principal("access", session_id=session.id))

    await storage.write(lambda transaction: end_session(transaction, session.id))

    await listener.over.wait()
    assert listener.closing == Closing(4401, "credential revoked")


@pytest.mark.parametrize("is_erased", [True, False])
async def test_streams_of_somebody_who_left_end(
    identity: Identity,
    storage: Storage,
    ada: User,
    live: LiveService,
    nursery_of_listeners: trio.Nursery,
    is_erased: bool,
) -> None:
    listener = await listening(nursery_of_listeners, live, Principal("access", user_id=ada.id))
    event = UserErased(user_id=ada.id) if is_erased else UserChanged(user_id=ada.id, is_active=False)

    await storage.write(lambda transaction: transaction.emit(event))

    await listener.over.wait()
    assert listener.closing == Closing(4401, "credential revoked")


async def test_a_change_that_leaves_somebody_active_ends_no_stream(
    identity: Identity, storage: Storage, ada: User, live: LiveService, nursery_of_listeners: trio.Nursery
) -> None:
    listener = await listening(nursery_of_listeners, live, Principal("access", user_id=ada.id))

    await storage.write(lambda transaction: transaction.emit(UserChanged(user_id=ada.id, is_active=True)))

    await trio.testing.wait_all_tasks_blocked()
    assert not listener.over.is_set()


async def test_a_stream_that_was_admitted_before_and_attached_after_a_revocation_ends_too(
    identity: Identity,
    storage: Storage,
    ada: User,
    live: LiveService,
    nursery_of_listeners: trio.Nursery,
    autojump_clock: trio.abc.Clock,
) -> None:
    for task in identity.background_tasks():
        nursery_of_listeners.start_soon(task.run)
    credential = await storage.write(lambda t: issue(t, NewCredential(kind="api_key", user_id=ada.id), "s3cret"))
    principal = await identity.authenticate("api_key", "s3cret")
    assert principal is not None
    await storage.write(lambda transaction: revoke(transaction, credential.id))

    listener = await listening(nursery_of_listeners, live, principal)

    with trio.fail_after(6):
        await listener.over.wait()


async def test_whoever_is_enabled_again_listens_at_once(
    identity: Identity,
    storage: Storage,
    ada: User,
    live: LiveService,
    nursery_of_listeners: trio.Nursery,
    autojump_clock: trio.abc.Clock,
) -> None:
    for task in identity.background_tasks():
        nursery_of_listeners.start_soon(task.run)

    def work(transaction: Transaction) -> None:
        transaction.emit(UserChanged(user_id=ada.id, is_active=False))
        transaction.emit(UserChanged(user_id=ada.id, is_active=True))

    await storage.write(work)
    listener = await listening(nursery_of_listeners, live, Principal("access", user_id=ada.id))

    await trio.sleep(30)
    assert not listener.over.is_set()
