"""Fan-out: who hears what, in which order, and what happens to those who cannot keep up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import trio
import trio.testing

from manor.auth import Principal
from manor.live import Channel, Entry, Feed, LiveService, service
from manor.live.feed import CUT_AFTER
from manor.live.ring import MOST_BYTES, MOST_ENTRIES
from manor.live.service import LEAVING_AT_ONCE, SHUTDOWN_GRACE, TOLD_WITHIN
from manor.routing import GOING_AWAY, TOO_SLOW, Closing, Wire
from tests.core.live_fixtures import hall as hall
from tests.core.live_fixtures import live as live

REVOKED = Closing(4401, "revoked")


@dataclass
class Listener:
    """An outlet that keeps what it is written, and can stop reading."""

    wire: Wire = Wire.SSE
    principals: tuple[Principal, ...] = ()
    send: Callable[[bytes], int] | None = None
    writes: list[bytes] = field(default_factory=list)
    closing: Closing | None = None
    reads: trio.Event = field(default_factory=trio.Event)
    is_stubborn: bool = False
    is_gone: bool = False

    def __post_init__(self) -> None:
        self.reads.set()

    def control(self, data: bytes) -> None:
        raise AssertionError("nothing is controlled here")

    def gone(self) -> None:
        self.is_gone = True
        self.reads.set()

    async def write(self, data: bytes) -> None:
        with trio.CancelScope(shield=self.is_stubborn):
            await self.reads.wait()
        self.writes.append(data)

    def stop_reading(self) -> None:
        self.reads = trio.Event()

    @property
    def heard(self) -> str:
        """The letters that entries of this file carry, in the order of arrival."""
        return b"".join(self.writes).decode()

    async def listen(
        self,
        feed: Feed,
        cursor: int | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        feed.attach(self, cursor)
        task_status.started()
        try:
            self.closing = await feed.pump(self, self.write)
        finally:
            feed.detach(self)


class Said(Entry):
    """An entry whose frame is its text, on every wire."""

    __slots__ = ("text",)

    def __init__(self, position: int, text: str, size: int = 1) -> None:
        super().__init__(position, "message", b"x" * size)
        self.text = text

    def frame(self, wire: Wire) -> bytes:
        return self.text.encode()


settled = trio.testing.wait_all_tasks_blocked


async def test_everyone_hears_what_is_said_after_they_came(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    early, late = Listener(), Listener()
    await nursery.start(early.listen, live.feed([hall]))
    hall.append(Said(1, "a"))
    await nursery.start(late.listen, live.feed([hall]))
    hall.append(Said(2, "b"))
    await settled()

    assert (early.heard, late.heard) == ("ab", "b")


async def test_entries_of_one_commit_leave_in_one_write(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall]))
    await settled()
    for position, letter in enumerate("abc", start=1):
        hall.append(Said(position, letter))
    await settled()

    assert listener.writes == [b"abc"]


async def test_a_websocket_gets_one_frame_a_write(live: LiveService, hall: Channel, nursery: trio.Nursery) -> None:
    listener = Listener(wire=Wire.TEXT)
    await nursery.start(listener.listen, live.feed([hall]))
    hall.append(Said(1, "a"))
    hall.append(Said(2, "b"))
    await settled()

    assert listener.writes == [b"a", b"b"]


async def test_a_large_write_is_split_between_entries(live: LiveService, hall: Channel, nursery: trio.Nursery) -> None:
    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall]))
    await settled()
    for position in (1, 2, 3):
        hall.append(Said(position, "x" * 30_000))
    await settled()

    assert [len(data) for data in listener.writes] == [60_000, 30_000]


async def test_the_greeting_comes_before_the_replay_and_the_replay_before_the_rest(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    stored = [Said(position, letter) for position, letter in enumerate("abcde", start=1)]

    async def replay(after: int) -> Sequence[Entry]:
        page = [entry for entry in stored if entry.position > after][:2]
        if after == 1 and len(stored) == 5:  # said and stored while the replay is on its way
            stored.append(Said(6, "f"))
            hall.append(stored[-1])
        return page

    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall], greeting=[Said(0, "<")], replay=replay), 1)
    await settled()
    hall.append(Said(7, "g"))
    await settled()

    assert listener.heard == "<bcdefg"


async def test_a_replay_longer_than_the_ring_has_neither_gap_nor_duplicate(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    stored: list[Said] = [Said(position, f"{position} ") for position in range(1, 11)]

    def say() -> None:
        stored.append(Said(len(stored) + 1, f"{len(stored) + 1} "))
        hall.append(stored[-1])

    async def replay(after: int) -> Sequence[Entry]:
        page = [entry for entry in stored if entry.position > after][:100]
        if not page and len(stored) < 2 * MOST_ENTRIES:
            for _ in range(3):  # said during the read, and more than the ring holds
                for _ in range(150):
                    say()
                await settled(0.001)
        return page

    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall], replay=replay), 0)
    await settled(0.01)
    say()
    await settled()

    assert hall.evicted > 10
    assert listener.heard.split() == [str(number) for number in range(1, len(stored) + 1)]
    assert listener.closing is None


async def test_a_replay_ends_where_what_was_said_meanwhile_is_deleted_again(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    async def replay(after: int) -> Sequence[Entry]:
        return ()

    keeper, listener = Listener(), Listener()
    await nursery.start(keeper.listen, live.feed([hall]))
    for position in range(1, 2 * MOST_ENTRIES):
        hall.append(Said(position, "x"))
        await settled()
    await nursery.start(listener.listen, live.feed([hall], replay=replay), 5)
    await settled()
    hall.append(Said(2 * MOST_ENTRIES, "y"))
    await settled()

    assert listener.heard == "y"


async def test_many_channels_come_merged_by_position(live: LiveService, nursery: trio.Nursery) -> None:
    hall, attic = live.channel("hall"), live.channel("attic")
    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall, attic]))
    await settled()
    listener.stop_reading()
    hall.append(Said(1, "a"))
    await settled()
    attic.append(Said(2, "b"))
    hall.append(Said(3, "c"))
    hall.append(Said(5, "e"))
    attic.append(Said(4, "d"))
    listener.reads.set()
    await settled()

    assert listener.heard == "abcde"


async def test_who_stops_reading_is_closed_as_too_slow_and_the_others_are_not(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    good, stuck = Listener(), Listener()
    await nursery.start(good.listen, live.feed([hall]))
    await nursery.start(stuck.listen, live.feed([hall]))
    stuck.stop_reading()
    for position in range(1, MOST_ENTRIES + 3):
        hall.append(Said(position, "x"))
        await settled()
    assert stuck.writes == []
    stuck.reads.set()
    await settled()

    assert stuck.closing == TOO_SLOW
    assert good.heard == "x" * (MOST_ENTRIES + 2)
    assert good.closing is None


async def test_a_write_that_hangs_is_cut(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    stuck = Listener()
    await nursery.start(stuck.listen, live.feed([hall]))
    stuck.stop_reading()
    for position in range(1, MOST_ENTRIES + 3):
        hall.append(Said(position, "x"))
        await trio.sleep(0.001)
    await trio.sleep(6)

    assert stuck.closing == TOO_SLOW
    assert stuck.writes == []


async def test_a_door_whose_write_cannot_be_cancelled_is_told_to_drop_its_connection(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    stuck, slow = Listener(is_stubborn=True), Listener(is_stubborn=True)
    await nursery.start(stuck.listen, live.feed([hall]))
    await nursery.start(slow.listen, live.feed([hall]))
    stuck.stop_reading()
    slow.stop_reading()
    for position in range(1, MOST_ENTRIES + 3):
        hall.append(Said(position, "x"))
        await trio.sleep(0.001)
    slow.reads.set()
    await trio.sleep(CUT_AFTER - 0.1)
    assert not stuck.is_gone
    await trio.sleep(0.2)

    assert (stuck.is_gone, stuck.closing, live.outlets) == (True, TOO_SLOW, 0)
    assert (slow.is_gone, slow.closing) == (False, TOO_SLOW)


async def test_a_door_is_told_so_too_when_the_end_came_before_the_first_write(
    live: LiveService, hall: Channel, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    stuck = Listener(is_stubborn=True)
    stuck.stop_reading()
    feed = live.feed([hall], greeting=[Said(0, "g")])
    feed.attach(stuck, None)
    hall.close(REVOKED)
    nursery.start_soon(feed.pump, stuck, stuck.write)
    await trio.sleep(CUT_AFTER + 1)

    assert stuck.is_gone
    feed.detach(stuck)


async def test_a_shutdown_ends_a_few_at_a_time_and_waits_for_nobody_who_does_not_read(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    listeners = [Listener() for _ in range(1000)]
    for listener in listeners:
        await nursery.start(listener.listen, live.feed([hall]))
    listeners[0].stop_reading()
    hall.append(Said(1, "a"))
    await trio.sleep(0.1)
    left: list[int] = []

    class Turns(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            left.append(live.outlets)

    trio.lowlevel.add_instrument(turns := Turns())
    began = trio.current_time()
    await live.shut_down(grace=3)
    trio.lowlevel.remove_instrument(turns)

    assert max(before - after for before, after in pairwise(left)) <= LEAVING_AT_ONCE
    assert trio.current_time() - began < 3.2
    assert {listener.closing for listener in listeners} == {GOING_AWAY}


async def test_a_shutdown_tells_everybody_soon_though_many_do_not_read(
    autojump_clock: trio.testing.MockClock,
    live: LiveService,
    hall: Channel,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "LEAVING_AT_ONCE", 1)
    stuck = [Listener() for _ in range(100)]
    for listener in stuck:
        await nursery.start(listener.listen, live.feed([hall]))
        listener.stop_reading()
    hall.append(Said(1, "x"))
    await trio.testing.wait_all_tasks_blocked()
    start = trio.current_time()
    await live.shut_down()

    assert trio.current_time() - start <= TOLD_WITHIN + SHUTDOWN_GRACE + 0.01
    assert {listener.closing for listener in stuck} == {GOING_AWAY}


async def test_one_large_batch_closes_nobody_who_kept_up(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    listener = Listener(wire=Wire.TEXT)
    await nursery.start(listener.listen, live.feed([hall]))
    await settled()
    for position in range(1, 3 * MOST_ENTRIES):
        hall.append(Said(position, "x", size=MOST_BYTES // 8))
    await settled()

    assert len(listener.heard) == 3 * MOST_ENTRIES - 1
    assert listener.closing is None


@pytest.mark.parametrize(("size", "kept"), [(1, MOST_ENTRIES), (MOST_BYTES // 4, 4), (2 * MOST_BYTES, 0)])
def test_a_ring_is_bounded_in_entries_and_in_bytes(size: int, kept: int) -> None:
    hall = Channel("hall", lambda channel: None)
    for position in range(1, 301):
        hall.append(Said(position, "x", size=size))
    hall.trim()
    assert len(hall.after(0)) == 300  # just said: not one outlet has seen it
    hall.trim()

    assert len(hall.after(0)) == kept
    assert hall.evicted == 300 - kept
    assert hall.newest == 300


async def test_closing_a_channel_ends_those_that_are_meant(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    ann, bob = Listener(principals=(Principal("key"),)), Listener()
    await nursery.start(ann.listen, live.feed([hall]))
    await nursery.start(bob.listen, live.feed([hall]))
    await settled()
    hall.append(Said(1, "a"))
    assert hall.close(REVOKED, lambda outlet: outlet.principals != ()) == 1
    await settled()

    assert (ann.closing, ann.heard) == (REVOKED, "")
    assert (bob.closing, bob.heard) == (None, "a")
    assert hall.outlets == live.connection_count("hall") == 1


async def test_a_revocation_finds_outlets_on_every_channel(live: LiveService, nursery: trio.Nursery) -> None:
    ann, bob = Listener(principals=(Principal("key"),)), Listener()
    await nursery.start(ann.listen, live.feed([live.channel("hall")]))
    await nursery.start(bob.listen, live.feed([live.channel("attic")]))
    live.close_where(lambda outlet: Principal("key") in outlet.principals, REVOKED)
    await settled()

    assert (ann.closing, bob.closing) == (REVOKED, None)


async def test_a_shutdown_says_what_is_waiting_then_ends_everyone(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    listeners = [Listener() for _ in range(450)]
    for listener in listeners:
        await nursery.start(listener.listen, live.feed([hall]))
    await settled()
    hall.append(Said(1, "a"))
    await live.shut_down()

    assert {listener.heard for listener in listeners} == {"a"}
    assert {listener.closing for listener in listeners} == {GOING_AWAY}
    assert live.outlets == 0


async def test_a_shutdown_in_the_middle_of_a_replay_tells_nothing_newer(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    async def replay(after: int) -> Sequence[Entry]:
        hall.append(Said(9, "z"))
        listener_feed.end(GOING_AWAY)
        return [Said(1, "a")]

    listener_feed = live.feed([hall], replay=replay)
    listener = Listener()
    await nursery.start(listener.listen, listener_feed, 0)
    await settled()

    assert (listener.heard, listener.closing) == ("a", GOING_AWAY)


async def test_a_shutdown_does_not_wait_for_who_never_reads(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    stuck = Listener()
    await nursery.start(stuck.listen, live.feed([hall]))
    stuck.stop_reading()
    hall.append(Said(1, "a"))
    await trio.sleep(0.1)
    began = trio.current_time()
    await live.shut_down(grace=3)

    assert trio.current_time() - began == pytest.approx(3)
    assert stuck.closing == GOING_AWAY


async def test_who_comes_during_the_shutdown_is_sent_away(
    live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    await live.shut_down()
    late = Listener()
    await nursery.start(late.listen, live.feed([hall]))
    await settled()

    assert late.closing == GOING_AWAY


async def test_pings_come_at_their_interval_whatever_else_is_said(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    times: list[int] = []

    def ping() -> Entry:
        times.append(round(trio.current_time() - began))
        return Said(0, "p")

    began = trio.current_time()
    listener = Listener()
    await nursery.start(listener.listen, live.feed([hall], ping=ping, ping_seconds=25))
    await trio.sleep(60)
    hall.append(Said(1, "a"))
    await trio.sleep(50)

    assert times == [25, 50, 75, 100]
    assert listener.heard == "ppapp"


async def test_a_plain_socket_gets_the_protocols_ping_too(
    autojump_clock: trio.testing.MockClock, live: LiveService, hall: Channel, nursery: trio.Nursery
) -> None:
    listener = Listener(wire=Wire.FRAME)
    await nursery.start(listener.listen, live.feed([hall], ping=lambda: Said(0, "p"), ping_seconds=25))
    await trio.sleep(30)

    assert listener.writes == [b"p\x89\x00"]


async def test_a_channel_lasts_as_long_as_someone_hears_it(live: LiveService, nursery: trio.Nursery) -> None:
    listener = Listener()
    async with trio.open_nursery() as inner:
        await inner.start(listener.listen, live.feed([live.channel("attic")]))
        assert live.find("attic") is live.channel("attic")
        inner.cancel_scope.cancel()

    assert live.find("attic") is None
    assert live.connection_count("attic") == 0


async def test_a_place_is_given_back_once_however_a_feed_ends(live: LiveService, nursery: trio.Nursery) -> None:
    released: list[str] = []
    listener = Listener()
    served = live.feed([live.channel("hall")], released=lambda: released.append("served"))
    await nursery.start(listener.listen, served)
    served.end(REVOKED)
    await settled()
    assert released == ["served"]
    del served
    dropped = live.feed([live.channel("hall")], released=lambda: released.append("never attached"))
    del dropped

    assert released == ["served", "never attached"]
