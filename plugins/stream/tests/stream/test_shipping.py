"""Segments in a bucket of S3: what gets there when, where viewers are sent, and what happens while S3 is down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import Principal
from manor.testing import Client, House, open_test_house
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from manor_stream.logbook import LogLine
from manor_stream.parts import Shared
from manor_stream.shipping.shipment import KEPT_AFTERWARDS, Patience
from tests.s3_server import S3Server
from tests.stream_broadcast import shared_of, until
from tests.stream_shipping import FULL, OPEN, SHUT, SILENT, Broadcast, Gate, gate_before, keys_in, settings_for

QUICK = Patience(first_wait=0.01, upload=5.0, again=0.1, clearing=0.1)
HASTY = Patience(first_wait=0.01, upload=0.1, again=0.1, clearing=60.0)


@dataclass
class Studio:
    """A house that ships, and what is around it."""

    house: House
    shared: Shared
    gate: Gate
    server: S3Server
    bucket: str

    @property
    def admin(self) -> Client:
        return Client(self.house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))

    @property
    def lines(self) -> list[LogLine]:
        return self.shared.logbook.newest_first()

    @property
    def warnings(self) -> list[str]:
        return [line.message for line in self.shared.logbook.newest_first(only_warnings=True)]

    async def set_s3(self, **more: Any) -> None:
        """Through the API, as an admin does."""
        value = settings_for(self.gate.url, self.server, self.bucket, **more)
        answer = await self.admin.request("POST", "/api/admin/config/s3", json={"value": value})
        assert answer.status == 200, answer.body

    async def playlists(self) -> list[str]:
        """What the master playlist names."""
        answer = await Client(self.house.dispatcher).request("GET", "/hls/stream.m3u8")
        return [line for line in answer.body.decode().splitlines() if not line.startswith("#")]

    async def local_status(self, variant: int = 0) -> int:
        return (await Client(self.house.dispatcher).request("GET", f"/hls/{variant}/stream.m3u8")).status

    def is_sent_away(self, variant: int = 0) -> bool:
        return self.shared.shipping.base_url(variant) is not None

    @property
    def keys(self) -> list[str]:
        return keys_in(self.server, self.bucket)

    def body(self, key: str) -> bytes:
        return self.server.fetch("GET", f"/{self.bucket}/{key}")[1]

    def broadcast(self, count: int = 1, **more: Any) -> Broadcast:
        return Broadcast(self.shared.window, count, **more).begin()

    async def shipped(self, broadcast: Broadcast, number: int = 1) -> None:
        """Add segments one by one, each when the one before is there."""
        for _ in range(number):
            broadcast.add()
            await self.caught_up(broadcast.count)

    async def caught_up(self, count: int = 1) -> None:
        await until(lambda: all(map(self._has, range(count))) and not self.gate.waiting)
        # The answer to the last upload comes back after the file is there.
        await trio.testing.wait_all_tasks_blocked()

    def _has(self, variant: int) -> bool:
        line = f"PUT /{self.bucket}/hls/{variant}/stream.m3u8"
        return self.gate.bodies.get(line) == self.shared.window.playlist(variant)


@pytest.fixture
async def studio(tmp_path: Path, s3_server: S3Server) -> AsyncIterator[Studio]:
    config = {"server": {"outgoing": {"allow": ["127.0.0.0/8"]}}, "plugins": {"stream": {"rtmp_bind": ""}}}
    async with (
        gate_before(s3_server) as gate,
        open_test_house(tmp_path, plugins=["stream"], config=config, inline=True) as house,
    ):
        shared = shared_of(house)
        shared.shipping.patience = QUICK
        yield Studio(house, shared, gate, s3_server, s3_server.new_bucket())


# --- What gets there


async def test_a_segment_gets_there_before_the_playlist_that_lists_it(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast, 2)

    assert studio.gate.put(studio.bucket) == [
        "hls/0/stream-one-0.ts",
        "hls/0/stream.m3u8",
        "hls/0/stream-one-1.ts",
        "hls/0/stream.m3u8",
    ]
    assert studio.body("hls/0/stream-one-1.ts") == b"0 stream-one-1.ts"
    assert studio.body("hls/0/stream.m3u8") == studio.shared.window.playlist(0)


async def test_every_variant_has_a_folder_of_its_own(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast(2)
    await studio.shipped(broadcast)

    assert studio.keys == [f"hls/{number}/{name}" for number in (0, 1) for name in ("stream-one-0.ts", "stream.m3u8")]
    assert studio.body("hls/1/stream-one-0.ts") == b"1 stream-one-0.ts"


async def test_playlists_are_asked_for_anew_and_segments_are_cached(studio: Studio) -> None:
    await studio.set_s3(acl="public-read")
    await studio.shipped(studio.broadcast())

    segment = studio.gate.heads[f"PUT /{studio.bucket}/hls/0/stream-one-0.ts"].splitlines()
    playlist = studio.gate.heads[f"PUT /{studio.bucket}/hls/0/stream.m3u8"].splitlines()
    assert {"content-type: video/mp2t", "cache-control: public, max-age=60, immutable"} <= set(segment)
    assert {"content-type: application/x-mpegurl", "cache-control: no-cache"} <= set(playlist)
    assert ("x-amz-acl: public-read" in segment, "x-amz-acl: public-read" in playlist) == (True, True)


async def test_two_uploads_run_at_once_and_no_more(studio: Studio) -> None:
    await studio.set_s3()
    studio.gate.delay = 0.1
    broadcast = studio.broadcast(5)
    broadcast.add(2)
    await studio.caught_up(5)

    assert studio.gate.uploads_at_once == 2


async def test_the_clip_and_the_end_of_the_list_get_there_too(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    clip = broadcast.end()
    await studio.caught_up()

    assert studio.body(f"hls/0/{clip}") == b"clip"
    assert studio.body("hls/0/stream.m3u8").endswith(b"#EXT-X-ENDLIST\n")


async def test_without_s3_nothing_leaves(studio: Studio) -> None:
    studio.broadcast().add(3)
    await trio.testing.wait_all_tasks_blocked()

    assert (studio.gate.asked, await studio.playlists(), await studio.local_status()) == ([], ["0/stream.m3u8"], 200)


# --- Where viewers are sent


async def test_viewers_are_sent_away_once_all_variants_are_there(studio: Studio) -> None:
    await studio.set_s3()
    studio.gate.mode = SILENT
    broadcast = studio.broadcast(2)
    broadcast.add()
    await trio.testing.wait_all_tasks_blocked()
    assert (await studio.playlists(), await studio.local_status()) == (["0/stream.m3u8", "1/stream.m3u8"], 200)

    studio.gate.mode = OPEN
    await studio.set_s3(acl="private")
    await studio.caught_up(2)

    url = f"{studio.gate.url}/{studio.bucket}/hls"
    assert await studio.playlists() == [f"{url}/0/stream.m3u8", f"{url}/1/stream.m3u8"]
    assert await studio.local_status() == 404


async def test_viewers_are_sent_to_the_address_that_serves_when_there_is_one(studio: Studio) -> None:
    await studio.set_s3(servingEndpoint="https://video.example.org")
    await studio.shipped(studio.broadcast())

    assert await studio.playlists() == [f"https://video.example.org/{studio.bucket}/hls/0/stream.m3u8"]


async def test_a_list_that_has_ended_is_not_where_viewers_of_the_next_broadcast_go(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    broadcast.end()
    await studio.caught_up()
    assert studio.is_sent_away()

    again = studio.broadcast(session="two")
    again.add()
    assert not studio.is_sent_away()
    await studio.caught_up()
    assert studio.is_sent_away()


# --- When it fails


async def test_an_upload_that_fails_is_tried_again_before_anything_else_is_sent(studio: Studio) -> None:
    await studio.set_s3()
    studio.gate.refusals = 3
    await studio.shipped(studio.broadcast())

    assert studio.gate.put(studio.bucket) == ["hls/0/stream-one-0.ts", "hls/0/stream.m3u8"]
    assert (studio.warnings, studio.is_sent_away()) == ([], True)


@pytest.mark.parametrize("mode", [SHUT, FULL])
async def test_while_s3_is_down_viewers_are_served_here_and_the_admin_is_told_once(studio: Studio, mode: str) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast(2)
    await studio.shipped(broadcast)
    url = f"{studio.gate.url}/{studio.bucket}/hls"
    assert await studio.playlists() == [f"{url}/0/stream.m3u8", f"{url}/1/stream.m3u8"]

    studio.gate.mode = mode
    broadcast.add()
    await until(lambda: not studio.is_sent_away())

    assert await studio.playlists() == ["0/stream.m3u8", "1/stream.m3u8"]
    assert await studio.local_status() == 200
    broadcast.add(4)
    await until(lambda: studio.gate.turned_away > 12)
    assert len(studio.warnings) == 1
    assert "viewers are served from here" in studio.warnings[0]
    ready = await studio.house.readiness()
    assert [entry.reason for entry in ready.degraded if "S3" in entry.reason] != []


async def test_viewers_are_sent_back_when_three_segments_got_through(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    studio.gate.mode = SHUT
    broadcast.add()
    await until(lambda: not studio.is_sent_away())

    studio.gate.mode = OPEN
    sent_away = []
    for _ in range(3):
        await studio.shipped(broadcast)
        sent_away.append(studio.is_sent_away())

    assert sent_away[-1]
    assert not sent_away[0]
    assert [line.level for line in studio.lines if "S3" in line.message] == ["info", "warning"]
    assert await studio.shared.shipping.trouble() is None


async def test_what_is_still_listed_after_an_outage_gets_there_and_what_is_not_is_given_up(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    studio.gate.mode = SHUT
    broadcast.add(6)
    await until(lambda: not studio.is_sent_away())
    studio.gate.mode = OPEN
    await studio.caught_up()

    there = set(studio.keys)
    assert {f"hls/0/stream-one-{number}.ts" for number in (4, 5, 6)} <= there
    assert {f"hls/0/stream-one-{number}.ts" for number in (2, 3)} & there == set()


async def test_a_segment_that_leaves_the_playlist_between_two_tries_is_given_up(studio: Studio) -> None:
    studio.shared.shipping.patience = Patience(first_wait=0.3)
    await studio.set_s3()
    broadcast = studio.broadcast()
    studio.gate.mode = SHUT
    broadcast.add()
    await until(lambda: studio.gate.turned_away)
    broadcast.add(3)
    studio.gate.mode = OPEN
    await studio.caught_up()

    assert studio.gate.put(studio.bucket) == [
        *(f"hls/0/stream-one-{number}.ts" for number in (1, 2, 3)),
        "hls/0/stream.m3u8",
    ]


async def test_a_server_that_does_not_answer_is_no_server(studio: Studio) -> None:
    studio.shared.shipping.patience = HASTY
    await studio.set_s3()
    broadcast = studio.broadcast(seconds=0.02)
    await studio.shipped(broadcast)
    assert studio.is_sent_away()
    studio.gate.mode = SILENT
    broadcast.add()
    await until(lambda: not studio.is_sent_away())

    assert "no answer within" in studio.warnings[0]


async def test_a_server_that_falls_behind_is_left_before_its_uploads_fail(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = Broadcast(studio.shared.window).begin(length=10)
    await studio.shipped(broadcast)
    studio.gate.mode = SILENT
    broadcast.add(3)
    assert studio.is_sent_away()
    broadcast.add(1)

    assert not studio.is_sent_away()
    assert "more than 3 segments wait" in studio.warnings[0]


async def test_an_upload_that_hardly_keeps_up_is_told_once(studio: Studio) -> None:
    await studio.set_s3()
    studio.gate.delay = 0.1
    broadcast = studio.broadcast(seconds=0.1)
    await studio.shipped(broadcast, 3)

    assert [warning.partition(":")[0] for warning in studio.warnings] == ["S3 hardly keeps up"]


async def test_a_wrong_secret_is_told_without_it(studio: Studio) -> None:
    await studio.set_s3(secret="no secret of anybody")
    studio.broadcast().add()
    await until(lambda: studio.warnings)

    assert "403 SignatureDoesNotMatch" in studio.warnings[0]
    assert all("no secret of anybody" not in line.message for line in studio.lines)
    assert (studio.is_sent_away(), await studio.local_status()) == (False, 200)


async def test_a_private_address_that_the_server_does_not_allow_is_not_asked(
    tmp_path: Path, s3_server: S3Server
) -> None:
    async with (
        gate_before(s3_server) as gate,
        open_test_house(tmp_path, plugins=["stream"], config={"plugins": {"stream": {"rtmp_bind": ""}}}) as house,
    ):
        studio = Studio(house, shared_of(house), gate, s3_server, s3_server.new_bucket())
        await studio.set_s3()
        studio.broadcast().add()
        await until(lambda: studio.warnings)

        assert "[server.outgoing] allow can name it" in studio.warnings[0]
        assert (studio.gate.asked, studio.is_sent_away()) == ([], False)


# --- Other settings


async def test_switching_it_off_has_viewers_served_here_at_once(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    await studio.set_s3(enabled=False)

    assert (studio.is_sent_away(), await studio.local_status()) == (False, 200)
    asked = len(studio.gate.asked)
    broadcast.add()
    await trio.testing.wait_all_tasks_blocked()
    assert len(studio.gate.asked) == asked


async def test_another_bucket_gets_all_that_is_listed_before_viewers_are_sent_there(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast, 2)
    studio.bucket = studio.server.new_bucket()
    await studio.set_s3()
    assert not studio.is_sent_away()
    await studio.caught_up()

    assert studio.keys == ["hls/0/stream-one-0.ts", "hls/0/stream-one-1.ts", "hls/0/stream.m3u8"]
    assert await studio.playlists() == [f"{studio.gate.url}/{studio.bucket}/hls/0/stream.m3u8"]


async def test_one_that_is_switched_on_in_the_middle_gets_all_that_is_listed(studio: Studio) -> None:
    broadcast = studio.broadcast()
    broadcast.add(5)
    await studio.set_s3()
    await studio.caught_up()

    assert studio.gate.put(studio.bucket) == [
        *(f"hls/0/stream-one-{number}.ts" for number in (2, 3, 4)),
        "hls/0/stream.m3u8",
    ]


# --- Clearing up


async def test_segments_behind_the_playlist_and_ten_more_are_removed(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast(2)
    await studio.shipped(broadcast, KEPT_AFTERWARDS + 5)

    expected = {f"hls/{variant}/stream-one-{number}.ts" for variant in (0, 1) for number in range(2, 15)}
    await until(lambda: set(studio.keys) == expected | {"hls/0/stream.m3u8", "hls/1/stream.m3u8"})


async def test_what_an_earlier_run_left_is_removed_and_nothing_else(studio: Studio) -> None:
    await studio.set_s3()
    left = ["hls/0/stream-zero-7.ts", "hls/3/stream-zero-7.ts", "hls/3/stream.m3u8"]
    others = ["hls/index.html", "hls/0/logo.png", "hls2/0/stream-zero-7.ts", "video/stream-zero-7.ts"]
    for key in (*left, *others):
        studio.server.fetch("PUT", f"/{studio.bucket}/{key}")
    await studio.shipped(studio.broadcast())

    await until(lambda: not set(studio.keys) & set(left))
    assert set(studio.keys) == {*others, "hls/0/stream-one-0.ts", "hls/0/stream.m3u8"}


async def test_the_end_of_a_broadcast_clears_up_at_once(studio: Studio) -> None:
    studio.shared.shipping.patience = Patience(first_wait=0.01, clearing=3600)
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast, KEPT_AFTERWARDS + 5)
    assert "hls/0/stream-one-0.ts" in studio.keys
    broadcast.end()
    await studio.caught_up()

    await until(lambda: "hls/0/stream-one-0.ts" not in studio.keys)
    assert f"hls/0/stream-one-{KEPT_AFTERWARDS + 4}.ts" in studio.keys


async def test_a_clip_that_was_removed_is_brought_again_when_it_is_listed_again(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    clip = f"hls/0/{broadcast.end()}"
    await studio.caught_up()
    assert clip in studio.keys

    broadcast.begin()
    await studio.shipped(broadcast, KEPT_AFTERWARDS + 5)
    await until(lambda: clip not in studio.keys)
    broadcast.end()
    await studio.caught_up()
    assert clip in studio.keys
