"""How playlists read, byte by byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from manor_stream.hls.playlists import render_master, render_media, rounded
from manor_stream.hls.segments import Entry, Segment, Variant
from tests.stream_hls import HIGH, LOW

AT = datetime(2030, 1, 2, 12, 0, 1, 234_567, tzinfo=UTC)


def test_a_media_playlist_reads_so() -> None:
    entries = [
        Entry(Segment("stream-a-8.ts", b"", 2.0004, AT), 41, 3, 1, 0),
        Entry(Segment("stream-a-9.ts", b"", 1.5, AT + timedelta(seconds=2)), 42, 3, 0, 1),
        Entry(Segment("stream-b-0.ts", b"", 2.96, AT + timedelta(seconds=60)), 43, 4, 1, 2),
    ]

    assert render_media(entries, target=3, is_ended=True).decode() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        "#EXT-X-TARGETDURATION:3\n"
        "#EXT-X-MEDIA-SEQUENCE:41\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-DISCONTINUITY\n"
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-02T12:00:01.234Z\n"
        "#EXTINF:2.000,\n"
        "stream-a-8.ts\n"
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-02T12:00:03.234Z\n"
        "#EXTINF:1.500,\n"
        "stream-a-9.ts\n"
        "#EXT-X-DISCONTINUITY\n"
        "#EXT-X-PROGRAM-DATE-TIME:2030-01-02T12:01:01.234Z\n"
        "#EXTINF:2.960,\n"
        "stream-b-0.ts\n"
        "#EXT-X-ENDLIST\n"
    )


def test_times_of_other_zones_are_told_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    body = render_media([Entry(Segment("a.ts", b"", 2, elsewhere), 0, 0, 0, 0)], target=2, is_ended=False)

    assert b"#EXT-X-PROGRAM-DATE-TIME:2030-01-02T12:00:01.234Z\n" in body


def test_a_master_playlist_reads_so() -> None:
    assert render_master([(HIGH, "0/stream.m3u8"), (LOW, "https://cdn.example/b/hls/1/stream.m3u8")]).decode() == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=2000000,RESOLUTION=1280x720,FRAME-RATE=30.000,"
        'CODECS="avc1.64001f,mp4a.40.2"\n'
        "0/stream.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,FRAME-RATE=24.000\n"
        "https://cdn.example/b/hls/1/stream.m3u8\n"
    )


def test_what_nobody_knows_is_left_out_but_the_bandwidth() -> None:
    body = render_master([(Variant("", 0, 0, 0, 0, ""), "0/stream.m3u8")])

    assert b"#EXT-X-STREAM-INF:BANDWIDTH=1000000\n0/stream.m3u8\n" in body


@pytest.mark.parametrize(("seconds", "whole"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (3.499, 3)])
def test_durations_are_rounded_halves_up(seconds: float, whole: int) -> None:
    assert rounded(seconds) == whole
