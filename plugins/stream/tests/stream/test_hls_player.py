"""A real player reads what is served over a real port."""

from __future__ import annotations

import re

import pytest
import trio

from manor.testing import House
from manor_stream.hls.window import Segment, Variant
from tests.stream_players import FRAMES, probe, record, served
from tests.stream_watching import shared_of

PACKETS = ("-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets")
VARIANT = Variant("", 400_000, 160, 90, FRAMES, "")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Segment], Segment]:
    """Four segments of a broadcast, and the offline clip."""
    folder = tmp_path_factory.mktemp("segments")
    return record(folder, "live", 4), record(folder, "offline", 1)[0]


def frames_in(found: str) -> set[int]:
    """It says the same of the stream and of the program that the stream is in."""
    return {int(count) for count in re.findall(r"nb_read_packets=(\d+)", found)}


async def test_a_player_plays_a_broadcast_and_the_clip_behind_it(
    house: House, recorded: tuple[list[Segment], Segment]
) -> None:
    segments, clip = recorded
    window = shared_of(house).window
    window.begin([VARIANT], seconds=1, length=10)
    for segment in segments:
        window.add(0, segment)
    window.end([None])

    async with served(house) as url:
        alone = await probe(f"{url}/hls/0/stream.m3u8", *PACKETS)
        window.begin([VARIANT], seconds=1, length=10)
        window.add(0, segments[0])
        window.end([clip])
        broken = await probe(f"{url}/hls/0/stream.m3u8", *PACKETS)

    assert alone.startswith("program|"), "it has nothing to complain of"
    assert frames_in(alone) == {FRAMES * len(segments)}
    assert frames_in(broken) == {FRAMES * (len(segments) + 2)}


async def test_a_player_finds_the_qualities(house: House, recorded: tuple[list[Segment], Segment]) -> None:
    segments, clip = recorded
    window = shared_of(house).window
    window.begin([VARIANT, Variant("", 250_000, 160, 90, FRAMES, "")], seconds=1, length=10)
    for segment in segments:
        for variant in range(2):
            window.add(variant, segment)
    window.end([clip, clip])

    async with served(house) as url:
        found = await probe(
            f"{url}/hls/stream.m3u8", "-show_entries", "program=program_id:program_tags=variant_bitrate"
        )

    assert re.findall(r"variant_bitrate=(\d+)", found) == ["400000", "250000"]


async def test_a_player_follows_a_broadcast_that_goes_on_after_a_break(
    house: House, recorded: tuple[list[Segment], Segment]
) -> None:
    segments, clip = recorded
    window = shared_of(house).window
    window.begin([VARIANT], seconds=1, length=3)
    window.add(0, segments[0])
    asked, wants = trio.open_memory_channel[str](100)
    counted: list[str] = []

    async with served(house, asked.send_nowait) as url, trio.open_nursery() as nursery:

        async def play() -> None:
            counted.append(await probe(f"{url}/hls/0/stream.m3u8", *PACKETS))

        async def until_fetched(name: str) -> None:
            async for path in wants:
                if path.endswith(name):
                    return

        nursery.start_soon(play)
        # The broadcaster is as fast as this player, and comes back after a break.
        for segment in segments[1:2]:
            await until_fetched("stream.m3u8")
            window.add(0, segment)
        await until_fetched(segments[1].name)
        window.begin([VARIANT], seconds=1, length=3)
        for segment in segments[2:]:
            window.add(0, segment)
            await until_fetched(segment.name)
        window.end([clip])

    assert frames_in(counted[0]) == {FRAMES * (len(segments) + 1)}
