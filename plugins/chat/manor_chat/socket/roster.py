"""Who is connected, what they are in, and which connections hear an event: in memory, kept true by events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from manor_chat.events import Told
from manor_chat.ids import shown_id
from manor_chat.socket.lines import Line


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says of somebody who connects."""

    is_admin: bool
    channels: set[UUID]
    teams: set[UUID]


class Listener:
    """Somebody with at least one line.

    Args:
        user_id: Who.
        standing: What they are in.
    """

    __slots__ = ("channels", "is_admin", "lines", "shown_id", "teams", "user_id")

    def __init__(self, user_id: UUID, standing: Standing) -> None:
        self.user_id = user_id
        self.shown_id = shown_id(user_id)
        self.is_admin = standing.is_admin
        self.channels = standing.channels
        self.teams = standing.teams
        self.lines: set[Line] = set()


class Expected:
    """Somebody who is being read from the database: what has changed meanwhile, which the reader may not have seen.

    Args:
        user_id: Who.
        keys: The credential and the sign-in that they come with.
    """

    def __init__(self, user_id: UUID, keys: frozenset[UUID]) -> None:
        self.user_id = user_id
        self.keys = keys
        self.is_gone = False
        self.is_admin: bool | None = None
        self.channels: dict[UUID, bool] = {}
        self.teams: dict[UUID, bool] = {}

    def now(self, standing: Standing) -> Standing:
        """What was read, with what has changed since."""
        return Standing(
            is_admin=standing.is_admin if self.is_admin is None else self.is_admin,
            channels=_changed(standing.channels, self.channels),
            teams=_changed(standing.teams, self.teams),
        )


