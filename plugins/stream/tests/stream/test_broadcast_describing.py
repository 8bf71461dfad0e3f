"""What is known of a broadcast: its metadata, its codecs, its variants."""

from __future__ import annotations

from typing import Any

import pytest

from manor_stream.broadcast.codecs import audio_name, codecs_in, refusal, size_of
from manor_stream.broadcast.metadata import completed, read_metadata
from manor_stream.broadcast.plan import Plan, describe_variants, size_of_quality
from manor_stream.media import Kind, Media
from manor_stream.on_air import Metadata
from manor_stream.quality import DEFAULT_QUALITIES, Quality
from manor_stream.transcoding.abilities import Abilities
from tests.stream_broadcast import recorded


def ffmpeg(number: tuple[int, int] = (5, 1)) -> Abilities:
    return Abilities("/usr/bin/ffmpeg", f"{number[0]}.{number[1]}", number, frozenset({"libx264"}))


def video(data: bytes) -> Media:
    return Media.of(Kind.VIDEO, 0, data)


def audio(data: bytes) -> Media:
    return Media.of(Kind.AUDIO, 0, data)


AVC = video(b"\x17\0\0\0\0")
ENHANCED_AVC = video(b"\x90avc1")
HEVC = video(b"\x90hvc1")
OLD_HEVC = video(b"\x1c\0\0\0\0")
AV1 = video(b"\x90av01")
ENCODED = (Quality(scaled_height=360),)


# --- Metadata ----------------------------------------------------------------------------------------------------


def test_metadata_is_read_as_encoders_send_it() -> None:
    raw = {
        "width": 1920.0,
        "height": 1080.0,
        "framerate": 60.0,
        "videodatarate": 6000.0,
        "videocodecid": 7.0,
        "audiodatarate": 160.0,
        "audiocodecid": 10.0,
        "encoder": "obs-output module (libobs version 30.0.2)",
        "stereo": True,
    }

    assert read_metadata(raw) == Metadata(
        1920, 1080, 60, 6000, "H.264", 160, "AAC", "obs-output module (libobs version 30.0.2)"
    )


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        (7.0, "H.264"),
        (12.0, "H.265"),
        ("avc1", "H.264"),
        ("hvc1", "H.265"),
        ("av01", "AV1"),
        ("H264", "H.264"),
        ("hevc", "H.265"),
        (float(int.from_bytes(b"hvc1", "big")), "H.265"),
        (float(int.from_bytes(b"av01", "big")), "AV1"),
        ("something new", "something new"),
        (99.0, ""),
        (7.5, ""),
        (-7.0, ""),
        (None, ""),
        (True, ""),
        ([7.0], ""),
        (float("nan"), ""),
        (float("inf"), ""),
        (1e30, ""),
    ],
)
def test_codecs_are_called_by_number_name_and_four_letters(value: Any, codec: str) -> None:
    assert read_metadata({"videocodecid": value}).video_codec == codec


@pytest.mark.parametrize("name", ["width", "height", "framerate", "videodatarate", "audiodatarate"])
@pytest.mark.parametrize("value", [-1.0, 1e12, float("nan"), float("inf"), "1920", None, True, {}, []])
def test_numbers_that_make_no_sense_are_nothing(name: str, value: Any) -> None:
    assert read_metadata({name: value}) == Metadata()


@pytest.mark.parametrize(("value", "text"), [("a\0b\nc", "abc"), ("x" * 999, "x" * 200), (7, ""), (None, "")])
def test_the_encoders_name_is_short_and_printable(value: Any, text: str) -> None:
    assert read_metadata({"encoder": value}).encoder == text


def test_headers_count_more_than_what_was_said() -> None:
    said = Metadata(1920, 1080, 60, 6000, "H.265", 160, "MP3", "liar")

    seen = completed(said, video_codec="H.264", audio_codec="", size=(160, 90))
    assert (seen.width, seen.height, seen.video_codec, seen.audio_codec) == (160, 90, "H.264", "")
    deaf = completed(said, video_codec="", audio_codec="AAC", size=None)
    assert (deaf.width, deaf.height, deaf.video_codec, deaf.audio_codec) == (0, 0, "", "AAC")


# --- Codecs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media", [AVC, audio(b"\xaf\0\x12\x10"), audio(b"\x2fmp3")])
@pytest.mark.parametrize("number", [(4, 4), (5, 1), (7, 1)])
def test_what_every_ffmpeg_reads_is_taken(media: Media, number: tuple[int, int]) -> None:
    assert refusal(media, ffmpeg(number), DEFAULT_QUALITIES) == ""


@pytest.mark.parametrize(
    ("media", "before", "since", "said"),
    [
        (HEVC, (5, 1), (6, 1), "H.265 over RTMP; send H.264"),
        (AV1, (6, 0), (6, 1), "AV1 over RTMP; send H.264"),
        (ENHANCED_AVC, (7, 1), (8, 0), "H.264 over RTMP; send H.264 by its number, without Enhanced RTMP"),
        (audio(b"\x90mp4a\x12\x10"), (7, 1), (8, 0), "AAC over RTMP; send AAC by its number, without Enhanced RTMP"),
        (audio(b"\x90.mp3"), (6, 1), (8, 0), "MP3 over RTMP; send AAC"),
    ],
)
def test_codecs_by_four_letters_need_a_newer_ffmpeg(
    media: Media, before: tuple[int, int], since: tuple[int, int], said: str
) -> None:
    number = ".".join(map(str, before))
    assert refusal(media, ffmpeg(before), ENCODED) == f"This server's ffmpeg ({number}) cannot read {said}"
    assert refusal(media, ffmpeg(since), ENCODED) == ""


