"""From a secret to who it stands for: a look into memory for most requests, a look into the database for the rest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
import trio
from sqlalchemy import bindparam, case, update

from manor.auth import Principal
from manor.clock import Clock
from manor.errors import Refused
from manor.events import Delivery, Subscription
from manor.identity.credential_tables import credentials
from manor.identity.credentials import Credential, digest, find_by_secret
from manor.identity.events import CredentialRevoked, SessionEnded, UserChanged, UserErased
from manor.identity.sessions import Session, find_session, touch_session
from manor.identity.users import User, find_user
from manor.storage import Storage, Time, Transaction

MOST_KNOWN = 10_000
"""Secrets and sessions kept in memory; the least recently used go first, and are read again."""

FLUSH_SECONDS = 60.0
"""Uses are counted in memory and written this often."""

MOST_USES = 10_000
"""With so many credentials and sessions counted, they are written sooner."""

BATCH = 200
"""Credentials and sessions written in one transaction, so that nobody waits for a large one."""

log = structlog.get_logger("manor.identity")

Tag = tuple[str, UUID]
Key = bytes | UUID


class Known(msgspec.Struct):
    """What stands behind a secret or a session: read once, good until an event says otherwise or its time is over.

    Args:
        opened: Who its secret stands for, once that was asked.
    """

    credential: Credential | None
    session: Session | None
    user: User | None
    opened: Principal | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it lets anybody in at this moment."""
        return (
            (self.credential is None or self.credential.is_usable(now))
            and (self.session is None or self.session.is_alive(now))
            and (self.user is None or (self.user.is_active and not self.user.is_system))
        )

    def tags(self) -> list[Tag]:
        """What events name when it is good no more."""
        rows = (("credential", self.credential), ("session", self.session), ("user", self.user))
        return [(what, row.id) for what, row in rows if row is not None]

    def principal(self, kind: str, scopes: Sequence[str]) -> Principal:
        """Who it stands for."""
        return Principal(
            kind=kind,
            user_id=None if self.user is None else self.user.id,
            credential_id=None if self.credential is None else self.credential.id,
            session_id=None if self.session is None else self.session.id,
            scopes=frozenset(scopes),
            is_admin=self.user is not None and self.user.is_admin,
            resource=None if self.credential is None else self.credential.resource,
        )


