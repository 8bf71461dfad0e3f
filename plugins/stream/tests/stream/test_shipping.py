"""Segments in a bucket of S3: what gets there when, and where viewers are sent."""

from __future__ import annotations

import trio

from tests.stream_shipping import OPEN, SILENT, Studio

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


# --- Other settings


async def test_switching_it_off_has_viewers_served_here_at_once(studio: Studio) -> None:
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    await studio.set_s3(enabled=False)

    assert (studio.is_sent_away(), await studio.local_status()) == (False, 200)
    put = studio.gate.put(studio.bucket)
    broadcast.add()
    await trio.testing.wait_all_tasks_blocked()
    assert studio.gate.put(studio.bucket) == put


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