class Roster:
    """All lines, found by who hears what. Changed on the loop alone."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self._listeners: dict[UUID, Listener] = {}
        self._expected: dict[UUID, list[Expected]] = {}
        self._in_channel: dict[UUID, set[Line]] = {}
        self._in_team: dict[UUID, set[Line]] = {}
        self._by_key: dict[UUID, set[Line]] = {}
        self._of_admins: set[Line] = set()

    # --- Coming and going ------------------------------------------------------------------------------------------

    @contextmanager
    def expecting(self, user_id: UUID, *keys: UUID | None) -> Iterator[Expected]:
        """Note what changes about somebody while they are read: begun before the reading is."""
        expected = Expected(user_id, frozenset(key for key in keys if key is not None))
        there = self._expected.setdefault(user_id, [])
        there.append(expected)
        try:
            yield expected
        finally:
            there.remove(expected)
            if not there:
                del self._expected[user_id]

    def listener(self, user_id: UUID) -> Listener | None:
        """Somebody who is connected."""
        return self._listeners.get(user_id)

    def listener_for(self, expected: Expected, standing: Standing) -> Listener:
        """Who was expected; those who are connected already stay as they are known here."""
        known = self._listeners.get(expected.user_id)
        return known or Listener(expected.user_id, expected.now(standing))

    def add(self, line: Line) -> None:
        """Have a line hear from here on."""
        listener = line.listener
        self._listeners[listener.user_id] = listener
        listener.lines.add(line)
        self.lines[line.connection_id] = line
        for channel_id in listener.channels:
            self._in_channel.setdefault(channel_id, set()).add(line)
        for team_id in listener.teams:
            self._in_team.setdefault(team_id, set()).add(line)
        if listener.is_admin:
            self._of_admins.add(line)
        self.bind(line, line.session_id, line.credential_id)

    def bind(self, line: Line, session_id: UUID | None, credential_id: UUID | None) -> None:
        """Note by what sign-in and credential a line is carried now: it ends with them."""
        for key in (line.session_id, line.credential_id):
            if key is not None:
                _take_out(self._by_key, key, line)
        line.session_id, line.credential_id = session_id, credential_id
        for key in (session_id, credential_id):
            if key is not None:
                self._by_key.setdefault(key, set()).add(line)

    def discard(self, line: Line) -> bool:
        """Forget a line; False when it was forgotten before."""
        if self.lines.pop(line.connection_id, None) is None:
            return False
        listener = line.listener
        listener.lines.discard(line)
        if not listener.lines:
            del self._listeners[listener.user_id]
        for channel_id in listener.channels:
            _take_out(self._in_channel, channel_id, line)
        for team_id in listener.teams:
            _take_out(self._in_team, team_id, line)
        for key in (line.session_id, line.credential_id):
            if key is not None:
                _take_out(self._by_key, key, line)
        self._of_admins.discard(line)
        return True

    # --- What changes ----------------------------------------------------------------------------------------------

    def change_channel(self, channel_id: UUID, user_id: UUID, is_member: bool) -> None:
        """Somebody came into a channel or left it."""
        for expected in self._expected.get(user_id, ()):
            expected.channels[channel_id] = is_member
        listener = self._listeners.get(user_id)
        if listener is not None:
            _change(self._in_channel, listener.channels, channel_id, listener.lines, is_member)

    def change_team(self, team_id: UUID, user_id: UUID, is_member: bool) -> None:
        """Somebody came into a team or left it."""
        for expected in self._expected.get(user_id, ()):
            expected.teams[team_id] = is_member
        listener = self._listeners.get(user_id)
        if listener is not None:
            _change(self._in_team, listener.teams, team_id, listener.lines, is_member)

    def drop_team(self, team_id: UUID) -> None:
        """A team is gone."""
        for line in self._in_team.pop(team_id, ()):
            line.listener.teams.discard(team_id)
        for there in self._expected.values():
            for expected in there:
                expected.teams[team_id] = False

    def change_rights(self, user_id: UUID, is_admin: bool) -> None:
        """Somebody administers the server, or does so no more."""
        for expected in self._expected.get(user_id, ()):
            expected.is_admin = is_admin
        listener = self._listeners.get(user_id)
        if listener is not None:
            listener.is_admin = is_admin
            (self._of_admins.update if is_admin else self._of_admins.difference_update)(listener.lines)

    def leave(self, user_id: UUID) -> list[Line]:
        """Somebody lost their account: the lines that end with it."""
        for expected in self._expected.get(user_id, ()):
            expected.is_gone = True
        listener = self._listeners.get(user_id)
        return [] if listener is None else list(listener.lines)

    def revoke(self, key: UUID, user_id: UUID | None) -> list[Line]:
        """A sign-in or a credential opens nothing any more: the lines that end with it."""
        for there in self._expected.values() if user_id is None else (self._expected.get(user_id, ()),):
            for expected in there:
                expected.is_gone = expected.is_gone or key in expected.keys
        return list(self._by_key.get(key, ()))

    def forget(self) -> list[Line]:
        """Nothing that is known here holds any more: all lines end, and whoever is being read comes again."""
        for there in self._expected.values():
            for expected in there:
                expected.is_gone = True
        return list(self.lines.values())

    # --- Who hears -------------------------------------------------------------------------------------------------

    def hearing(self, told: Told) -> set[Line]:
        """The lines that hear an event, as things are now."""
        found = self._aimed_at(told)
        if not found:
            return set()
        found = set(found)
        for user_id in told.omit_users:
            omitted = self._listeners.get(user_id)
            if omitted is not None:
                found -= omitted.lines
        if told.audience == "admins":
            found &= self._of_admins
        elif told.audience == "others":
            found -= self._of_admins
        if told.omit_connection and (line := self.lines.get(told.omit_connection)) is not None:
            found.discard(line)
        return found

    def _aimed_at(self, told: Told) -> set[Line]:
        if told.user_id is not None:
            listener = self._listeners.get(told.user_id)
            return set() if listener is None else listener.lines
        if told.channel_id is not None:
            return self._in_channel.get(told.channel_id, set())
        if told.team_id is not None:
            return self._in_team.get(told.team_id, set())
        return set(self.lines.values())


def _changed(read: set[UUID], changes: dict[UUID, bool]) -> set[UUID]:
    gone = {each for each, is_member in changes.items() if not is_member}
    return (read - gone) | (changes.keys() - gone)


def _change(index: dict[UUID, set[Line]], places: set[UUID], place_id: UUID, lines: set[Line], is_member: bool) -> None:
    if is_member:
        places.add(place_id)
        index.setdefault(place_id, set()).update(lines)
    elif place_id in places:
        places.discard(place_id)
        for line in lines:
            _take_out(index, place_id, line)


def _take_out(index: dict[UUID, set[Line]], key: UUID, line: Line) -> None:
    lines = index.get(key)
    if lines is not None:
        lines.discard(line)
        if not lines:
            del index[key]
