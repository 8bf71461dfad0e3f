"""What players are answered below /hls."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from manor import Head, NotFound, Reply, Request
from manor.testing import Client, House
from manor_stream.hls.http import VideoHandlers
from manor_stream.hls.window import Window
from tests.stream_hls import CLIP, HIGH, LOW, read, segment
from tests.stream_watching import go_live, shared_of


@pytest.fixture
def window(house: House) -> Window:
    """The house's, with three segments of two variants."""
    window = shared_of(house).window
    window.begin([HIGH, LOW], seconds=2, length=5)
    for number in range(3):
        for variant in range(2):
            window.add(variant, segment(number, session=f"v{variant}", size=100))
    return window


# --- Playlists -----------------------------------------------------------------------------------------------------


async def test_before_there_is_a_clip_there_is_nothing_to_watch(client: Client, house: House) -> None:
    shared_of(house).window.reset([LOW], [None])
    answer = await client.get("/hls/stream.m3u8")

    assert answer.status == 404
    assert answer.json() == {"success": False, "message": "There is nothing to watch yet"}
    assert (await client.get("/hls/0/stream.m3u8")).status == 404


async def test_no_cache_keeps_that_there_is_nothing_to_watch(client: Client) -> None:
    for path in ("/hls/stream.m3u8", "/hls/0/stream.m3u8", "/hls/0/stream-v0-1.ts"):
        answer = await client.get(path)
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-cache, no-store, must-revalidate")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_before_the_first_broadcast_the_offline_clip_is_watched(client: Client, house: House) -> None:
    shared_of(house).window.reset([LOW], [CLIP])

    assert "0/stream.m3u8" in (await client.get("/hls/stream.m3u8")).text
    assert read((await client.get("/hls/0/stream.m3u8")).body).names == ["offline.ts"]
    assert (await client.get("/hls/0/offline.ts")).body == CLIP.data


async def test_the_master_names_the_variants_as_they_were_configured(client: Client, window: Window) -> None:
    answer = await client.get("/hls/stream.m3u8")
    lines = answer.text.splitlines()

    assert [line for line in lines if not line.startswith("#")] == ["0/stream.m3u8", "1/stream.m3u8"]
    assert [line for line in lines if "RESOLUTION=1280x720" in line] == [lines[3]]
    assert answer.headers["Content-Type"] == "application/x-mpegURL"


async def test_playlists_are_never_cached_and_open_to_every_page(client: Client, window: Window) -> None:
    for path in ("/hls/stream.m3u8", "/hls/0/stream.m3u8", "/hls/1/stream.m3u8"):
        answer = await client.get(path)

        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/x-mpegURL"
        assert answer.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "ETag" not in answer.headers


async def test_every_segment_that_is_listed_can_be_fetched(client: Client, window: Window) -> None:
    for variant in range(2):
        playlist = read((await client.get(f"/hls/{variant}/stream.m3u8")).body)
        assert len(playlist.names) == 3
        for name in playlist.names:
            found = window.find(variant, name)
            assert found is not None
            assert (await client.get(f"/hls/{variant}/{name}")).body == found.data


async def test_playlists_follow_the_window(client: Client, window: Window) -> None:
    before = read((await client.get("/hls/0/stream.m3u8")).body)
    window.add(0, segment(3, session="v0"))
    after = read((await client.get("/hls/0/stream.m3u8")).body)
    window.describe([LOW, HIGH])

    assert after.names == [*before.names, "stream-v0-3.ts"]
    assert "RESOLUTION=640x360" in (await client.get("/hls/stream.m3u8")).text.splitlines()[3]


async def test_a_playlist_tells_that_somebody_watches_and_a_segment_does_not(
    client: Client, house: House, window: Window
) -> None:
    go_live(house)
    somebody = client(address="192.0.2.1", headers={"User-Agent": "player"})

    async def count() -> int:
        viewers: int = (await client.get("/api/status")).json()["viewerCount"]
        return viewers

    await somebody.get("/hls/0/stream-v0-0.ts")
    await somebody.request("HEAD", "/hls/0/stream.m3u8")
    await somebody.get("/hls/7/stream.m3u8")
    before = await count()
    await somebody.get("/hls/0/stream.m3u8")
    await somebody.get("/hls/1/stream.m3u8")
    once = await count()
    await client(address="192.0.2.2").get("/hls/stream.m3u8")

    assert (before, once, await count()) == (0, 1, 2)


@dataclass
class Bucket:
    """Says where variants are."""

    urls: dict[int, str] = field(default_factory=dict)


async def test_variants_elsewhere_are_named_there_and_have_no_playlist_here(window: Window) -> None:
    touched: list[str] = []
    bucket = Bucket({1: "https://cdn.example/bucket/hls/1"})
    handlers = VideoHandlers(window, lambda address, agent: touched.append(address), bucket.urls.get)

    def ask(**params: str) -> Request:
        return Request(Head("GET", b"/"), params, None, None)

    def uris(reply: Reply) -> list[str]:
        return [line for line in reply.body.decode().splitlines() if not line.startswith("#")]

    assert uris(handlers.master(ask())) == ["0/stream.m3u8", "https://cdn.example/bucket/hls/1/stream.m3u8"]
    assert handlers.playlist(ask(variant="0")).status == 200
    with pytest.raises(NotFound):
        handlers.playlist(ask(variant="1"))
    # What players have begun with is still there for a while.
    assert handlers.segment(ask(variant="1", segment="stream-v1-0.ts")).status == 200
    bucket.urls.clear()
    assert uris(handlers.master(ask())) == ["0/stream.m3u8", "1/stream.m3u8"]
    assert len(touched) == 3


