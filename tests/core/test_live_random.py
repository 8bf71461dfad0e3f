"""Direct delivery against whatever sockets do: all byte counts, stops and pings, compared with what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from manor.auth import Principal
from manor.live import Channel, Feed, LiveService, ring
from manor.routing import TOO_SLOW, Closing, Wire
from tests.core.live_plugs import Quiet, frames_of, said, settled

PING_SECONDS = 10.0
RING = 6
"""Entries, so that who stops reading falls behind soon."""

OUTLETS = 4


class Whimsical:
    """An outlet whose socket takes what it likes.

    Args:
        takes: How many bytes its next sends take; all, once they are used up.
    """

    def __init__(self, takes: Sequence[int]) -> None:
        self.wire = Wire.FRAME
        self.principals: tuple[Principal, ...] = ()
        self.send: Callable[[bytes], int] | None = self._send
        self.closing: Closing | None = None
        self.taken = bytearray()
        self.sends = 0
        self.is_torn = False
        self._takes = list(takes)
        self._reads = trio.Event()
        self._reads.set()

    def control(self, data: bytes) -> None:
        raise AssertionError("nothing is controlled here")

    def gone(self) -> None:
        """Its writes can be cancelled."""

    def toggle(self) -> None:
        """Stop reading, or go on."""
        if self._reads.is_set():
            self._reads = trio.Event()
        else:
            self._reads.set()

    def read_on(self) -> None:
        self._reads.set()

    def _send(self, data: bytes) -> int:
        assert not self.is_torn, "sent in the middle of a frame"
        self.sends += 1
        taken = min(self._takes.pop(0), len(data)) if self._takes else len(data)
        if not self._reads.is_set():
            taken = 0
        self.taken += data[:taken]
        self.is_torn = 0 < taken < len(data)
        return taken

    async def write(self, data: bytes) -> None:
        # In two parts: it may be cut between them, or before.
        for part in (data[:1], data[1:]):
            await self._reads.wait()
            self.is_torn = True
            self.taken += part
        self.is_torn = False

    async def listen(self, feed: Feed, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        feed.attach(self, None)
        task_status.started()
        self.closing = await feed.pump(self, self.write)
        feed.detach(self)


Step = tuple[str, int, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 1), st.integers(1, 4)),
        st.tuples(st.just("turn"), st.just(0), st.just(0)),
        st.tuples(st.just("settle"), st.just(0), st.just(0)),
        st.tuples(st.just("toggle"), st.integers(0, OUTLETS - 1), st.just(0)),
        st.tuples(st.just("ping"), st.just(0), st.just(0)),
    ),
    max_size=40,
)
TAKES = st.lists(st.lists(st.integers(0, 40), max_size=8), min_size=OUTLETS, max_size=OUTLETS)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, takes=TAKES)
def test_whatever_sockets_take_everybody_hears_all_in_order_or_is_told_that_it_was_too_slow(
    steps: list[Step], takes: list[list[int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring, "MOST_ENTRIES", RING)
        clock = trio.testing.MockClock()
        trio.run(play, clock, steps, takes, clock=clock)


async def play(clock: trio.testing.MockClock, steps: list[Step], takes: list[list[int]]) -> None:
    """Do all steps, then have everybody read on, and look at what they got."""
    live = LiveService()
    channels = live.channel("hall"), live.channel("attic")
    words: list[tuple[Channel, str]] = []
    outlets = [Whimsical(each) for each in takes]
    heard = [channels[:1], channels, channels[:1], channels]
    voices = [None, None, Quiet(), Quiet(*(str(number) for number in range(0, 1000, 3)))]

    def say(channel: Channel) -> None:
        word = str(len(words) + 1)
        words.append((channel, word))
        channel.append(said(len(words), word))

    async with trio.open_nursery() as nursery:
        await nursery.start(live.run)
        for outlet, theirs, voice in zip(outlets, heard, voices, strict=True):
            feed = live.feed(theirs, voice=voice, ping=lambda: said(0, "p"), ping_seconds=PING_SECONDS)
            await nursery.start(outlet.listen, feed)
        for step, which, count in steps:
            match step:
                case "say":
                    for _ in range(count):
                        say(channels[which])
                case "turn":
                    await trio.lowlevel.checkpoint()
                case "settle":
                    await settled()
                case "toggle":
                    outlets[which].toggle()
                case _:
                    clock.jump(PING_SECONDS)
                    await settled()
        for outlet in outlets:
            outlet.read_on()
        for channel in channels:
            await settled()
            say(channel)
        await settled()
        nursery.cancel_scope.cancel()

    stopped = {which for step, which, _ in steps if step == "toggle"}
    for number, (outlet, theirs, voice) in enumerate(zip(outlets, heard, voices, strict=True)):
        expected = [word for channel, word in words if channel in theirs]
        if voice is not None:
            expected = [word for word in expected if word not in voice.left_out]
        if outlet.closing is None:
            assert no_pings(frames_of(bytes(outlet.taken))) == expected
        else:
            assert outlet.closing == TOO_SLOW
            assert number in stopped
            whole = bytes(outlet.taken)
            got = no_pings(frames_of(whole, may_be_torn=outlet.is_torn))
            assert got == expected[: len(got)]


def no_pings(frames: Iterator[str]) -> list[str]:
    """The words alone."""
    return [word for word in frames if word not in ("p", "P", "ping")]
