"""Coming in: who somebody is, and on which line they go on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec

from manor import Authenticator, Clock, Head, Presented, Principal, Transaction, Unauthorized
from manor_chat.ids import new_token
from manor_chat.socket.frames import hello
from manor_chat.socket.hub import ENDED, Hub
from manor_chat.socket.lines import Line
from manor_chat.socket.store import Entry, find_entry

_SEQ = re.compile(r"[0-9]{1,15}")

Read = Callable[[Callable[[Transaction], Entry | None]], Awaitable[Entry | None]]


class SocketQuery(msgspec.Struct, frozen=True):
    """What a client says that comes back.

    Args:
        connection_id: What it was told when it first came.
        sequence_number: The number of the event that it wants next.
        posted_ack: Whether it says which posts it has shown; that changes nothing here.
        disconnect_err_code: Why it lost its last socket; that changes nothing here.
    """

    connection_id: str = ""
    sequence_number: str = ""
    posted_ack: str = ""
    disconnect_err_code: str = ""

    @property
    def seq(self) -> int | None:
        """The number; None for what is none."""
        return int(self.sequence_number) if _SEQ.fullmatch(self.sequence_number) else None


class Entered(msgspec.Struct, frozen=True):
    """A line with a client, and what the client is sent again before it goes on."""

    line: Line
    again: Sequence[bytes] = ()


class Entrance:
    """Lets clients in.

    Args:
        hub: Where lines are.
        read: Reads a snapshot of the database; the storage's.
        clock: Says which credentials have ended.
        version: Says what clients are told of the server.
        authenticators: All credentials of chat's, the same that requests come with.
    """

    def __init__(
        self,
        hub: Hub,
        read: Read,
        clock: Clock,
        *,
        version: Callable[[], str],
        authenticators: Callable[[], Sequence[Authenticator]],
    ) -> None:
        self._hub = hub
        self._read = read
        self._clock = clock
        self._version = version
        self._authenticators = authenticators

    async def recognise(self, token: str, head: Head) -> Principal | None:
        """Who a token stands for; None when nobody knows it."""
        presented = Presented(token, head)
        for authenticator in self._authenticators():
            if authenticator.recognises(token):
                with suppress(Unauthorized):
                    principal = await authenticator.authenticate(presented)
                    if principal is not None:
                        return principal
        return None

    async def enter(self, principal: Principal, asked: SocketQuery) -> Entered | None:
        """Find the line that a client goes on with, or make one.

        Returns:
            None when the account, the sign-in or the credential ended meanwhile.
        """
        user_id = principal.user_id
        assert user_id is not None, "chat's credentials are somebody's"
        roster = self._hub.roster
        with roster.expecting(user_id, principal.session_id, principal.credential_id) as expected:
            entry = await self._read(partial(find_entry, principal=principal))
        # Nothing is waited for from here on: what changes now finds the line.
        if entry is None or expected.is_gone:
            return None
        known = self._resumable(user_id, asked)
        if known is not None:
            self._hub.resumed(known.line)
            roster.bind(known.line, principal.session_id, principal.credential_id)
            known.line.until = entry.until
            return known
        line = Line(
            new_token(),
            roster.listener_for(expected, entry.standing),
            session_id=principal.session_id,
            credential_id=principal.credential_id,
            until=entry.until,
        )
        roster.add(line)
        line.push([hello(self._version(), line.connection_id)])
        return Entered(line)

    def _resumable(self, user_id: UUID, asked: SocketQuery) -> Entered | None:
        line = self._hub.roster.lines.get(asked.connection_id)
        if line is None or line.listener.user_id != user_id or asked.seq is None:
            return None
        again = line.since(asked.seq)
        if again is None:
            if line.carrier is None:
                # Its client begins anew: nobody will ask for the rest.
                self._hub.end(line, ENDED)
            return None
        return Entered(line, again)

    async def look_again(self) -> None:
        """End the lines whose sign-in or credential has run out, unless use has made it last longer."""
        now = self._clock.now()
        for line in [each for each in self._hub.roster.lines.values() if _is_over(each.until, now)]:
            key = line.session_id, line.credential_id
            who = Principal("", user_id=line.listener.user_id, session_id=key[0], credential_id=key[1])
            entry = await self._read(partial(find_entry, principal=who))
            if (line.session_id, line.credential_id) != key:
                # Its client came back meanwhile, with another sign-in.
                continue
            if entry is None:
                self._hub.end(line, ENDED)
            else:
                line.until = entry.until


def _is_over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now
