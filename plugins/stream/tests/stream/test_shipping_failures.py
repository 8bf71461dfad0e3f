"""Segments on their way to S3 while it is down, slow, or keeps us out."""

from __future__ import annotations

from pathlib import Path

import pytest

from manor_stream.shipping.shipment import Patience
from tests.s3_server import S3Server
from tests.stream_broadcast import until
from tests.stream_shipping import FULL, OPEN, SHUT, SILENT, Broadcast, Studio, open_studio


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
    studio.shared.shipping.patience = Patience(first_wait=0.01, upload=0.1)
    await studio.set_s3()
    studio.gate.mode = SILENT
    studio.broadcast(seconds=0.02).add()
    await until(lambda: studio.warnings)

    assert "no answer within" in studio.warnings[0]
    assert not studio.is_sent_away()


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
    async with open_studio(tmp_path, s3_server, allow=()) as studio:
        await studio.set_s3()
        studio.broadcast().add()
        await until(lambda: studio.warnings)

        assert "[server.outgoing] allow can name it" in studio.warnings[0]
        assert (studio.gate.asked, studio.is_sent_away()) == ([], False)
