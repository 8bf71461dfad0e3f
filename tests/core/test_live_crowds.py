"""Feeds whose sockets are elsewhere: told together, each once, and on their own again when they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import pytest
import trio

from manor.live import Channel, Entry, LiveService
from manor.live.crowds import MOST_UNSAID
from manor.live.ring import MOST_ENTRIES
from manor.routing import GOING_AWAY, TOO_SLOW, Closing, Outlet, Wire
from tests.core.live_fixtures import hall as hall
from tests.core.live_fixtures import live as live
from tests.core.live_plugs import Plug, Quiet, said, settled

REVOKED = Closing(4401, "revoked")


class Desk:
    """Stands in for a stream process: writes to plugs what their group is told, and answers when it is asked to.

    Attributes:
        is_free: Whether it takes plugs.
        said: What it was told, and whether more of it follows.
        left: Who has left, and whether he broke off.
    """

    def __init__(self) -> None:
        self.is_free = True
        self.said: list[tuple[bytes, bool]] = []
        self.left: list[tuple[Outlet, bool]] = []
        self.groups: dict[int, Callable[[], None]] = {}
        self.plugs: defaultdict[int, dict[Outlet, Callable[[], None]]] = defaultdict(dict)
        self._unanswered: list[int] = []

    def emptiest(self) -> Desk | None:
        return self if self.is_free else None

    def group(self, on_said: Callable[[], None]) -> int:
        number = len(self.groups)
        self.groups[number] = on_said
        return number

    def disband(self, group: int) -> None:
        assert not self.plugs[group]
        del self.groups[group]

    def say(self, group: int, data: bytes, *, goes_on: bool) -> None:
        self.said.append((data, goes_on))
        self._unanswered.append(group)
        for plug in self.plugs[group]:
            assert plug.send is not None
            assert plug.send(data) == len(data)

    def join(self, outlet: Outlet, group: int, on_too_slow: Callable[[], None]) -> bool:
        assert isinstance(outlet, Plug)
        self.plugs[group][outlet] = on_too_slow
        return True

    def leave(self, outlet: Outlet, *, breaks_off: bool) -> None:
        self.left.append((outlet, breaks_off))
        for plugs in self.plugs.values():
            plugs.pop(outlet, None)

    def answer(self) -> None:
        """Say that all is written that it was told until now."""
        unanswered, self._unanswered = self._unanswered, []
        for group in unanswered:
            self.groups[group]()

    @property
    def taken(self) -> int:
        return sum(map(len, self.plugs.values()))


@pytest.fixture
async def desk(live: LiveService) -> Desk:
    desk = Desk()
    live.use(desk)
    return desk


@pytest.fixture
async def listen(
    live: LiveService, hall: Channel, desk: Desk, nursery: trio.Nursery
) -> AsyncIterator[Callable[..., Plug]]:
    """Has a plug hear the hall; by the next turn of the loop it has moved, if it may."""
    made: list[Plug] = []

    def listen(wire: Wire = Wire.FRAME, *, ping: Callable[[], Entry] | None = None) -> Plug:
        made.append(Plug(wire))
        nursery.start_soon(made[-1].listen, live.feed([hall], ping=ping, ping_seconds=10.0))
        return made[-1]

    yield listen
    nursery.cancel_scope.cancel()
    for plug in made:
        plug.close()


Listen = Callable[..., Plug]


def words(first: int, last: int) -> list[str]:
    return [f"word {number}" for number in range(first, last + 1)]


def say(hall: Channel, first: int, last: int) -> None:
    for number in range(first, last + 1):
        hall.append(said(number, f"word {number}"))


async def test_a_process_is_told_once_for_all_who_hear_the_same_there(
    hall: Channel, desk: Desk, listen: Listen
) -> None:
    wires = (Wire.FRAME, Wire.SSE_CHUNK)
    plugs = [listen(wire) for wire in wires for _ in range(5)]
    await settled()
    say(hall, 1, 3)
    await settled()

    once = [(b"".join(said(number, f"word {number}").frame(wire) for number in (1, 2, 3)), False) for wire in wires]
    assert sorted(desk.said) == sorted(once)
    assert [await plug.heard() for plug in plugs[:5]] == [words(1, 3)] * 5
    assert [plug.writes for plug in plugs] == [[]] * 10


async def test_what_is_said_while_a_process_is_busy_is_told_as_one_when_it_is_not(
    hall: Channel, desk: Desk, listen: Listen
) -> None:
    plug = listen()
    await settled()
    for number in range(1, 8):
        say(hall, number, number)
        await settled()
    assert len(desk.said) == MOST_UNSAID

    desk.answer()
    assert len(desk.said) == MOST_UNSAID + 1
    assert await plug.heard() == words(1, 7)
    desk.answer()
    assert len(desk.said) == MOST_UNSAID + 1, "nothing new, nothing told"


async def test_what_the_ring_would_forget_is_told_to_a_busy_process_all_the_same(
    hall: Channel, desk: Desk, listen: Listen
) -> None:
    plug = listen()
    await settled()
    for first in range(1, 5 * MOST_ENTRIES, 100):
        say(hall, first, first + 99)
        await settled()
    desk.answer()
    assert hall.evicted > 0
    heard = await plug.heard()
    assert heard == words(1, len(heard))
    assert len(heard) >= 5 * MOST_ENTRIES - 1


async def test_who_comes_while_a_process_is_busy_has_everything_once(hall: Channel, desk: Desk, listen: Listen) -> None:
    first = listen()
    await settled()
    for number in range(1, 6):
        say(hall, number, number)
        await settled()
    second = listen()
    await settled()
    assert desk.taken == 2
    assert await first.heard() == words(1, 5), "it was told, so that both are at one place"
    say(hall, 6, 6)
    desk.answer()
    await settled()
    assert (await first.heard(), await second.heard()) == (words(1, 6), words(6, 6))


async def test_who_is_not_where_the_crowd_is_stays_until_he_is(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    there = listen()
    await settled()
    desk.is_free = False
    here = listen()
    await settled()
    for number in range(1, 4):
        say(hall, number, number)
        await settled()

    def meanwhile() -> None:
        """While `here` is given the fourth, the crowd is told the fifth as well."""
        here.on_send = lambda: None
        desk.is_free = True
        say(hall, 5, 5)
        desk.answer()

    here.on_send = meanwhile
    say(hall, 4, 4)
    await settled()
    say(hall, 6, 6)
    await settled()
    desk.answer()
    assert desk.taken == 2
    assert await here.heard() == await there.heard() == words(1, 6)


async def test_who_has_read_from_storage_what_the_ring_has_not_yet_hears_nothing_twice(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen, nursery: trio.Nursery
) -> None:
    async def replay(cursor: int) -> list[Entry]:
        return [said(number, f"word {number}") for number in range(cursor + 1, 8)]

    say(hall, 1, 5)
    there, ahead = listen(), Plug()
    await settled()
    nursery.start_soon(ahead.listen, live.feed([hall], replay=replay), 3)
    await settled()
    assert desk.taken == 1
    say(hall, 6, 8)
    await settled()
    assert (await there.heard(), await ahead.heard()) == (words(6, 8), words(4, 8))
    assert desk.taken == 2
    ahead.close()


async def test_who_cannot_move_now_is_told_here_and_moves_when_there_is_room(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    desk.is_free = False
    plug = listen()
    await settled()
    say(hall, 1, 2)
    await settled()
    assert desk.said == []
    assert await plug.heard() == words(1, 2)

    desk.is_free = True
    live.look_again()
    await settled()
    say(hall, 3, 3)
    await settled()
    assert len(desk.said) == 1
    assert await plug.heard() == words(1, 3)


async def test_those_who_hear_several_channels_or_in_words_of_their_own_stay(
    live: LiveService, hall: Channel, desk: Desk, nursery: trio.Nursery
) -> None:
    attic, plugs = live.channel("attic"), [Plug(), Plug()]
    nursery.start_soon(plugs[0].listen, live.feed([hall, attic]))
    nursery.start_soon(plugs[1].listen, live.feed([hall], voice=Quiet()))
    await settled()
    say(hall, 1, 1)
    await settled()
    assert (desk.taken, desk.said) == (0, [])
    assert [await plug.heard() for plug in plugs] == [["word 1"], ["WORD 1"]]
    nursery.cancel_scope.cancel()
    for plug in plugs:
        plug.close()


async def test_all_are_counted_wherever_they_are_and_leave_no_crowd_behind(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    plugs = [listen() for _ in range(3)]
    await settled()
    desk.is_free = False
    plugs.append(listen())
    await settled()
    assert (hall.outlets, live.connection_count("hall"), live.outlets) == (4, 4, 4)
    assert (len(hall.feeds), desk.taken) == (1, 3)

    assert hall.close(REVOKED, lambda outlet: outlet is not plugs[0]) == 3
    await settled()
    assert (hall.outlets, desk.taken) == (1, 1)
    live.close_where(lambda outlet: True, REVOKED)
    await settled()
    assert [plug.closing for plug in plugs] == [REVOKED] * 4
    assert (hall.crowds, desk.groups) == ({}, {})


async def test_who_is_ended_breaks_off_and_hears_nothing_that_was_not_told_yet(
    hall: Channel, desk: Desk, listen: Listen
) -> None:
    plug = listen()
    await settled()
    for number in range(1, 6):
        say(hall, number, number)
        await settled()
    hall.close(REVOKED)
    await settled()
    assert (plug.closing, desk.left) == (REVOKED, [(plug, True)])
    assert plug.writes == [b""], "it waits until all has left that was told before"
    assert await plug.heard() == words(1, MOST_UNSAID)


async def test_a_stopping_server_says_what_a_busy_process_was_not_told_yet(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    plugs = [listen(), listen()]
    await settled()
    for number in range(1, 6):
        say(hall, number, number)
        await settled()
    await live.shut_down()
    assert [plug.closing for plug in plugs] == [GOING_AWAY] * 2
    assert [breaks_off for _, breaks_off in desk.left] == [False] * 2
    assert [await plug.heard() for plug in plugs] == [words(1, 5)] * 2


async def test_who_is_too_slow_there_is_ended_and_counted_here(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    counted: list[None] = []
    live.on_too_slow = lambda: counted.append(None)
    slow, quick = listen(), listen()
    await settled()
    (plugs,) = desk.plugs.values()
    plugs[slow]()
    await settled()
    assert (slow.closing, quick.closing, len(counted)) == (TOO_SLOW, None, 1)


async def test_pings_reach_who_is_elsewhere_between_what_is_said(
    hall: Channel, desk: Desk, listen: Listen, autojump_clock: trio.testing.MockClock
) -> None:
    plug = listen(ping=lambda: said(0, "still here"))
    await settled()
    say(hall, 1, 1)
    await trio.sleep(10.5)
    say(hall, 2, 2)
    await settled()
    assert await plug.heard() == ["word 1", "still here", "ping", "word 2"]
    assert plug.writes == []


async def test_words_that_cannot_be_said_end_those_who_would_hear_them_and_nobody_else(
    live: LiveService, hall: Channel, desk: Desk, listen: Listen
) -> None:
    class Unsayable(Entry):
        def frame(self, wire: Wire) -> bytes:
            raise ValueError("a plugin's fault")

    ended: list[str] = []

    async def hear(plug: Plug) -> None:
        try:
            await plug.listen(live.feed([hall]))
        except ValueError as error:
            ended.append(str(error))

    async with trio.open_nursery() as nursery:
        plug = Plug()
        nursery.start_soon(hear, plug)
        await settled()
        assert desk.taken == 1
        hall.append(Unsayable(1, "message", b"{}"))
        await settled()
        assert ended == ["a plugin's fault"]
        plug.close()

    again = listen()
    await settled()
    say(hall, 2, 2)
    await settled()
    assert await again.heard() == words(2, 2)
