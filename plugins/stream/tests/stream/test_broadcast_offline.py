"""What there is to watch before anybody broadcasts: the offline clip, from the start on or once a player asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from manor.testing import Client, House, open_test_house
from manor_stream.broadcast.offline import Offline
from manor_stream.quality import DEFAULT_QUALITIES, Quality
from manor_stream.transcoding.offline_clip import PACKET, Clip
from tests.stream_broadcast import SMALL, Encoder, shared_of, until
from tests.stream_hls import read, segment
from tests.stream_studio import HASTY

NO_FFMPEG = "/nowhere/ffmpeg"
AS_CONFIGURED = Clip(0, 0, 0, has_video=True, has_audio=True)
"""The clip of a quality that sends on what comes."""

MASTER = "/hls/stream.m3u8"


@asynccontextmanager
async def daemon(folder: Path, *, ffmpeg: str = NO_FFMPEG) -> AsyncIterator[tuple[House, Client]]:
    config = {"plugins": {"stream": {"rtmp_bind": "", "ffmpeg": ffmpeg}}}
    async with open_test_house(folder, plugins=["stream"], config=config, inline=False) as house:
        yield house, Client(house.dispatcher)


def keep(folder: Path, *clips: Clip) -> None:
    """Have clips on disk that no ffmpeg made."""
    place = folder / "data" / "stream" / "offline"
    place.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        (place / clip.name).write_bytes(clip.name.encode().ljust(PACKET, b"."))


async def names_in(client: Client, variant: int = 0) -> list[str]:
    return read((await client.get(f"/hls/{variant}/stream.m3u8")).body).names


def has_something(house: House) -> Any:
    return lambda: not shared_of(house).window.is_empty


async def test_the_first_player_has_the_clip_made_and_later_daemons_show_it_from_the_start_on(tmp_path: Path) -> None:
    async with daemon(tmp_path, ffmpeg="ffmpeg") as (house, client):
        assert (await client.get(MASTER)).status == 404
        await until(has_something(house))
        made = (await client.get(f"/hls/0/{AS_CONFIGURED.name}")).body
        assert 'CODECS="avc1.' in (await client.get(MASTER)).text
    async with daemon(tmp_path) as (house, client):
        await until(has_something(house))
        playlist = read((await client.get("/hls/0/stream.m3u8")).body)
        assert (await client.get(f"/hls/0/{AS_CONFIGURED.name}")).body == made

    assert (playlist.names, playlist.is_ended) == ([AS_CONFIGURED.name], True)


@pytest.mark.parametrize(
    ("qualities", "clips"),
    [
        (DEFAULT_QUALITIES, [AS_CONFIGURED]),
        (
            (*DEFAULT_QUALITIES, SMALL, Quality(scaled_width=320, scaled_height=180)),
            [AS_CONFIGURED, Clip(0, 0, 15, True, True), Clip(320, 180, 24, True, True)],
        ),
    ],
)
async def test_each_quality_shows_its_own_clip(
    tmp_path: Path, qualities: tuple[Quality, ...], clips: Sequence[Clip]
) -> None:
    async with daemon(tmp_path) as (house, _):
        await shared_of(house).settings.change(qualities=qualities)
    keep(tmp_path, *clips)
    async with daemon(tmp_path) as (house, client):
        await until(has_something(house))

        assert [await names_in(client, number) for number in range(len(clips))] == [[clip.name] for clip in clips]


async def test_what_is_shown_while_nothing_is_on_is_no_broadcast(tmp_path: Path) -> None:
    keep(tmp_path, AS_CONFIGURED)
    async with daemon(tmp_path) as (house, client):
        await until(has_something(house))
        await client.get("/hls/0/stream.m3u8")
        status = (await client.get("/api/status")).json()
        picture = await client.get("/thumbnail.jpg")

    assert (status["online"], status["viewerCount"], status["lastDisconnectTime"]) == (False, 0, None)
    assert picture.status == 302


async def test_players_find_higher_numbers_with_each_daemon_and_with_the_broadcast(tmp_path: Path) -> None:
    keep(tmp_path, AS_CONFIGURED)
    found = []
    for _ in range(2):
        async with daemon(tmp_path) as (house, client):
            await until(has_something(house))
            window = shared_of(house).window
            found.append(read((await client.get("/hls/0/stream.m3u8")).body))
            window.begin(window.variants, seconds=1, length=5)
            window.add(0, segment(0))
            found.append(read((await client.get("/hls/0/stream.m3u8")).body))

    assert [playlist.is_ended for playlist in found] == [True, False, True, False]
    places = [(playlist.number, playlist.entries[0].discontinuity) for playlist in found]
    assert all(later[0] > earlier[0] and later[1] > earlier[1] for earlier, later in pairwise(places))


async def test_it_is_there_again_after_somebody_only_tried(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (house, client):
        shared = shared_of(house)
        intake = shared.broadcasts.accept(Encoder())
        intake.gone("only tried")
        keep(tmp_path, AS_CONFIGURED)
        await until(has_something(house))

        assert await names_in(client) == [AS_CONFIGURED.name]


async def test_a_broadcast_that_begins_is_not_disturbed_by_a_clip(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (house, client):
        shared = shared_of(house)
        shared.broadcasts.accept(Encoder())
        keep(tmp_path, AS_CONFIGURED)
        await client.get(MASTER)
        await trio.testing.wait_all_tasks_blocked(0.05)

        assert shared.window.is_empty


async def test_an_ffmpeg_that_does_not_work_is_not_started_for_each_player(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (house, _):
        shared = shared_of(house)
        means = replace(shared.broadcasts.means, timing=replace(HASTY, reset=60.0))
        offline = Offline(means)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(offline.show)
            for _ in range(5):
                # A player asks again and again.
                offline.ask()
                await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        warnings = [line.message for line in shared.logbook.newest_first(only_warnings=True)]

    assert len(warnings) == 1
    assert warnings[0].startswith("There is no clip for when nothing is on: /nowhere/ffmpeg")


async def test_settings_count_that_were_changed_before_a_player_asks(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (house, client):
        await shared_of(house).settings.change(qualities=(SMALL,))
        keep(tmp_path, Clip(0, 0, 15, True, True))
        await client.get(MASTER)
        await until(has_something(house))

        assert await names_in(client) == [Clip(0, 0, 15, True, True).name]