# --- Segments ------------------------------------------------------------------------------------------------------

SEGMENT = "/hls/0/stream-v0-1.ts"
DATA = segment(1, session="v0", size=100).data


async def test_a_segment_may_be_kept_by_whoever_stands_between(client: Client, window: Window) -> None:
    answer = await client.get(SEGMENT)

    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["Content-Type"] == "video/mp2t"
    assert answer.headers["Cache-Control"] == "public, max-age=60, immutable"
    assert answer.headers["ETag"] == '"stream-v0-1.ts"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_who_has_a_segment_is_told_so(client: Client, window: Window) -> None:
    answer = await client.get(SEGMENT, headers={"If-None-Match": '"stream-v0-1.ts"'})

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == '"stream-v0-1.ts"'
    assert "Content-Type" not in answer.headers


async def test_a_part_of_a_segment_is_given(client: Client, window: Window) -> None:
    answer = await client.get(SEGMENT, headers={"Range": "bytes=10-19"})

    assert (answer.status, answer.body) == (206, DATA[10:20])
    assert answer.headers["Content-Range"] == "bytes 10-19/100"
    assert answer.headers["Content-Type"] == "video/mp2t"


async def test_a_part_that_is_not_there_is_416(client: Client, window: Window) -> None:
    answer = await client.get(SEGMENT, headers={"Range": "bytes=100-"})

    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */100"
    assert answer.json()["success"] is False


async def test_head_has_the_headers_alone(client: Client, window: Window) -> None:
    for path in (SEGMENT, "/hls/0/stream.m3u8", "/hls/stream.m3u8"):
        got, head = await client.get(path), await client.request("HEAD", path, headers={"Range": "bytes=0-1"})
        assert (head.status, head.body) == (200, b"")
        assert {**head.headers, "x-request-id": ""} == {**got.headers, "x-request-id": ""}


async def test_segments_go_when_they_are_old(client: Client, window: Window) -> None:
    for number in range(3, 20):
        window.add(0, segment(number, session="v0"))

    assert (await client.get("/hls/0/stream-v0-5.ts")).status == 200
    answer = await client.get("/hls/0/stream-v0-4.ts")
    assert answer.status == 404
    assert "not any more" in answer.json()["message"]


# --- Everything else -----------------------------------------------------------------------------------------------


NOWHERE = [
    "/hls",
    "/hls/",
    "/hls//stream.m3u8",
    "/hls/stream",
    "/hls/stream.m3u8/",
    "/hls/stream.mp4",
    "/hls/0",
    "/hls/0/",
    "/hls/2/stream.m3u8",
    "/hls/00/stream.m3u8",
    "/hls/0x0/stream.m3u8",
    "/hls/-1/stream.m3u8",
    "/hls/+0/stream.m3u8",
    "/hls/0.0/stream.m3u8",
    "/hls/%D9%A0/stream.m3u8",
    "/hls/%C2%B2/stream.m3u8",
    "/hls/" + "9" * 5000 + "/stream.m3u8",
    "/hls/0/stream.M3U8",
    "/hls/0/stream-v0-1.ts/",
    "/hls/0/stream-v0-1.ts%00",
    "/hls/0/stream-v1-1.ts",
    "/hls/0/stream-v0-01.ts",
    "/hls/0/stream-v0-" + "9" * 5000 + ".ts",
    "/hls/0/../stream.m3u8",
    "/hls/0/..%2Fstream.m3u8",
    "/hls/0%2Fstream.m3u8",
    "/hls/0/%2e%2e/%2e%2e/etc/passwd",
    "/hls/0/..%2f..%2f..%2fetc%2fpasswd",
    "/hls/0/%5c..%5c..%5cmanor.db",
    "/hls/0//etc/passwd",
    "/hls/0/manor.db",
    "/hls/0/config.toml",
    "/hls/0/%ff",
    "/hls/0/%",
    "/hls/~/.ssh/id_rsa",
]


async def test_nothing_else_is_there(client: Client, window: Window) -> None:
    for path in NOWHERE:
        answers = [await client.request(method, path) for method in ("GET", "HEAD")]
        assert [answer.status for answer in answers] == [404, 404], path
        assert answers[0].text.isprintable()
        assert set(answers[0].json()) <= {"success", "message", "detail"}


PATHS = ("/hls/stream.m3u8", "/hls/0/stream.m3u8", SEGMENT)


async def test_playlists_and_segments_are_only_read(client: Client, window: Window) -> None:
    for path in PATHS:
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
            answer = await client.request(method, path, body=b"#EXTM3U")
            assert answer.status == 405, (method, path)
            assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert (await client.get(path)).status == 200


async def test_a_page_of_any_origin_may_ask_for_parts(client: Client, window: Window) -> None:
    asked = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "range",
    }
    for path in (*PATHS, "/hls/0/gone.ts"):
        answer = await client.request("OPTIONS", path, headers=asked)

        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert answer.headers["Access-Control-Allow-Headers"] == "range"


async def test_credentials_that_nobody_asked_for_do_no_harm(client: Client, window: Window) -> None:
    for headers in ({"Authorization": "Bearer nonsense"}, {"Authorization": "Basic !"}, {"Cookie": "session=x"}):
        assert (await client.get(SEGMENT, headers=headers)).status == 200


@pytest.mark.manor(config={"server": {"limits": {"address_limit_factor": 0.0001}}})
async def test_an_address_may_fetch_so_much(client: Client, window: Window) -> None:
    statuses = [(await client.get(SEGMENT)).status for _ in range(3)]

    assert statuses == [200, 429, 429]
    assert (await client(address="192.0.2.9").get(SEGMENT)).status == 200