class Resolver:
    """Finds principals, keeps what it found, and counts what was used.

    Args:
        storage: Where it reads, and where `count_uses` writes.
        clock: Says what has expired.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._keys: dict[Tag, set[Key]] = {}
        # What was dropped while a read was under way, for each such read: it may have seen the state before.
        self._reads: list[set[Tag]] = []
        self._uses: dict[Tag, tuple[int, datetime]] = {}
        self._is_used = trio.Event()
        self._is_crowded = trio.Event()

    # --- Asking ----------------------------------------------------------------------------------------------------

    async def by_secret(self, kind: str, secret: str) -> Principal | None:
        """Who a secret of this kind stands for; None when it is unknown, of another kind, expired or revoked."""
        key = digest(secret)
        known = await self._find(key, lambda transaction: _by_secret(transaction, kind, secret))
        if known is None or known.credential is None or known.credential.kind != kind:
            return None
        return self._opened(known, known.credential, self._clock.now())

    def known_by_secret(self, kind: str, secret: str) -> Principal | None:
        """The same from memory alone; None also where only the database knows."""
        key = digest(secret)
        known = self._known.get(key)
        if known is None or known.credential is None or known.credential.kind != kind:
            return None
        now = self._clock.now()
        if not known.is_good(now):
            return None
        self._known.move_to_end(key)
        return self._opened(known, known.credential, now)

    def _opened(self, known: Known, credential: Credential, now: datetime) -> Principal:
        self._note(("credential", credential.id), now)
        if known.session is not None:
            self._note(("session", known.session.id), now)
        if known.opened is None:
            known.opened = known.principal(credential.kind, credential.scopes)
        return known.opened

    async def by_session(self, session_id: UUID, kind: str, scopes: Sequence[str]) -> Principal | None:
        """Who a session stands for; None when it is unknown, expired or ended."""
        known = await self._find(session_id, lambda transaction: _by_session(transaction, session_id))
        if known is None:
            return None
        self._note(("session", session_id), self._clock.now())
        return known.principal(kind, scopes)

    async def _find(self, key: Key, look_up: Callable[[Transaction], Known | None]) -> Known | None:
        known = self._known.get(key)
        if known is not None:
            if known.is_good(self._clock.now()):
                self._known.move_to_end(key)
                return known
            # Its session may have been used since it was read, or the clock was set: the database knows.
            self._forget(key)
        while True:
            dropped: set[Tag] = set()
            self._reads.append(dropped)
            try:
                known = await self._storage.read(look_up)
            finally:
                # By identity: an empty set equals every other one.
                self._reads = [read for read in self._reads if read is not dropped]
            if known is None or dropped.isdisjoint(known.tags()):
                break
        if known is None or not known.is_good(self._clock.now()):
            return None
        self._remember(key, known)
        return known

    # --- Remembering -----------------------------------------------------------------------------------------------

    def _remember(self, key: Key, known: Known) -> None:
        self._forget(key)
        self._known[key] = known
        for tag in known.tags():
            self._keys.setdefault(tag, set()).add(key)
        while len(self._known) > MOST_KNOWN:
            self._forget(next(iter(self._known)))

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        for tag in known.tags() if known is not None else ():
            keys = self._keys[tag]
            keys.discard(key)
            if not keys:
                del self._keys[tag]

    def drop(self, tag: Tag) -> None:
        """Forget all that has to do with a credential, session or person: they changed."""
        for dropped in self._reads:
            dropped.add(tag)
        for key in list(self._keys.get(tag, ())):
            self._forget(key)

    def subscriptions(self) -> list[Subscription[Any]]:
        """What makes it forget. INLINE: a revoked secret opens nothing once the revoking call has returned."""
        return [
            Subscription(CredentialRevoked.name, CredentialRevoked, self._revoked, delivery=Delivery.INLINE),
            Subscription(SessionEnded.name, SessionEnded, self._ended, delivery=Delivery.INLINE),
            Subscription(UserChanged.name, UserChanged, self._changed, delivery=Delivery.INLINE),
            Subscription(UserErased.name, UserErased, self._erased, delivery=Delivery.INLINE),
        ]

    def _revoked(self, event: CredentialRevoked) -> None:
        self.drop(("credential", event.credential_id))

    def _ended(self, event: SessionEnded) -> None:
        self.drop(("session", event.session_id))

    def _changed(self, event: UserChanged) -> None:
        self.drop(("user", event.user_id))

    def _erased(self, event: UserErased) -> None:
        self.drop(("user", event.user_id))

    # --- Counting --------------------------------------------------------------------------------------------------

    def _note(self, tag: Tag, now: datetime) -> None:
        used = self._uses.get(tag)
        if used is not None:
            self._uses[tag] = used[0] + 1, now
            return
        self._uses[tag] = 1, now
        self._is_used.set()
        if len(self._uses) >= MOST_USES:
            self._is_crowded.set()

    async def count_uses(self) -> None:
        """Write down what was used, a minute after it was; runs until cancelled, and writes the rest then."""
        try:
            while True:
                await self._is_used.wait()
                with trio.move_on_after(FLUSH_SECONDS):
                    await self._is_crowded.wait()
                await self.flush()
        finally:
            with trio.move_on_after(2, shield=True):
                await self.flush()

    async def flush(self) -> None:
        """Write down what was used since the last time."""
        uses, self._uses = self._uses, {}
        self._is_used, self._is_crowded = trio.Event(), trio.Event()
        if not uses:
            return
        used = list(uses.items())
        try:
            for start in range(0, len(used), BATCH):
                batch = dict(used[start : start + BATCH])
                await self._storage.write(partial(_write_uses, uses=batch))
        except Refused as refused:
            # A full disk, most likely. These counts are lost: the house has other worries.
            log.warning("the use of credentials could not be written down", reason=str(refused))


def _by_secret(transaction: Transaction, kind: str, secret: str) -> Known | None:
    credential = find_by_secret(transaction, secret, kind=kind)
    if credential is None:
        return None
    session = None if credential.session_id is None else find_session(transaction, credential.session_id)
    user = None if credential.user_id is None else find_user(transaction, user_id=credential.user_id)
    if (credential.session_id is not None and session is None) or (credential.user_id is not None and user is None):
        return None
    return Known(credential, session, user)


def _by_session(transaction: Transaction, session_id: UUID) -> Known | None:
    session = find_session(transaction, session_id)
    user = None if session is None else find_user(transaction, user_id=session.user_id)
    return None if user is None else Known(None, session, user)


def _write_uses(transaction: Transaction, uses: dict[Tag, tuple[int, datetime]]) -> None:
    """Write counts and times. Sessions last longer for it: memory finds out when what it knows of them is over."""
    counted = [
        {"used_id": id_, "used_count": count, "used_at": last_used_at}
        for (what, id_), (count, last_used_at) in uses.items()
        if what == "credential"
    ]
    if counted:
        used_at = bindparam("used_at", type_=Time)
        is_newer = credentials.c.last_used_at.is_(None) | (credentials.c.last_used_at < used_at)
        statement = (
            update(credentials)
            .where(credentials.c.id == bindparam("used_id"))
            .values(
                use_count=credentials.c.use_count + bindparam("used_count"),
                last_used_at=case((is_newer, used_at), else_=credentials.c.last_used_at),
            )
        )
        transaction.connection.execute(statement, counted)
    for what, id_ in uses:
        if what == "session":
            touch_session(transaction, id_)
