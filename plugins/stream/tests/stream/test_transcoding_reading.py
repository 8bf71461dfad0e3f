"""What ffmpeg says: its playlists, its progress, its version and its encoders."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manor_stream.transcoding.abilities import read_encoders, read_version
from manor_stream.transcoding.playlists_in import Listed, read_playlist
from manor_stream.transcoding.progress import Pace, Progress, ProgressReader
from manor_stream.transcoding.uploads import MOST_WAITING, PLAYLIST, Unwanted, Uploads

AT = datetime(2030, 1, 2, 12, 0, 0, 500_000, UTC)


def playlist(*numbers: int, seconds: float = 2.0) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for number in numbers:
        lines += [f"#EXTINF:{seconds:.6f},", f"http://127.0.0.1:9/secret/0/stream-5e55-{number}.ts"]
    return "\n".join(lines).encode()


# --- Playlists ---------------------------------------------------------------------------------------------------


def test_a_playlist_says_names_durations_and_times() -> None:
    text = (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXTINF:2.000000,\n#EXT-X-PROGRAM-DATE-TIME:2030-01-02T12:00:00.500+0000\n"
        "stream-5e55-0.ts\n#EXTINF:1.966667,\nstream-5e55-1.ts\n#EXT-X-ENDLIST\n"
    )

    assert read_playlist(text) == [Listed("stream-5e55-0.ts", 2.0, AT), Listed("stream-5e55-1.ts", 1.966667, None)]


def test_times_of_other_zones_are_told_in_utc() -> None:
    text = "#EXTINF:2,\n#EXT-X-PROGRAM-DATE-TIME:2030-01-02T17:30:00.500+0530\na.ts\n"

    assert read_playlist(text)[0].at == AT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\0\0",
        "a.ts",
        "#EXTINF:,\na.ts",
        "#EXTINF:nan,\na.ts",
        "#EXTINF:inf,\na.ts",
        "#EXTINF:-1,\na.ts",
        "#EXTINF:0,\na.ts",
        "#EXTINF:two,\na.ts",
        "#EXTINF\na.ts",
        "#EXTINF:2,",
        "#EXTINF:99999999,\na.ts",
    ],
)
def test_what_makes_no_sense_is_no_segment(text: str) -> None:
    assert read_playlist(text) == []


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2030-01-02T12:00:00", "2030-13-02T12:00:00+0000", "0001-01-01T00:00:00+2359"]
)
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    assert read_playlist(f"#EXTINF:2,\n#EXT-X-PROGRAM-DATE-TIME:{time}\na.ts") == [Listed("a.ts", 2.0, None)]


def test_only_the_last_part_of_a_url_is_a_name() -> None:
    assert [listed.name for listed in read_playlist(playlist(3).decode())] == ["stream-5e55-3.ts"]


# --- Uploads -----------------------------------------------------------------------------------------------------


class Taken:
    def __init__(self, variants: int = 1) -> None:
        self.segments: list[tuple[int, str, float, bytes]] = []
        self.uploads = Uploads(variants, "5e55", self._take)

    def _take(self, variant: int, listed: Listed, data: bytes) -> None:
        self.segments.append((variant, listed.name, listed.seconds, data))

    def segment(self, number: int, variant: int = 0) -> None:
        self.uploads.take(variant, f"stream-5e55-{number}.ts", b"%d" % number)

    def listing(self, *numbers: int, variant: int = 0) -> None:
        self.uploads.take(variant, PLAYLIST, playlist(*numbers))

    @property
    def numbers(self) -> list[bytes]:
        return [data for _, _, _, data in self.segments]


def test_a_segment_is_there_once_a_playlist_says_how_long_it_is() -> None:
    taken = Taken()
    taken.segment(0)
    assert taken.segments == []
    taken.listing(0)
    assert taken.segments == [(0, "stream-5e55-0.ts", 2.0, b"0")]


def test_a_playlist_may_overtake_its_segment() -> None:
    taken = Taken()
    taken.listing(0, 1)
    taken.segment(1)
    assert taken.segments == []
    taken.segment(0)
    assert taken.numbers == [b"0", b"1"]


def test_a_segment_that_many_playlists_list_is_there_once() -> None:
    taken = Taken()
    for number in range(4):
        taken.segment(number)
        taken.listing(*range(number + 1))
    assert taken.numbers == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "name", ["stream-5e55-" + "9" * 5_000 + ".ts", "stream-0the7-7.ts", "stream-5e55-٣.ts", "stream-5e55-7.ts.ts", "x"]
)
def test_a_playlist_that_lists_what_is_not_ours_hides_no_segment(name: str) -> None:
    taken = Taken()
    taken.uploads.take(0, PLAYLIST, f"#EXTINF:2,\n{name}\n".encode())
    taken.segment(0)
    taken.listing(0)

    assert taken.numbers == [b"0"]


def test_variants_do_not_wait_for_each_other() -> None:
    taken = Taken(variants=2)
    taken.segment(0, variant=1)
    taken.listing(0, variant=1)
    taken.segment(0, variant=0)
    assert taken.segments == [(1, "stream-5e55-0.ts", 2.0, b"0")]


def test_a_segment_that_never_comes_is_not_waited_for_forever() -> None:
    taken = Taken()
    for number in range(1, MOST_WAITING + 2):
        taken.listing(*range(number + 1))
        taken.segment(number)
    assert taken.numbers[0] == b"1"


def test_segments_that_nobody_lists_are_few() -> None:
    taken = Taken()
    for number in range(100):
        taken.segment(number)
    taken.listing(*range(100))
    assert len(taken.numbers) <= MOST_WAITING


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("0", "stream-5e55-0.ts.part"),
        ("0", "stream-0ther-0.ts"),
        ("0", "stream-5e55-.ts"),
        ("0", "stream-5e55-1234567890.ts"),
        ("0", "..%2fmanor.db"),
        ("0", "master.m3u8"),
        ("0", ""),
        ("2", PLAYLIST),
        ("-1", PLAYLIST),
        ("", PLAYLIST),
        ("²", PLAYLIST),
        ("0000", PLAYLIST),
    ],
)
def test_a_file_that_nobody_waits_for_is_not_wanted(variant: str, name: str) -> None:
    with pytest.raises(Unwanted):
        Taken(variants=2).uploads.check(variant, name)


# --- Progress ----------------------------------------------------------------------------------------------------

REPORT = b"frame=60\nfps=30.0\nbitrate=N/A\nout_time_us=2000000\ndrop_frames=1\nspeed=0.99x\nprogress=continue\n"


def test_reports_are_read_however_they_are_cut() -> None:
    reader = ProgressReader()
    reports = [report for byte in REPORT * 2 for report in reader.feed(bytes([byte]))]

    assert reports == [Progress(out_seconds=2.0, speed=0.99, frames=60, dropped=1)] * 2


@pytest.mark.parametrize("value", [b"N/A", b"", b"-9223372036854775807", b"nan", b"inf", b"\xff"])
def test_what_ffmpeg_does_not_know_is_nothing(value: bytes) -> None:
    [report] = ProgressReader().feed(b"out_time_us=" + value + b"\nspeed=" + value + b"\nprogress=end\n")

    assert report == Progress(0, 0, 0, 0)


def test_a_line_without_end_takes_no_memory() -> None:
    reader = ProgressReader()
    for _ in range(100):
        reader.feed(b"x" * 10_000)

    assert len(reader._rest) < 100_000


def test_the_pace_is_known_after_ten_seconds() -> None:
    pace = Pace()

    assert [pace.note(second, second * 0.5) for second in range(1, 11)] == [None] * 10
    assert pace.note(11, 5.5) == pytest.approx(0.5)


def test_the_pace_forgets_how_it_was_before() -> None:
    pace = Pace()
    for second in range(30):
        pace.note(second, second * 0.5)
    for second in range(30, 45):
        speed = pace.note(second, 15 + (second - 30))

    assert speed == pytest.approx(1.0)


# --- Abilities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "version", "number"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000", "5.1.9-0+deb12u1", (5, 1)),
        ("ffmpeg version 6.1 Copyright", "6.1", (6, 1)),
        ("ffmpeg version n7.0.2 Copyright", "n7.0.2", (7, 0)),
        ("ffmpeg version N-118193-g5f38c82536 Copyright", "N-118193-g5f38c82536", (99, 0)),
        ("ffmpeg version strange Copyright", "strange", (0, 0)),
        ("avconv version 9", "", (0, 0)),
        ("", "", (0, 0)),
    ],
)
def test_versions_are_read(text: str, version: str, number: tuple[int, int]) -> None:
    assert read_version(text) == (version, number)


def test_encoders_are_those_below_the_legend() -> None:
    text = "Encoders:\n V..... = Video\n ------\n V....D libx264   H.264 (codec h264)\n A..... aac   AAC\n\n"

    assert read_encoders(text) == {"libx264", "aac"}


@pytest.mark.parametrize("text", ["", "Unknown option", " V..... = Video"])
def test_a_program_that_lists_nothing_has_no_encoders(text: str) -> None:
    assert read_encoders(text) == frozenset()
