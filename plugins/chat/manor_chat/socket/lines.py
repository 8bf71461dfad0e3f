"""A line of numbered events to one client, whichever socket carries it at the moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import trio

from manor import Closing
from manor_chat.socket.frames import seal

if TYPE_CHECKING:
    from manor_chat.socket.roster import Listener

MOST_SENT = 128
"""Events that are kept after they were sent: a client that comes back asks for those it has missed."""

MOST_WAITING = 256
"""Events that may wait for a client that does not read, or that is away."""

MOST_BURST = 2048
"""Events that may wait for a client that reads all the time: a burst is not its fault."""

STUCK_SECONDS = 1.0
"""A client that has not taken one frame for so long does not read."""

MOST_BYTES = 4 * 1024 * 1024
"""Of what waits, and of what is kept, however few events it is."""


class Carrier(Protocol):
    """The socket that carries a line."""

    sending_since: float
    """When the frame that is on its way was begun; infinity when none is."""

    def end(self, closing: Closing) -> None:
        """Close the socket. Synchronous."""
        ...

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send frames without waiting; False, and nothing of them is sent, when something else is on its way."""
        ...

    def wake(self) -> None:
        """Send what waits. Synchronous."""
        ...


class Line:
    """What one connection id has been told, and what it is still to be told.

    Events are numbered from 0 as they are added, without gaps. What was taken to be sent is kept for a while, so that
    a client whose socket broke goes on where it was.

    Args:
        connection_id: What the client knows it by.
        listener: Whose it is.
        session_id: The sign-in that opened it.
        credential_id: The credential that opened it.
        until: When that lets nobody in any more.
        next_seq: The number of the next event.

    Attributes:
        carrier: The socket that carries it; None while its client is away.
        dropped_at: On the loop's clock, when its client went away.
    """

    __slots__ = (
        "_sent",
        "_sent_size",
        "_waiting",
        "_waiting_size",
        "carrier",
        "connection_id",
        "credential_id",
        "dropped_at",
        "listener",
        "next_seq",
        "session_id",
        "until",
    )

    def __init__(
        self,
        connection_id: str,
        listener: Listener,
        *,
        session_id: UUID | None = None,
        credential_id: UUID | None = None,
        until: datetime | None = None,
        next_seq: int = 0,
    ) -> None:
        self.connection_id = connection_id
        self.listener = listener
        self.session_id = session_id
        self.credential_id = credential_id
        self.until = until
        self.next_seq = next_seq
        self.carrier: Carrier | None = None
        self.dropped_at = 0.0
        self._waiting: deque[bytes] = deque()
        self._sent: deque[bytes] = deque()
        self._waiting_size = self._sent_size = 0

    # --- Adding ----------------------------------------------------------------------------------------------------

    def push(self, bodies: Sequence[bytes]) -> bool:
        """Add events, and send them together if that takes no waiting; False when so much waits already that the client
        has to begin anew.
        """
        if not self._waiting and self.carrier is not None:
            frames = [seal(body, seq) for seq, body in enumerate(bodies, self.next_seq)]
            if self.carrier.send_now(frames):
                self.next_seq += len(bodies)
                for body in bodies:
                    self._keep(body)
                return True
        return all(map(self._push_behind, bodies))

    def _push_behind(self, body: bytes) -> bool:
        waiting = self._waiting
        if waiting and (len(waiting) >= MOST_WAITING or self._waiting_size > MOST_BYTES) and self._is_hopeless():
            return False
        waiting.append(body)
        self._waiting_size += len(body)
        self.next_seq += 1
        if self.carrier is not None:
            self.carrier.wake()
        return True

    def _is_hopeless(self) -> bool:
        if self.carrier is None or len(self._waiting) >= MOST_BURST or self._waiting_size > MOST_BYTES:
            return True
        return trio.current_time() - self.carrier.sending_since >= STUCK_SECONDS

    # --- Sending ---------------------------------------------------------------------------------------------------

    @property
    def has_waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._waiting)

    def take(self) -> bytes:
        """The oldest event that waits, with its number; from here on it counts as sent."""
        body = self._waiting.popleft()
        self._waiting_size -= len(body)
        self._keep(body)
        return seal(body, self.next_seq - len(self._waiting) - 1)

    def _keep(self, body: bytes) -> None:
        sent = self._sent
        sent.append(body)
        self._sent_size += len(body)
        while len(sent) > MOST_SENT or self._sent_size > MOST_BYTES:
            self._sent_size -= len(sent.popleft())

    # --- Going on --------------------------------------------------------------------------------------------------

    @property
    def unsent_seq(self) -> int:
        """The number of the first event that was not sent yet."""
        return self.next_seq - len(self._waiting)

    def since(self, seq: int) -> Sequence[bytes] | None:
        """What was sent with this number and later, with their numbers, to be sent again; what waits comes after it.

        Returns:
            The frames, none when the client has all of them; None when the client asks for what is not kept any more,
            or for what it cannot know of.
        """
        unsent = self.unsent_seq
        first = unsent - len(self._sent)
        if not first <= seq <= unsent:
            return None
        return [seal(body, first + at) for at, body in islice(enumerate(self._sent), seq - first, None)]

    @property
    def held(self) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """What was sent and is kept, and what waits: for a server that is about to stop."""
        return tuple(self._sent), tuple(self._waiting)

    def hold(self, sent: Sequence[bytes], waiting: Sequence[bytes]) -> None:
        """Take up what another server's line had; `next_seq` counts all of it already."""
        self._sent = deque(sent)
        self._waiting = deque(waiting)
        self._sent_size = sum(map(len, sent))
        self._waiting_size = sum(map(len, waiting))
