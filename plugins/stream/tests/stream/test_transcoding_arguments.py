"""What ffmpeg is told."""

from __future__ import annotations

import pytest

from manor_stream.quality import LATENCY_LEVELS, Quality
from manor_stream.transcoding.arguments import Input, Output, arguments

AS_IT_COMES = Quality(video_passthrough=True, audio_passthrough=True)
HD = Quality(video_bitrate=2500, audio_bitrate=128, scaled_height=720, framerate=30, cpu_usage_level=3)
BOTH = Input(has_video=True, has_audio=True)


def told(*qualities: Quality, codec: str = "libx264", latency_level: int = 2, source: Input = BOTH) -> list[str]:
    return arguments(
        "/usr/bin/ffmpeg",
        qualities,
        codec=codec,
        latency_level=latency_level,
        source=source,
        output=Output("http://ffmpeg@segments.invalid", "5e55"),
    )


def after(argv: list[str], option: str) -> str | None:
    return argv[argv.index(option) + 1] if option in argv else None


def test_nothing_that_was_read_to_probe_is_thrown_away() -> None:
    argv = told(AS_IT_COMES)

    assert "nobuffer" not in " ".join(argv)
    assert (after(argv, "-analyzeduration"), after(argv, "-probesize")) == ("1000000", "500000")


def test_what_passes_through_is_not_encoded() -> None:
    argv = told(AS_IT_COMES)

    assert (after(argv, "-c:v:0"), after(argv, "-c:a:0")) == ("copy", "copy")
    assert not [option for option in argv if option.startswith(("-b:", "-r:", "-filter:", "-preset:"))]


def test_an_encoded_quality_is_made_as_it_says() -> None:
    argv = told(HD)

    assert after(argv, "-c:v:0") == "libx264"
    assert after(argv, "-b:v:0") == "2500k"
    assert after(argv, "-preset:v:0") == "veryfast"
    assert after(argv, "-r:v:0") == "30"
    assert after(argv, "-filter:v:0") == "scale=-2:720,format=yuv420p"
    assert (after(argv, "-c:a:0"), after(argv, "-b:a:0")) == ("aac", "128k")


def test_settings_of_one_quality_are_not_those_of_another() -> None:
    argv = told(AS_IT_COMES, HD, Quality(video_bitrate=400, scaled_width=320, framerate=15))

    assert [after(argv, f"-c:v:{place}") for place in range(3)] == ["copy", "libx264", "libx264"]
    assert [after(argv, f"-b:v:{place}") for place in range(3)] == [None, "2500k", "400k"]
    assert [after(argv, f"-filter:v:{place}") for place in range(1, 3)] == [
        "scale=-2:720,format=yuv420p",
        "scale=320:-2,format=yuv420p",
    ]
    assert after(argv, "-var_stream_map") == "v:0,a:0 v:1,a:1 v:2,a:2"


@pytest.mark.parametrize(
    ("source", "mapped", "streams"),
    [
        (BOTH, ["0:v:0", "0:a:0?", "0:v:0", "0:a:0?"], "v:0,a:0 v:1,a:1"),
        (Input(has_video=True, has_audio=False), ["0:v:0", "0:v:0"], "v:0 v:1"),
        (Input(has_video=False, has_audio=True), ["0:a:0?", "0:a:0?"], "a:0 a:1"),
    ],
)
def test_only_what_is_sent_is_mapped(source: Input, mapped: list[str], streams: str) -> None:
    argv = told(AS_IT_COMES, HD, source=source)

    assert [argv[place + 1] for place, word in enumerate(argv) if word == "-map"] == mapped
    assert after(argv, "-var_stream_map") == streams
    assert ("-c:v:0" in argv, "-c:a:0" in argv) == (source.has_video, source.has_audio)


@pytest.mark.parametrize("level", sorted(LATENCY_LEVELS))
def test_segments_are_as_long_as_the_latency_level_says(level: int) -> None:
    argv = told(HD, latency_level=level)
    seconds = LATENCY_LEVELS[level][0]

    assert after(argv, "-hls_time") == str(seconds)
    assert after(argv, "-force_key_frames:v:0") == f"expr:gte(t,n_forced*{seconds})"
    assert after(argv, "-g:v:0") == str(30 * seconds)


@pytest.mark.parametrize(("level", "is_quick"), [(0, True), (1, True), (2, False), (3, False), (4, False)])
def test_x264_looks_ahead_only_where_latency_may_be_high(level: int, is_quick: bool) -> None:
    assert ("-x264-params:v:0" in told(HD, latency_level=level)) is is_quick


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [
        (0, 0, "scale=trunc(iw/2)*2:trunc(ih/2)*2"),
        (640, 0, "scale=640:-2"),
        (0, 360, "scale=-2:360"),
        (640, 360, "scale=640:360"),
        (641, 361, "scale=640:360"),
        (1, 0, "scale=trunc(iw/2)*2:trunc(ih/2)*2"),
    ],
)
def test_sizes_are_even(width: int, height: int, scale: str) -> None:
    argv = told(Quality(scaled_width=width, scaled_height=height))

    assert after(argv, "-filter:v:0") == f"{scale},format=yuv420p"


@pytest.mark.parametrize(
    ("codec", "ends_with"),
    [
        ("h264_nvenc", "format=yuv420p"),
        ("h264_vaapi", "format=nv12,hwupload"),
        ("h264_qsv", "format=nv12"),
        ("h264_v4l2m2m", "format=yuv420p"),
        ("h264_omx", "format=yuv420p"),
        ("h264_videotoolbox", "format=yuv420p"),
    ],
)
def test_other_encoders_get_none_of_what_is_for_x264(codec: str, ends_with: str) -> None:
    argv = told(HD, codec=codec, latency_level=0)

    assert after(argv, "-c:v:0") == codec
    assert (after(argv, "-filter:v:0") or "").endswith(ends_with)
    assert "-x264-params:v:0" not in argv
    assert after(argv, "-preset:v:0") in (None, "p3")
    assert ("-vaapi_device" in argv) is (codec == "h264_vaapi")


@pytest.mark.parametrize(("bitrate", "framerate", "expected"), [(0, 0, ("1200k", "24")), (80, 12, ("80k", "12"))])
def test_zeros_are_what_the_api_says_they_are(bitrate: int, framerate: int, expected: tuple[str, str]) -> None:
    argv = told(Quality(video_bitrate=bitrate, framerate=framerate, audio_bitrate=0))

    assert (after(argv, "-b:v:0"), after(argv, "-r:v:0")) == expected
    assert after(argv, "-c:a:0") == "copy"


def test_files_go_where_they_are_waited_for_under_names_of_this_session() -> None:
    argv = told(AS_IT_COMES)

    assert after(argv, "-hls_segment_filename") == "http://ffmpeg@segments.invalid/%v/stream-5e55-%d.ts"
    assert argv[-1] == "http://ffmpeg@segments.invalid/%v/stream.m3u8"
    assert after(argv, "-method") == "PUT"
