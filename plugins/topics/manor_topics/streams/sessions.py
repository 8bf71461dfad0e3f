"""Sessions of streams: a secret in a URL that resumes where its client was, however often it is opened."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from uuid import UUID
from weakref import ref

import trio

from manor import (
    Presented,
    Principal,
    Refused,
    Transaction,
    Unauthorized,
    find_credential,
    find_session,
    find_user,
    new_secret,
)
from manor_topics.live import Rejected
from manor_topics.parts import Shared
from manor_topics.streams import session_store
from manor_topics.streams.choosing import Chosen, choose
from manor_topics.streams.merging import Start, begin, position_in
from manor_topics.streams.session_store import Session
from manor_topics.streams.session_tables import sessions
from manor_topics.streams.watching import Watched

STREAM_SESSION = "sse_session"
PREFIX = "sse_"
LONGEST = 256
"""No secret is longer; what is, is not looked for."""

DOUBTED_PINGS = 2
"""What was written within so many pings before a connection ended may not have arrived."""

BATCH = 500
"""Sessions that one transaction keeps or removes."""


def looks_like_session(secret: str) -> bool:
    """Whether a secret may be a stream session's."""
    return secret.startswith(PREFIX) and len(secret) <= LONGEST


@dataclass(frozen=True, slots=True)
class Made:
    """A new session: its secret, the topics that it hears, and those that it does not."""

    secret: str
    topics: Sequence[str]
    rejected: Sequence[Rejected]
    seconds: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A session that is opened: what it hears, and from where."""

    id: UUID
    chosen: Chosen
    start: Start
    came_from: int | None


class Connection:
    """One open stream of a session, and where it stood at the last pings.

    Args:
        session_id: Of which.
        came_from: The position that its client was sure to have when it connected; None for that of the beginning.
    """

    __slots__ = ("_came_from", "_places", "_stream", "session_id")

    def __init__(self, session_id: UUID, came_from: int | None) -> None:
        self.session_id = session_id
        self._came_from = came_from
        self._places: deque[int] = deque(maxlen=DOUBTED_PINGS + 1)
        self._stream: ref[Watched] | None = None

    def is_heard_over(self, stream: Watched) -> None:
        """It has a stream from here on; that does not live for it, as it lives for the stream."""
        self._stream = ref(stream)

    def note_place(self) -> None:
        """Remember where it stands; once for each ping."""
        stream = None if self._stream is None else self._stream()
        if stream is not None and stream.is_heard:
            self._places.append(stream.position)

    @property
    def sure(self) -> int | None:
        """The position up to which its client has everything, unless it has been dead for longer than we can tell."""
        return self._places[0] if len(self._places) > DOUBTED_PINGS else self._came_from


class Sessions:
    """Makes stream sessions, opens them, and keeps those that are open.

    A session that is open is kept from ending by a task, so it survives a crash by nearly as long as a disconnect.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._storage = shared.context.storage
        self._open: defaultdict[UUID, set[Connection]] = defaultdict(set)

    async def make(self, references: Sequence[str], since: Mapping[str, UUID], principals: Sequence[Principal]) -> Made:
        """Make a session for a person.

        Args:
            references: Topics, by name or id.
            since: The last message that the client had, for some of them.
            principals: Who asks; the first that has a person is whose session it is, and whose rights count.

        Raises:
            Refused: None of the topics is there and may be read.
        """
        owner = next(principal for principal in principals if principal.user_id is not None)
        chosen = await choose(self._shared, references, [owner])
        had = {chosen.named[reference].id: id_ for reference, id_ in since.items() if reference in chosen.named}
        secret, config = new_secret(PREFIX), self._shared.config

        def work(transaction: Transaction) -> None:
            connection, now = transaction.connection, transaction.now
            start = begin(connection, [topic.id for topic in chosen.topics], had, most=config.replay_max, now=now)
            until = now + timedelta(seconds=config.session_seconds)
            session_store.add(connection, secret, owner, start, now=now, until=until)

        await self._storage.write(work)
        return Made(secret, [topic.name for topic in chosen.topics], chosen.rejected, config.session_seconds)

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who a session's secret stands for: whoever made it, as long as what they made it with is good."""
        return await self._storage.read(lambda transaction: _principal(transaction, presented.secret))

    async def resume(self, principal: Principal, principals: Sequence[Principal], last: UUID | None) -> Resumed:
        """Open a session.

        Args:
            principal: The session's own.
            principals: All credentials of the request; what one of them may hear is heard.
            last: The last message that the client had; it counts for more than what the session remembers.

        Raises:
            Unauthorized: It is over by now.
            Refused: None of its topics is left that may be read.
        """
        config = self._shared.config
        assert principal.resource is not None, "a session's principal names it"
        id_ = principal.resource

        def work(transaction: Transaction) -> tuple[Start, int | None]:
            connection, now = transaction.connection, transaction.now
            session = session_store.find(connection, id_, now)
            if session is None:
                raise Unauthorized("This stream session is unknown or over")
            session_store.keep(connection, {id_: None}, now + timedelta(seconds=config.session_seconds))
            start = session.start if session.position is None else session.start.not_before(session.position)
            if last is None:
                return start, session.position
            place = position_in(connection, start.places, last, now=now)
            if place is None:
                return start.with_gap(), session.position
            return session.start.behind(place), place

        start, came_from = await self._storage.write(work)
        chosen = await choose(self._shared, map(str, start.places), principals)
        return Resumed(id_, chosen, start, came_from)

    # --- Open ones -------------------------------------------------------------------------------------------------

    def connected(self, resumed: Resumed) -> Connection:
        """A stream is about to be opened; to be followed by `left`, whatever becomes of it."""
        connection = Connection(resumed.id, resumed.came_from)
        self._open[resumed.id].add(connection)
        return connection

    def left(self, connection: Connection) -> None:
        """A stream is over: its session stays for a while, and stands where its client was for sure."""
        id_ = connection.session_id
        positions = {id_: self._sure(id_)}
        self._open[id_].discard(connection)
        if not self._open[id_]:
            del self._open[id_]
        try:
            self._storage.submit(partial(self._keep, positions=positions))
        except Refused:
            # The storage is closed or drowned. The session ends sooner, and repeats more.
            return

    def _sure(self, id_: UUID) -> int | None:
        """The position up to which all that hear it have everything."""
        places = [connection.sure for connection in self._open[id_]]
        return None if None in places else min((place for place in places if place is not None), default=None)

    def _keep(self, transaction: Transaction, positions: Mapping[UUID, int | None]) -> None:
        until = transaction.now + timedelta(seconds=self._shared.config.session_seconds)
        session_store.keep(transaction.connection, positions, until)

    async def run(self) -> None:
        """Keep open sessions, and remove those that are over; runs until cancelled."""
        while True:
            await trio.sleep(self._shared.config.ping_seconds)
            await self.keep_open()
            await self.remove_expired()

    async def keep_open(self) -> None:
        """Note where open sessions stand; once for each ping."""
        for connections in self._open.values():
            for connection in connections:
                connection.note_place()
        ids = iter(list(self._open))
        while some := list(islice(ids, BATCH)):
            # Those that have gone since were kept as they went.
            positions = {id_: self._sure(id_) for id_ in some if id_ in self._open}
            await self._storage.write(partial(self._keep, positions=positions))

    async def remove_expired(self) -> None:
        """Remove sessions that are over."""
        while await self._storage.read(session_store.has_expired):
            await self._storage.write(
                lambda transaction: session_store.remove(
                    transaction.connection, sessions.c.expires_at <= transaction.now, BATCH
                )
            )


def _principal(transaction: Transaction, secret: str) -> Principal | None:
    session = session_store.find_by_secret(transaction.connection, secret, transaction.now)
    user = None if session is None else find_user(transaction, user_id=session.user_id)
    if session is None or user is None or not user.is_active or not _is_founded(transaction, session):
        return None
    return Principal(
        STREAM_SESSION,
        user_id=user.id,
        credential_id=session.credential_id,
        session_id=session.session_id,
        scopes=frozenset({"subscribe"}),
        is_admin=user.is_admin,
        resource=session.id,
    )


def _is_founded(transaction: Transaction, session: Session) -> bool:
    """Whether what it was made with is still good: then whatever ends that, ends the streams, too."""
    if session.session_id is not None:
        sign_in = find_session(transaction, session.session_id)
        if sign_in is None or not sign_in.is_alive(transaction.now):
            return False
    if session.credential_id is not None:
        key = find_credential(transaction, session.credential_id)
        if key is None or not key.is_usable(transaction.now):
            return False
    return True
