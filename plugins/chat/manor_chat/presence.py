"""Who is there now: statuses in memory, by the rules of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from manor import Clock
from manor_chat.times import to_milliseconds

ONLINE, AWAY, DND, OFFLINE, OUT_OF_OFFICE = "online", "away", "dnd", "offline", "ooo"

AWAY_AFTER = 5 * 60_000
"""Milliseconds after which somebody who was active without any socket is not there any more."""


class Status(msgspec.Struct, frozen=True):
    """How somebody is there.

    Args:
        status: `online`, `away`, `dnd`, `offline` or `ooo`.
        manual: Whether they chose it themselves: then nothing that they do changes it.
        last_activity_at: In milliseconds.
        dnd_end_time: When `dnd` is over, in seconds; 0 for never.
        prev_status: What they were before `dnd`.
    """

    status: str = OFFLINE
    manual: bool = False
    last_activity_at: int = 0
    dnd_end_time: int = 0
    prev_status: str = ""


UNKNOWN = Status()


def nobody_is_told(user_id: UUID, status: Status) -> None:
    """While nobody listens."""


class Presence:
    """Statuses: asked by those who write posts, on whatever thread; changed on the loop alone.

    Args:
        clock: The wall clock.

    Attributes:
        on_change: Told of everybody whose status becomes another.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_change: Callable[[UUID, Status], None] = nobody_is_told
        self._clock = clock
        self._statuses: dict[UUID, Status] = {}
        self._unwritten: dict[UUID, None] = {}
        # Of everybody with a socket: each socket, and whether its client says that somebody is there.
        self._sockets: dict[UUID, dict[object, bool]] = {}
        self._timed: dict[UUID, int] = {}
        self._without_socket: dict[UUID, None] = {}

    # --- Asking ----------------------------------------------------------------------------------------------------

    def is_online(self, user_id: UUID) -> bool:
        """Whether somebody is there. From any thread: a status is replaced, never changed."""
        return self._statuses.get(user_id, UNKNOWN).status == ONLINE

    def status_of(self, user_id: UUID) -> Status:
        """How somebody is there; offline for whoever is not known."""
        if user_id in self._timed:
            self._end_dnd(user_id)
        return self._statuses.get(user_id, UNKNOWN)

    # --- What people do --------------------------------------------------------------------------------------------

    def connect(self, user_id: UUID, socket: object) -> None:
        """Somebody opened a socket."""
        self._sockets.setdefault(user_id, {})[socket] = True
        self.note_activity(user_id)

    def disconnect(self, user_id: UUID, socket: object) -> None:
        """A socket is gone: without any they are offline, and away when nobody is at the others."""
        sockets = self._sockets.get(user_id)
        if sockets is None or sockets.pop(socket, None) is None:
            return
        if not sockets:
            del self._sockets[user_id]
            self._become(user_id, OFFLINE, touched=False)
        elif not any(sockets.values()):
            self._become(user_id, AWAY, touched=False)

    def note_activity(self, user_id: UUID) -> None:
        """Somebody did something: they are online unless they chose to be something else."""
        self._become(user_id, ONLINE)

    def say_active(self, user_id: UUID, socket: object, is_active: bool, *, manual: bool) -> None:
        """A client says whether somebody is at it: they are away once they are at none of their clients."""
        sockets = self._sockets.get(user_id, {})
        if socket in sockets:
            sockets[socket] = is_active
        if is_active:
            self._become(user_id, ONLINE, manual=manual)
        elif manual or not any(sockets.values()):
            self._become(user_id, AWAY, manual=manual, touched=False)

    def choose(self, user_id: UUID, status: str, *, dnd_end_time: int = 0) -> Status:
        """Somebody says themselves how they are there; `online` leaves it to what they do from now on.

        Args:
            user_id: Who.
            status: One of the five.
            dnd_end_time: In seconds: when `dnd` is over, 0 for never.
        """
        if status != DND:
            self._become(user_id, status, manual=True)
            return self._statuses[user_id]
        known = self.status_of(user_id)
        before = known.prev_status if known.status == DND else known.status
        changed = Status(DND, True, self._now(), dnd_end_time, before)
        self._put(user_id, changed)
        return changed

    def forget(self, user_id: UUID) -> None:
        """Somebody's account is gone."""
        for memory in (self._statuses, self._unwritten, self._sockets, self._timed, self._without_socket):
            memory.pop(user_id, None)

    def sweep(self) -> None:
        """See whose `dnd` is over, and who was only here for a moment."""
        for user_id in list(self._timed):
            self._end_dnd(user_id)
        over = self._now() - AWAY_AFTER
        for user_id in list(self._without_socket):
            if self._statuses.get(user_id, UNKNOWN).last_activity_at <= over:
                self._become(user_id, OFFLINE, touched=False)

    # --- Keeping ---------------------------------------------------------------------------------------------------

    def load(self, statuses: dict[UUID, Status]) -> None:
        """Know what was kept. Nobody is connected yet: whoever did not choose to be something is offline."""
        for user_id, kept in statuses.items():
            is_over = not kept.manual and kept.status != OFFLINE
            status = msgspec.structs.replace(kept, status=OFFLINE) if is_over else kept
            if is_over:
                self._unwritten[user_id] = None
            self._statuses[user_id] = status
            self._index(user_id, status)

    def take_unwritten(self, most: int) -> Sequence[tuple[UUID, Status]]:
        """Statuses that are not on the disk as they are now; they count as written from here on."""
        some = list(self._unwritten)[:most]
        for user_id in some:
            del self._unwritten[user_id]
        return [(user_id, self._statuses[user_id]) for user_id in some]

    # --- The rules -------------------------------------------------------------------------------------------------

    def _become(self, user_id: UUID, status: str, *, manual: bool = False, touched: bool = True) -> None:
        known = self.status_of(user_id)
        if known.manual and not manual:
            return
        last = self._now() if touched or not known.last_activity_at else known.last_activity_at
        # Nobody chooses to be online: they choose that it is seen when they are.
        self._put(user_id, Status(status, manual and status != ONLINE, last))

    def _end_dnd(self, user_id: UUID) -> None:
        if self._timed[user_id] * 1000 > self._now():
            return
        known = self._statuses[user_id]
        is_back = user_id in self._sockets
        after = known.prev_status if is_back and known.prev_status in (ONLINE, AWAY) else ONLINE if is_back else OFFLINE
        self._put(user_id, Status(after, False, known.last_activity_at))

    def _put(self, user_id: UUID, status: Status) -> None:
        known = self._statuses.get(user_id, UNKNOWN)
        self._statuses[user_id] = status
        self._index(user_id, status)
        if status != known:
            self._unwritten[user_id] = None
        if status.status != known.status:
            self.on_change(user_id, status)

    def _index(self, user_id: UUID, status: Status) -> None:
        if status.dnd_end_time:
            self._timed[user_id] = status.dnd_end_time
        else:
            self._timed.pop(user_id, None)
        if status.status in (ONLINE, AWAY) and not status.manual and user_id not in self._sockets:
            self._without_socket[user_id] = None
        else:
            self._without_socket.pop(user_id, None)

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())
