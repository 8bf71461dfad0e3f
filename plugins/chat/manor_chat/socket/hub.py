"""Events to lines: who hears is settled in the order of the commits, and handed out in turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import msgspec
import structlog
import trio

from manor import GOING_AWAY, Closing
from manor_chat.events import ChannelMemberChanged, Imported, Told
from manor_chat.socket.frames import Encoded
from manor_chat.socket.lines import Line
from manor_chat.socket.roster import Roster

AT_ONCE = 200
"""Lines that are given an event before others get a turn on the loop."""

MOST_JOINED = 32
"""Events that leave together at most, where so many wait."""

MOST_QUEUED = 10_000
"""Events that may wait to be handed out; with more, whoever tells the next one hands them out."""

RESUMABLE_SECONDS = 600.0
"""How long a line goes on collecting for a client that is away."""

MOST_AWAY_OF_ONE = 8
MOST_AWAY = 10_000
"""Lines that collect for clients that are away, of one person and in all; the oldest are given up."""

TOO_SLOW = Closing(1013, "too slow: begin anew")
ENDED = Closing(4401, "signed out")
REPLACED = Closing(4409, "resumed elsewhere")
RENEWED = Closing(1012, "much has changed: begin anew")

log = structlog.get_logger("manor.chat")


class MemberSeen(msgspec.Struct, frozen=True):
    """Of `identity.member_changed`."""

    team_id: UUID
    user_id: UUID
    is_member: bool


class TeamGone(msgspec.Struct, frozen=True):
    """Of `identity.team_deleted`."""

    team_id: UUID


class UserSeen(msgspec.Struct, frozen=True):
    """Of `identity.user_changed`."""

    user_id: UUID
    is_active: bool
    is_admin: bool


class UserGone(msgspec.Struct, frozen=True):
    """Of `identity.user_erased`."""

    user_id: UUID


class SessionSeen(msgspec.Struct, frozen=True):
    """Of `identity.session_ended`."""

    session_id: UUID
    user_id: UUID


class CredentialSeen(msgspec.Struct, frozen=True):
    """Of `identity.credential_revoked`."""

    credential_id: UUID
    user_id: UUID | None


Heard = (
    Told | ChannelMemberChanged | Imported | MemberSeen | TeamGone | UserSeen | UserGone | SessionSeen | CredentialSeen
)


class Hub:
    """All that the sockets hear. On the loop alone.

    Before `open` it only notes what happens, and tells it then: lines that go on from before the start miss nothing.

    Attributes:
        roster: Who is there.
    """

    def __init__(self) -> None:
        self.roster = Roster()
        self._early: list[Heard] | None = []
        self._queue: deque[_Handing] = deque()
        self._portion: deque[tuple[Line, Sequence[bytes]]] = deque()
        self._asleep: trio.Event | None = None
        self._away: dict[Line, None] = {}
        self._after_close: Callable[[], None] | None = None

    # --- Hearing ---------------------------------------------------------------------------------------------------

    def hear(self, event: Heard) -> None:
        """Take what happened, in commit order. Synchronous and quick: nothing is sent before the loop turns."""
        if self._early is not None:
            self._early.append(event)
            return
        match event:
            case Told():
                self.tell(event)
            case ChannelMemberChanged():
                self.roster.change_channel(event.channel_id, event.user_id, event.is_member)
            case MemberSeen():
                self.roster.change_team(event.team_id, event.user_id, event.is_member)
            case TeamGone():
                self.roster.drop_team(event.team_id)
            case UserSeen(is_active=True):
                self.roster.change_rights(event.user_id, event.is_admin)
            case UserSeen() | UserGone():
                self._end_all(self.roster.leave(event.user_id))
            case SessionSeen():
                self._end_all(self.roster.revoke(event.session_id, event.user_id))
            case Imported():
                # Nothing was told of who is in what now: memory knows nothing any more, and neither do clients.
                for line in self.roster.forget():
                    self.end(line, RENEWED)
            case CredentialSeen():
                self._end_all(self.roster.revoke(event.credential_id, event.user_id))

    def tell(self, told: Told) -> None:
        """Tell of something at once: also what no transaction makes true, as that somebody is typing."""
        lines = self.roster.hearing(told)
        if not lines:
            return
        if self._after_close is not None:
            self._after_close()
        self._queue.append(_Handing(told, tuple(lines)))
        if len(self._queue) > MOST_QUEUED:
            self._hand_out_all()
        elif self._asleep is not None:
            self._asleep.set()
            self._asleep = None

    def revoke(self, credential_id: UUID) -> None:
        """A credential opens nothing from now on, though it may again: its sockets end."""
        self._end_all(self.roster.revoke(credential_id, None))

    # --- Handing out -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hand out what was told, until cancelled; others get a turn after each `AT_ONCE` lines."""
        while True:
            if not (self._queue or self._portion):
                self._asleep = trio.Event()
                await self._asleep.wait()
            # One more turn: the answers of the commit that told it go out first.
            await trio.lowlevel.checkpoint()
            self._hand_out(AT_ONCE)

    def _hand_out_all(self) -> None:
        while self._queue or self._portion:
            self._hand_out(MOST_AWAY)

    def _hand_out(self, most: int) -> None:
        """Give the oldest events to so many lines."""
        for _ in range(most):
            if not self._portion:
                if not self._queue:
                    return
                self._portion = self._next_portion()
            line, bodies = self._portion.popleft()
            if not line.push(bodies):
                self._give_up(line)

    def _next_portion(self) -> deque[tuple[Line, Sequence[bytes]]]:
        """What is handed out next: to each line all that it hears of the oldest events, so that they leave together."""
        if len(self._queue) == 1:
            handing = self._queue.popleft()
            return deque((line, (handing.body_for(line),)) for line in handing.lines)
        heard: dict[Line, list[bytes]] = {}
        for _ in range(min(len(self._queue), MOST_JOINED)):
            handing = self._queue.popleft()
            for line in handing.lines:
                heard.setdefault(line, []).append(handing.body_for(line))
        return deque(heard.items())

    def _give_up(self, line: Line) -> None:
        if line.carrier is not None and line.connection_id in self.roster.lines:
            log.info("a socket is too slow", connection=line.connection_id[:6])
        self.end(line, TOO_SLOW)

    # --- Lines -----------------------------------------------------------------------------------------------------

    def end(self, line: Line, closing: Closing) -> None:
        """End a line: its socket is closed, and nobody goes on with it."""
        if not self.roster.discard(line):
            return
        self._away.pop(line, None)
        if line.carrier is not None:
            line.carrier.end(closing)

    def dropped(self, line: Line) -> None:
        """A line's socket is gone: it goes on collecting for a while, if it was not ended."""
        line.carrier = None
        if line.connection_id not in self.roster.lines:
            return
        line.dropped_at = trio.current_time()
        self._away[line] = None
        own = [each for each in line.listener.lines if each in self._away]
        if len(own) > MOST_AWAY_OF_ONE:
            self.end(min(own, key=lambda each: each.dropped_at), TOO_SLOW)
        if len(self._away) > MOST_AWAY:
            self.end(next(iter(self._away)), TOO_SLOW)

    def resumed(self, line: Line) -> None:
        """A client came back: a socket that still carries its line is closed."""
        self._away.pop(line, None)
        if line.carrier is not None:
            carrier, line.carrier = line.carrier, None
            carrier.end(REPLACED)

    def sweep(self) -> None:
        """Give up lines whose clients have been away for too long."""
        over = trio.current_time() - RESUMABLE_SECONDS
        for line in list(self._away):
            if line.dropped_at <= over:
                self.end(line, TOO_SLOW)

    def _end_all(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.end(line, ENDED)

    # --- From one server to the next -------------------------------------------------------------------------------

    def open(self, lines: Iterable[Line]) -> None:
        """Begin, with the lines that go on from before the start."""
        for line in sorted(lines, key=lambda each: each.dropped_at):
            self.roster.add(line)
            self._away[line] = None
        early, self._early = self._early or [], None
        for event in early:
            self.hear(event)

    def close(self, after: Callable[[], None]) -> list[Line]:
        """Close all sockets, and give the lines with all that they are to be told.

        Args:
            after: Called whenever one of these lines would have been told something later.
        """
        self._hand_out_all()
        lines = list(self.roster.lines.values())
        for line in lines:
            if line.carrier is not None:
                line.carrier.end(GOING_AWAY)
                self.dropped(line)
        self._after_close = after
        return [line for line in lines if line.connection_id in self.roster.lines]


class _Handing:
    """One event on its way to its lines: encoded once for all who hear the same."""

    __slots__ = ("_about", "_encoded", "_followers", "_mentions", "lines")

    def __init__(self, told: Told, lines: tuple[Line, ...]) -> None:
        self._encoded = Encoded(told)
        self.lines = lines
        self._mentions = frozenset(told.mentions)
        self._followers = frozenset(told.followers)
        self._about: dict[UUID, bytes] = {}

    def body_for(self, line: Line) -> bytes:
        if not self._mentions and not self._followers:
            return self._encoded.plain
        listener = line.listener
        is_mentioned, is_follower = listener.user_id in self._mentions, listener.user_id in self._followers
        if not is_mentioned and not is_follower:
            return self._encoded.plain
        body = self._about.get(listener.user_id)
        if body is None:
            body = self._encoded.about(listener.shown_id, is_mentioned=is_mentioned, is_follower=is_follower)
            self._about[listener.user_id] = body
        return body
