"""Pictures of the broadcast."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from manor.testing import Answer, Client, open_test_house
from manor_stream.broadcast.means import Means
from manor_stream.hls.window import Segment, Variant
from manor_stream.on_air import Metadata, Phase
from manor_stream.pictures import taking
from manor_stream.pictures.taking import Photographer, Pictures, preview_arguments, thumbnail_arguments
from manor_stream.transcoding.children import ChildFailed, output_of
from tests.stream_broadcast import shared_of, until

NO_RTMP = {"plugins": {"stream": {"rtmp_bind": ""}}}


@pytest.fixture(scope="module")
def segment() -> bytes:
    """Two seconds of a picture."""
    source = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=15:d=2", "-c:v", "libx264", "-preset", "ultrafast"]
    command = ["ffmpeg", "-v", "error", *source, "-pix_fmt", "yuv420p", "-f", "mpegts", "pipe:1"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def probe(path: Path) -> dict[str, Any]:
    entries = ["-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames,r_frame_rate"]
    command = ["ffprobe", "-v", "error", *entries, "-of", "json", str(path)]
    found = subprocess.run(command, check=True, capture_output=True)
    streams: list[dict[str, Any]] = json.loads(found.stdout)["streams"]
    return streams[0]


async def test_a_thumbnail_is_a_frame(tmp_path: Path, segment: bytes) -> None:
    picture = await output_of(thumbnail_arguments("ffmpeg"), segment, seconds=20)

    assert picture.startswith(b"\xff\xd8\xff")
    path = tmp_path / "picture"
    path.write_bytes(picture)
    found = probe(path)
    assert (found["codec_name"], found["width"], found["height"]) == ("mjpeg", 160, 90)


async def test_a_preview_is_a_second_that_moves(tmp_path: Path, segment: bytes) -> None:
    picture = await output_of(preview_arguments("ffmpeg"), segment, seconds=20)

    assert picture.startswith(b"GIF89a")
    path = tmp_path / "picture"
    path.write_bytes(picture)
    found = probe(path)
    assert (found["width"], found["height"], found["nb_read_frames"]) == (480, 270, "8")


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"\x47" + b"\xff" * 187])
async def test_what_is_no_video_gives_no_picture(data: bytes) -> None:
    with pytest.raises(ChildFailed):
        await output_of(thumbnail_arguments("ffmpeg"), data, seconds=20)


async def test_while_nothing_is_on_pictures_lead_to_the_logo(client: Client) -> None:
    for path in ("/thumbnail.jpg", "/preview.gif"):
        answer = await client.get(path)
        assert (answer.status, answer.headers["Location"]) == (302, "/logo")
        assert "no-cache" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_pictures_are_only_shown(client: Client, method: str) -> None:
    assert (await client.request(method, "/thumbnail.jpg")).status == 405


async def answered(client: Client, path: str, status: int) -> Answer:
    """The first answer with this status: another process works on it."""
    with trio.fail_after(20):
        while (answer := await client.get(path)).status != status:  # noqa: ASYNC110
            await trio.sleep(0.05)
    return answer


def go_live(means: Means, segment: bytes) -> None:
    """As the broadcast does, with two qualities of which the second is the better one."""
    variants = [Variant("low", 100_000, 160, 90, 15, ""), Variant("high", 500_000, 160, 90, 15, "")]
    means.window.begin(variants, seconds=2, length=5)
    now = means.context.clock.now()
    means.window.add(0, Segment("stream-5e55-0.ts", b"no video at all", 2, now))
    means.window.add(1, Segment("stream-5e55-1.ts", segment, 2, now))
    means.on_air.metadata = Metadata(video_codec="H.264")
    means.on_air.phase = Phase.LIVE


async def test_the_best_quality_is_shown_while_it_is_live(tmp_path: Path, segment: bytes) -> None:
    async with open_test_house(
        tmp_path, plugins=["stream"], config={"plugins": {"stream": {"rtmp_bind": ""}}}
    ) as house:
        means = shared_of(house).broadcasts.means
        client = Client(house.dispatcher)
        go_live(means, segment)
        preview = await answered(client, "/preview.gif", 200)
        thumbnail = await client.get("/thumbnail.jpg")

        assert (preview.headers["Content-Type"], preview.body[:4]) == ("image/gif", b"GIF8")
        assert (thumbnail.headers["Content-Type"], thumbnail.body[:2]) == ("image/jpeg", b"\xff\xd8")
        assert thumbnail.headers["Access-Control-Allow-Origin"] == "*"

        means.on_air.phase = Phase.OFFLINE
        await answered(client, "/thumbnail.jpg", 302)


async def test_a_broadcaster_who_is_away_for_some_seconds_has_a_picture_still(tmp_path: Path, segment: bytes) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=NO_RTMP) as house:
        means = shared_of(house).broadcasts.means
        go_live(means, segment)
        means.on_air.phase = Phase.RECONNECTING
        await answered(Client(house.dispatcher), "/thumbnail.jpg", 200)


async def test_an_ffmpeg_that_takes_too_long_costs_its_picture_alone(
    tmp_path: Path, segment: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "TAKE_SECONDS", 0.5)
    slow = tmp_path / "ffmpeg"
    cases = 'case "$*" in *gif*) exec sleep 60;; *mjpeg*) cat >/dev/null; echo picture; exit;; esac'
    slow.write_text(f'#!/bin/sh\n{cases}\nexec ffmpeg "$@"\n')
    slow.chmod(0o755)
    config = {"plugins": {"stream": {"rtmp_bind": "", "ffmpeg": str(slow)}}}
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config) as house:
        means = shared_of(house).broadcasts.means
        client = Client(house.dispatcher)
        go_live(means, segment)
        thumbnail = await answered(client, "/thumbnail.jpg", 200)
        await until(lambda: any("took longer than 0.5 s" in line.message for line in means.logbook.newest_first()))

        assert thumbnail.body == b"picture\n"
        assert (await client.get("/preview.gif")).status == 302


@pytest.mark.parametrize("trouble", ["no ffmpeg", "no video"])
async def test_no_picture_is_a_warning_and_nothing_else(tmp_path: Path, segment: bytes, trouble: str) -> None:
    config = {"plugins": {"stream": {"rtmp_bind": "", "ffmpeg": "no-such" if trouble == "no ffmpeg" else "ffmpeg"}}}
    async with open_test_house(tmp_path, plugins=["stream"], config=config) as house:
        means = shared_of(house).broadcasts.means
        go_live(means, segment if trouble == "no ffmpeg" else b"noise")
        await until(lambda: any("No picture" in line.message for line in means.logbook.newest_first()))

        assert (await Client(house.dispatcher).get("/thumbnail.jpg")).status == 302


async def test_sound_alone_has_no_picture(tmp_path: Path, nursery: trio.Nursery) -> None:
    async with open_test_house(
        tmp_path, plugins=["stream"], config={"plugins": {"stream": {"rtmp_bind": ""}}}
    ) as house:
        means = shared_of(house).broadcasts.means
        go_live(means, b"sound")
        means.on_air.metadata = Metadata(audio_codec="AAC")
        photographer = Photographer(means)
        nursery.start_soon(photographer.run)
        await trio.testing.wait_all_tasks_blocked()

        assert photographer.newest == Pictures()
        nursery.cancel_scope.cancel()
