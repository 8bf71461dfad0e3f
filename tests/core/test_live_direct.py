"""Direct delivery: real sockets that the service writes to itself, and what happens when they are full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import trio
import trio.testing

from manor.live import Channel, Entry, Feed, LiveService
from manor.live.delivery import AT_ONCE
from manor.live.pieces import MOST_JOINED
from manor.live.ring import MOST_ENTRIES
from manor.routing import GOING_AWAY, TOO_SLOW, Closing, Wire
from tests.core.live_fixtures import hall as hall
from tests.core.live_fixtures import live as live
from tests.core.live_plugs import Plug, Quiet, said, settled

REVOKED = Closing(4401, "revoked")


@pytest.fixture
async def plugs() -> AsyncIterator[Callable[..., Plug]]:
    made: list[Plug] = []

    def plug(wire: Wire = Wire.FRAME, *, buffer: int = 0) -> Plug:
        made.append(Plug(wire, buffer=buffer))
        return made[-1]

    yield plug
    for each in made:
        each.close()


Plugs = Callable[..., Plug]


async def opened(nursery: trio.Nursery, plug: Plug, feed: Feed, cursor: int | None = None) -> Plug:
    await nursery.start(plug.listen, feed, cursor)
    await settled()
    return plug


# --- What is said once for all -------------------------------------------------------------------------------------


async def test_everybody_at_one_place_is_sent_the_same_bytes_and_no_pump_is_woken(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    crowd = [await opened(nursery, plugs(), live.feed([hall])) for _ in range(5)]
    for position, word in enumerate(("one", "two", "three"), start=1):
        hall.append(said(position, word))
    await settled()

    assert [len(plug.sends) for plug in crowd] == [1] * 5
    assert len({id(plug.sends[0]) for plug in crowd}) == 1
    assert [plug.writes for plug in crowd] == [[]] * 5
    assert await crowd[0].heard() == await crowd[4].heard() == ["one", "two", "three"]


async def test_a_piece_is_joined_once_for_each_wire_and_for_whoever_is_at_the_same_place(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    hall.append(said(5, "zero"))
    crowd = [
        await opened(nursery, plugs(wire), live.feed([hall]), cursor)
        for wire in (Wire.FRAME, Wire.SSE_CHUNK)
        for cursor in (None, 5, 7)
    ]
    hall.append(said(8, "one"))
    hall.append(said(9, "two"))
    await settled()

    assert [len({id(plug.sends[0]) for plug in some}) for some in (crowd[:3], crowd[3:])] == [1, 1]
    assert await crowd[0].heard() == ["one", "two"]
    assert await crowd[5].read() == said(8, "one").frame(Wire.SSE_CHUNK) + said(9, "two").frame(Wire.SSE_CHUNK)


async def test_a_voice_says_once_what_all_who_hear_it_are_sent_and_who_leaves_something_out_has_its_own(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    voice, choosy = Quiet(), Quiet("one", "silence")
    loud = [await opened(nursery, plugs(), live.feed([hall], voice=voice)) for _ in range(3)]
    picky = await opened(nursery, plugs(), live.feed([hall], voice=choosy))
    hall.append(said(1, "one"))
    hall.append(said(2, "two"))
    await settled()
    hall.append(said(3, "silence"))
    await settled()

    assert voice.said + choosy.said == 3
    assert len({id(plug.sends[0]) for plug in loud}) == 1
    assert await loud[2].heard() == ["ONE", "TWO", "SILENCE"]
    assert (await picky.heard(), len(picky.sends), picky.writes) == (["TWO"], 1, [])


async def test_a_plugin_that_breaks_ends_its_own_subscriber_only(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    class Broken(Quiet):
        def say(self, entry: Entry, *, is_websocket: bool) -> bytes:
            raise ZeroDivisionError

    def ping() -> Entry:
        raise ZeroDivisionError

    good = await opened(nursery, plugs(), live.feed([hall]))
    with pytest.RaisesGroup(ZeroDivisionError):
        async with trio.open_nursery() as inner:
            await opened(inner, plugs(), live.feed([hall], voice=Broken()))
            hall.append(said(1, "a"))
    with pytest.RaisesGroup(ZeroDivisionError):
        async with trio.open_nursery() as inner:
            await opened(inner, plugs(), live.feed([hall], ping=ping, ping_seconds=5))
            await trio.sleep(10)
    hall.append(said(2, "b"))

    assert await good.heard() == ["a", "b"]


async def test_many_channels_are_sent_merged_and_once(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    attic = live.channel("attic")
    both = await opened(nursery, plugs(), live.feed([hall, attic, live.channel("cellar")]))
    other = await opened(nursery, plugs(), live.feed([attic, live.channel("cellar")]))
    for channel, position in ((hall, 1), (attic, 2), (hall, 5), (attic, 4), (hall, 6)):
        channel.append(said(position, str(position)))
    await settled()
    attic.append(said(7, "7"))
    await settled()

    assert (await both.heard(), len(both.sends), both.writes) == (["1", "2", "4", "5", "6", "7"], 2, [])
    assert await other.heard() == ["2", "4", "7"]
    assert both.sends[1] is other.sends[1]


@pytest.mark.parametrize("channels", [1, 2])
async def test_what_is_long_leaves_in_several_sends(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs, channels: int
) -> None:
    heard = [hall, live.channel("attic")][:channels]
    plug = await opened(nursery, plugs(buffer=1 << 20), live.feed(heard))
    words = [f"{position} {'x' * 20_000}" for position in range(1, 9)] + ["x" * (MOST_JOINED + 1), "end"]
    for position, word in enumerate(words, start=1):
        heard[position % channels].append(said(position, word))
    await settled()

    assert [len(data) // 20_000 for data in plug.sends] == [3, 3, 2, 3, 0]
    assert plug.writes == []
    assert await plug.heard() == words


# --- Sockets that are full -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
async def test_a_reader_that_stops_and_goes_on_misses_nothing_and_is_sent_to_again(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs, channels: int
) -> None:
    heard = [hall, live.channel("attic")][:channels]
    good = await opened(nursery, plugs(), live.feed(heard))
    slow = await opened(nursery, plugs(buffer=4096), live.feed(heard))
    words = [f"{position} {'x' * 1500}" for position in range(1, 201)]
    for position, word in enumerate(words, start=1):
        heard[position % channels].append(said(position, word))
        if position % 3 == 0:
            await good.read()
    assert await good.heard() == words
    assert (len(slow.writes), good.writes) == (1, [])

    assert await slow.heard() == words
    assert len(slow.writes[0]) not in {len(data) for data in slow.sends}  # it was in the middle of a piece
    pumped = len(slow.writes)
    hall.append(said(201, "once more"))

    assert (await slow.heard())[-1] == "once more"
    assert len(slow.writes) == pumped
    assert slow.closing is good.closing is None


async def test_who_falls_behind_the_ring_is_closed_as_too_slow_after_a_whole_frame(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    closed: list[None] = []
    live.on_too_slow = lambda: closed.append(None)
    good = await opened(nursery, plugs(), live.feed([hall]))
    slow = await opened(nursery, plugs(buffer=4096), live.feed([hall]))
    words = [f"{position} {'x' * 3000}" for position in range(1, MOST_ENTRIES + 20)]
    for position, word in enumerate(words, start=1):
        hall.append(said(position, word))
        await good.read()
    taken = await slow.heard()

    assert (slow.closing, good.closing, len(closed)) == (TOO_SLOW, None, 1)
    assert 0 < len(taken) < 5
    assert taken == words[: len(taken)]
    assert await good.heard() == words


async def test_a_ping_goes_between_frames_and_wakes_no_pump_that_has_nothing_to_write(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    def ping() -> Entry:
        return said(0, "sign of life")

    idle = await opened(nursery, plugs(), live.feed([hall], ping=ping, ping_seconds=25))
    full = await opened(nursery, plugs(buffer=4096), live.feed([hall], ping=ping, ping_seconds=25))
    both = await opened(
        nursery, plugs(), live.feed([hall, live.channel("attic")], voice=Quiet(), ping=ping, ping_seconds=25)
    )
    mute = await opened(nursery, plugs(), live.feed([hall], voice=Quiet("sign of life"), ping=ping, ping_seconds=25))
    hall.append(said(1, "a" * 100_000))
    await trio.sleep(24)
    hall.append(said(2, "b"))
    await trio.sleep(2)

    pinged = ["sign of life", "ping"]
    assert await idle.heard() == ["a" * 100_000, "b", *pinged]
    assert await both.heard() == ["A" * 100_000, "B", "SIGN OF LIFE", "ping"]
    assert await mute.heard() == ["A" * 100_000, "B", "ping"]
    assert idle.writes == both.writes == mute.writes == []
    assert await full.heard() == ["a" * 100_000, "b", *pinged]


async def test_a_client_that_vanishes_is_its_pumps_to_notice(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    good, gone = await opened(nursery, plugs(), live.feed([hall])), plugs()
    with pytest.RaisesGroup(trio.BrokenResourceError):
        async with trio.open_nursery() as inner:
            await opened(inner, gone, live.feed([hall]))
            gone.hang_up()
            hall.append(said(1, "a"))
    hall.append(said(2, "b"))

    assert await good.heard() == ["a", "b"]
    assert (len(gone.sends), live.outlets) == (1, 1)


# --- The end -------------------------------------------------------------------------------------------------------


async def test_one_that_waits_is_ended_at_once_and_hears_no_more(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    ended, stays = [await opened(nursery, plugs(), live.feed([hall])) for _ in range(2)]
    hall.append(said(1, "a"))
    hall.close(REVOKED, lambda outlet: outlet is ended)

    assert (await ended.heard(), ended.closing) == ([], REVOKED)
    assert (await stays.heard(), stays.closing) == (["a"], None)


@pytest.mark.parametrize(
    ("closing", "heard"), [(REVOKED, ["a" * 9000]), (GOING_AWAY, ["a" * 9000, "b", "c"])], ids=["cut", "stopping"]
)
async def test_one_that_is_full_ends_after_its_frame_or_after_all_when_the_server_stops(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs, closing: Closing, heard: Sequence[str]
) -> None:
    plug = await opened(nursery, plugs(buffer=4096), live.feed([hall]))
    # Ended between the send and the pump's next turn.
    plug.on_send = lambda: hall.close(closing)
    hall.append(said(1, "a" * 9000))
    hall.append(said(2, "b"))
    hall.append(said(3, "c"))

    assert await plug.heard() == heard
    assert plug.closing == closing
    assert len(plug.sends) == 1


async def test_one_whose_socket_took_nothing_is_cut_without_a_frame(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    plug = plugs()

    def full(data: bytes) -> int:
        hall.close(REVOKED)
        return 0

    plug.send = full
    await opened(nursery, plug, live.feed([hall]))
    hall.append(said(1, "a"))
    await settled()

    assert (plug.closing, plug.writes) == (REVOKED, [])


async def test_a_client_that_never_reads_on_is_cut_in_its_frame(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    plug = await opened(nursery, plugs(buffer=4096), live.feed([hall]))
    hall.append(said(1, "a" * 9000))
    await trio.sleep(1)
    hall.close(REVOKED)
    await trio.sleep(3)

    assert plug.closing == REVOKED
    assert len(await plug.read()) < 9000


# --- Many, and those who come and go meanwhile ----------------------------------------------------------------------


async def test_what_a_commit_answers_is_written_before_anybody_is_told(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    plug = await opened(nursery, plugs(), live.feed([hall]))
    order: list[str] = []
    plug.on_send = lambda: order.append("told")

    async def answer(committed: trio.Event) -> None:
        await committed.wait()
        order.append("answered")

    for position in range(1, 21):  # trio shuffles tasks that wake together
        nursery.start_soon(answer, committed := trio.Event())
        await settled()
        hall.append(said(position, "a"))
        committed.set()
        await settled()

    assert order == ["answered", "told"] * 20


async def test_others_get_their_turn_between_two_hundred_outlets(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    crowd = [plugs() for _ in range(1000)]
    for plug in crowd:
        await nursery.start(plug.listen, live.feed([hall]))
    await settled()
    steps: list[int] = []

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            steps.append(0)

    def count() -> None:
        steps[-1] += 1

    for plug in crowd:
        plug.on_send = count
    trio.lowlevel.add_instrument(instrument := Steps())
    hall.append(said(1, "a"))
    await settled()
    trio.lowlevel.remove_instrument(instrument)

    assert [count for count in steps if count] == [AT_ONCE] * 5


async def test_who_comes_or_speaks_during_a_fan_out_is_heard_in_order_and_nobody_twice(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    attic = live.channel("attic")
    crowd = [await opened(nursery, plugs(), live.feed([hall])) for _ in range(AT_ONCE + 50)]
    # In a voice of their own, so that their piece is made when the first of them has his turn.
    two = [hall, attic]
    crowd += [await opened(nursery, plugs(), live.feed(two, voice=Quiet())) for _ in range(AT_ONCE + 50)]
    late: list[Plug] = []
    sent = 0

    def come_and_speak() -> None:
        nonlocal sent
        sent += 1
        if sent == 100:
            late.append(plugs())
            feed = live.feed(two)
            feed.attach(late[0], None)
            nursery.start_soon(late[0].pump, feed)
            attic.append(said(2, "during"))
        if sent in (220, 400):
            hall.append(said(sent, "and later"))

    for plug in crowd:
        plug.on_send = come_and_speak
    hall.append(said(1, "first"))
    await settled()

    later = ["and later"] * 2
    assert [await plug.heard() for plug in crowd[: AT_ONCE + 50]] == [["first", *later]] * (AT_ONCE + 50)
    shouted = ["FIRST", "DURING", *(word.upper() for word in later)]
    assert [await plug.heard() for plug in crowd[AT_ONCE + 50 :]] == [shouted] * (AT_ONCE + 50)
    assert await late[0].heard() == ["during", *later]


@pytest.mark.parametrize("channels", [1, 2])
async def test_who_leaves_during_a_fan_out_is_not_written_to_afterwards(
    live: LiveService, hall: Channel, plugs: Plugs, channels: int
) -> None:
    heard = [hall, live.channel("attic")][:channels]
    crowd = [plugs() for _ in range(3 * AT_ONCE)]
    async with trio.open_nursery() as inner:
        for plug in crowd:
            await inner.start(plug.listen, live.feed(heard))
        await settled()
        for plug in crowd:
            plug.on_send = inner.cancel_scope.cancel
        hall.append(said(1, "a"))

    assert sum(len(plug.sends) for plug in crowd) == 1
    assert (hall.outlets, live.outlets) == (0, 0)


async def test_who_is_detached_during_a_turn_is_not_written_to_in_it(
    live: LiveService, hall: Channel, nursery: trio.Nursery, plugs: Plugs
) -> None:
    feeds = [live.feed([hall]) for _ in range(2)]
    crowd = [await opened(nursery, plugs(), feed) for feed in feeds]
    crowd[0].on_send = lambda: feeds[1].detach(crowd[1])
    crowd[1].on_send = lambda: feeds[0].detach(crowd[0])
    hall.append(said(1, "a"))
    await settled()

    assert sum(len(plug.sends) for plug in crowd) == 1
