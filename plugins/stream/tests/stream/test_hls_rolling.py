"""Whatever broadcasters do, a player that reads on and on is never led astray."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from manor_stream.hls.playlists import rounded
from manor_stream.hls.window import FEWEST, Segment, Window
from tests.stream_hls import BEGAN, LOW, Clock, Playlist, read

VARIANTS = st.integers(1, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), VARIANTS, st.integers(1, 5), st.sampled_from([200, 1000, 10**6])),
        st.tuples(st.just("add"), st.integers(0, 2), st.floats(0.1, 9), st.integers(1, 150), st.booleans()),
        st.tuples(st.just("end"), st.lists(st.booleans(), min_size=3, max_size=3)),
        st.tuples(st.just("reset"), VARIANTS, st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 400)),
        st.tuples(st.just("restart")),
    ),
    max_size=60,
)


@dataclass
class Player:
    """Somebody who reads a variant's playlist after every change, and remembers all of it."""

    number: int = -1
    discontinuity: int = -1
    numbers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, playlist: Playlist) -> None:
        """Check it against everything that was read before."""
        assert playlist.number >= self.number, "media sequence numbers never go back"
        assert playlist.discontinuity >= self.discontinuity, "nor do those of discontinuities"
        self.number, self.discontinuity = playlist.number, playlist.discontinuity
        for entry in playlist.entries:
            known = self.numbers.setdefault(entry.name, (entry.number, entry.discontinuity))
            assert known == (entry.number, entry.discontinuity), "a segment has its numbers for good"
            assert playlist.target >= rounded(entry.seconds)


@dataclass
class Driver:
    """Does to a window what the steps say, as a broadcast would."""

    clock: Clock = field(default_factory=Clock)
    made: int = 0
    memory: int = 10**6
    variants: int = 0
    is_on: bool = False
    data: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.window = Window(7, now=self.clock)
        self.players = [Player() for _ in range(3)]

    def segment(self, seconds: float, size: int, *, breaks: bool) -> Segment:
        """One that there has never been."""
        self.made += 1
        name = f"stream-x-{self.made}.ts"
        self.data[name] = name.encode().ljust(size, b".")
        return Segment(name, self.data[name], seconds, BEGAN, breaks)

    def clips(self, wanted: list[bool]) -> list[Segment | None]:
        """New clips, where they are wanted."""
        return [self.segment(3.3, 20, breaks=False) if is_wanted else None for is_wanted in wanted[: self.variants]]

    def step(self, step: tuple) -> None:  # type: ignore[type-arg]  # one of STEPS
        match step:
            case ("begin", variants, length, memory) if not self.is_on:
                self.variants, self.memory, self.is_on = variants, memory, True
                self.window.begin([LOW] * variants, seconds=2, length=length, memory=memory)
            case ("add", variant, seconds, size, breaks) if self.is_on and variant < self.variants:
                self.window.add(variant, self.segment(seconds, size, breaks=breaks))
            case ("end", wanted) if self.is_on:
                self.is_on = False
                self.window.end(self.clips(wanted))
            case ("reset", variants, has_clip) if not self.is_on:
                self.variants = variants
                self.window.reset([LOW] * variants, self.clips([has_clip] * variants))
            case ("restart",):
                # Of the daemon, whose clock stands still: what was given is all that the next one knows.
                before, self.window, self.is_on = self.window, Window(7, now=self.clock), False
                self.window.begin_above(before.next_numbers)
                self.variants = 0
            case ("wait", seconds):
                self.clock.now += seconds

    def check(self) -> None:
        """What is always so."""
        for variant, player in enumerate(self.players):
            body = self.window.playlist(variant)
            if body is None:
                assert self.window.listed(variant) == 0
                continue
            playlist = read(body)
            assert len(playlist.entries) == self.window.listed(variant)
            player.read(playlist)
            for name in playlist.names:
                found = self.window.find(variant, name)
                assert found is not None, "every segment that is listed can be fetched"
                assert found.data == self.data[name]
        kept = [found for name in self.data for found in [self.window.find(v, name) for v in range(3)] if found]
        assert self.window.used == sum(len(found.data) for found in kept)
        if self.window.used > self.memory:
            assert len(kept) == sum(self.window.listed(variant) for variant in range(3))
            assert all(self.window.listed(variant) <= FEWEST for variant in range(3))


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_player_that_reads_on_and_on_is_never_led_astray(steps: list[tuple]) -> None:  # type: ignore[type-arg]  # STEPS
    driver = Driver()
    for step in steps:
        driver.step(step)
        driver.check()