def test_numbers_that_nobody_specified_are_read_by_no_ffmpeg() -> None:
    assert "cannot read H.265" in refusal(OLD_HEVC, ffmpeg((7, 1)), ENCODED)


def test_av1_cannot_pass_through() -> None:
    assert "as it comes" in refusal(AV1, ffmpeg((7, 1)), DEFAULT_QUALITIES)
    assert refusal(HEVC, ffmpeg((7, 1)), DEFAULT_QUALITIES) == ""


@pytest.mark.parametrize(
    ("media", "wanted"),
    [
        (video(b"\x12"), "H.264"),
        (video(b"\x14"), "H.264"),
        (video(b"\x1f"), "H.264"),
        (video(b"\x96....."), "H.264"),
        (audio(b"\xb0"), "AAC"),
        (audio(b"\x90Opus"), "AAC"),
        (audio(b"\x70"), "AAC"),
    ],
)
def test_anything_else_is_refused_with_what_to_send(media: Media, wanted: str) -> None:
    assert refusal(media, ffmpeg((7, 1)), ENCODED).endswith(f"send {wanted}")


def test_a_header_says_how_large_the_picture_is() -> None:
    header = next(media for media in recorded(seconds=2) if media.is_header and media.kind is Kind.VIDEO)

    assert size_of(header) == (160, 90)


@pytest.mark.parametrize("length", range(0, 46, 3))
def test_a_broken_header_says_nothing(length: int) -> None:
    header = next(media for media in recorded(seconds=2) if media.is_header and media.kind is Kind.VIDEO)
    cut = video(header.data[: min(length, 18)])

    assert size_of(cut) is None or not cut.data


def test_a_header_of_zeros_and_one_of_ones_end() -> None:
    for filler in (b"\0", b"\xff"):
        size_of(video(b"\x17\0\0\0\0" + b"\1\x64\0\x1f\xff\xe1\0\x40" + b"\x67" + filler * 63))


@pytest.mark.parametrize(
    ("data", "is_encoded", "name"),
    [
        (b"\xaf\0\x12\x10", False, "mp4a.40.2"),
        (b"\xaf\0\x2a\x10", False, "mp4a.40.5"),
        (b"\xaf\0\x2a\x10", True, "mp4a.40.2"),
        (b"\x2fmp3", False, "mp4a.40.34"),
        (b"\xaf\0", False, ""),
        (b"\xaf\0\xff\xff", False, ""),
    ],
)
def test_audio_has_the_name_that_players_know(data: bytes, is_encoded: bool, name: str) -> None:
    assert audio_name(audio(data), is_encoded=is_encoded) == name
    assert audio_name(None, is_encoded=is_encoded) == ""


@pytest.mark.parametrize(
    ("segment", "codecs"),
    [
        (b"\0\0\0\1\x09\xf0\0\0\0\1\x67\x64\0\x1f\xac", "avc1.64001f,mp4a.40.2"),
        (b"\0\0\1\x27\x42\xc0\x0a\x8c", "avc1.42c00a,mp4a.40.2"),
        (b"\0\0\1\x67\x64", "mp4a.40.2"),
        (b"", "mp4a.40.2"),
        (b"\0" * 100, "mp4a.40.2"),
    ],
)
def test_a_segment_says_what_it_is_encoded_with(segment: bytes, codecs: str) -> None:
    assert codecs_in(segment, audio="mp4a.40.2") == codecs


# --- Variants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quality", "size"),
    [
        (Quality(video_passthrough=True, scaled_height=360), (1920, 1080)),
        (Quality(), (1920, 1080)),
        (Quality(scaled_height=360), (640, 360)),
        (Quality(scaled_width=854), (854, 480)),
        (Quality(scaled_width=641, scaled_height=361), (640, 360)),
    ],
)
def test_a_side_that_is_left_out_keeps_the_aspect(quality: Quality, size: tuple[int, int]) -> None:
    assert size_of_quality(quality, (1920, 1080)) == size


def test_a_size_that_nobody_knows_stays_unknown() -> None:
    assert size_of_quality(Quality(scaled_height=360), (0, 0)) == (0, 0)


def test_variants_are_described_as_they_are_made() -> None:
    plan = Plan((*DEFAULT_QUALITIES, Quality(scaled_height=360, video_bitrate=800, framerate=25)), 2, "libx264")
    source = Metadata(1920, 1080, 60, 6000, "H.264", 160, "AAC")

    first, second = describe_variants(plan, source, ("avc1.640028,mp4a.40.2", "avc1.64001e,mp4a.40.2"))
    assert (first.name, first.bandwidth, first.width, first.frame_rate) == ("As broadcast", 0, 1920, 60)
    assert (second.name, second.width, second.height, second.frame_rate) == ("360p 800 kbit/s", 640, 360, 25)
    assert 800_000 < second.bandwidth < 1_300_000
    assert second.codecs == "avc1.64001e,mp4a.40.2"


def test_sound_alone_has_no_size() -> None:
    plan = Plan((*DEFAULT_QUALITIES, Quality(audio_bitrate=64)), 2, "libx264")

    for variant in describe_variants(plan, Metadata(audio_codec="AAC", audio_bitrate=96)):
        assert (variant.width, variant.height, variant.frame_rate) == (0, 0, 0)
        assert variant.bandwidth < 150_000
