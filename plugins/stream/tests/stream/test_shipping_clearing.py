"""What is removed from a bucket, and what has to stay, whatever happens at the same time."""

from __future__ import annotations

import pytest
import trio

from manor_stream.shipping.shipment import KEPT_AFTERWARDS, Patience
from tests.stream_broadcast import until
from tests.stream_shipping import Broadcast, Hold, Studio


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
    await until(studio.is_sent_away)
    assert clip in studio.keys

    broadcast.begin()
    await studio.shipped(broadcast, KEPT_AFTERWARDS + 5)
    await until(lambda: clip not in studio.keys)
    broadcast.end()
    await until(lambda: clip in studio.keys)
    await studio.caught_up()
    assert studio.is_sent_away()


# --- Both at once


async def removing_a_clip(studio: Studio) -> tuple[Broadcast, str, Hold]:
    """A second broadcast, so long that the clip of the first is being removed: the request is on its way."""
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast)
    name = broadcast.end()
    await studio.caught_up()
    removal = studio.gate.hold("POST", name)
    broadcast.begin()
    for _ in range(KEPT_AFTERWARDS + 5):
        broadcast.add()
        await studio.listed_there()
    await removal.arrived.wait()
    return broadcast, f"hls/0/{name}", removal


async def finish(studio: Studio, hold: Hold) -> None:
    """Let what waits go on, and its answer come back."""
    hold.go_on.set()
    waiting = studio.gate.waiting
    await until(lambda: studio.gate.waiting < waiting)
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("upload", ["offline-one.ts", "stream.m3u8"])
async def test_a_clip_that_is_removed_while_it_is_brought_again_is_there_in_the_end(
    studio: Studio, upload: str
) -> None:
    broadcast, clip, removal = await removing_a_clip(studio)
    under_way = studio.gate.hold("PUT", f"hls/0/{upload}")
    broadcast.end()
    await under_way.arrived.wait()
    await finish(studio, removal)
    assert clip not in studio.keys
    under_way.go_on.set()

    await until(lambda: studio.gate.put(studio.bucket)[-2:] == [clip, "hls/0/stream.m3u8"])
    await until(studio.is_sent_away)
    assert clip in studio.keys


async def test_a_clip_whose_upload_was_overtaken_by_its_removal_is_brought_once_more(studio: Studio) -> None:
    broadcast, clip, removal = await removing_a_clip(studio)
    broadcast.end()
    await studio.listed_there()
    await trio.testing.wait_all_tasks_blocked()
    brought = studio.gate.put(studio.bucket).count(clip)
    await finish(studio, removal)

    await until(lambda: studio.gate.put(studio.bucket).count(clip) > brought)
    await until(studio.is_sent_away)
    assert clip in studio.keys


async def test_a_clip_whose_removal_was_never_answered_is_brought_again(studio: Studio) -> None:
    studio.gate.answer("POST", "offline-one.ts", b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
    broadcast, clip, removal = await removing_a_clip(studio)
    removal.go_on.set()
    await until(lambda: any("cannot be removed" in warning for warning in studio.warnings))
    assert clip not in studio.keys
    studio.gate.holds.clear()
    broadcast.end()

    await until(lambda: clip in studio.keys)
    await studio.caught_up()


async def test_a_clip_of_the_run_before_that_is_brought_while_leftovers_are_removed_is_there(studio: Studio) -> None:
    await studio.set_s3()
    studio.server.fetch("PUT", f"/{studio.bucket}/hls/0/offline-one.ts")
    removal = studio.gate.hold("POST", "offline-one.ts")
    broadcast = studio.broadcast()
    broadcast.add()
    await removal.arrived.wait()
    clip = f"hls/0/{broadcast.end()}"
    await studio.listed_there()
    await finish(studio, removal)

    await until(lambda: studio.gate.put(studio.bucket).count(clip) == 2)
    await until(studio.is_sent_away)
    assert clip in studio.keys


async def test_a_bucket_that_is_too_full_to_remove_anything_is_told_of_once_and_shipping_goes_on(
    studio: Studio,
) -> None:
    full = b"<Error><Code>XMinioStorageFull</Code></Error>"
    head = f"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: {len(full)}\r\n\r\n".encode()
    studio.gate.answer("POST", "stream-one-0.ts", head + full)
    await studio.set_s3()
    broadcast = studio.broadcast()
    await studio.shipped(broadcast, KEPT_AFTERWARDS + 5)
    await until(lambda: studio.warnings)
    await studio.shipped(broadcast, 2)

    assert [warning.partition(":")[0] for warning in studio.warnings] == ["Old segments cannot be removed from S3"]
    assert studio.is_sent_away()
