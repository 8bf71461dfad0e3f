"""What ffmpeg is told: its arguments, made of the qualities and of what the publisher sends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manor_stream.quality import LATENCY_LEVELS, Quality

LOW_LATENCY_LEVELS = (0, 1)
QUICK_X264 = "rc-lookahead=0:sync-lookahead=0:sliced-threads=1"
"""Without it x264 keeps three quarters of a second of frames back, to look ahead."""

ANALYZE_MICROSECONDS = 1_000_000
PROBE_BYTES = 500_000
LISTED = 6
"""Segments in the playlists that ffmpeg sends; ours are longer, and made of what these say."""

NVENC_PRESETS = {1: "p1", 2: "p2", 3: "p3", 4: "p4", 5: "p5"}
VAAPI_DEVICE = "/dev/dri/renderD128"


@dataclass(frozen=True)
class Input:
    """What the publisher sends, as its headers showed it."""

    has_video: bool
    has_audio: bool


@dataclass(frozen=True)
class Output:
    """Where segments go.

    Args:
        url: Begins the URL of everything that ffmpeg sends; no slash at its end.
        session: Part of the segments' names, never used before.
    """

    url: str
    session: str


def segment_seconds(latency_level: int) -> int:
    """How long segments are to be."""
    return LATENCY_LEVELS[latency_level][0]


def arguments(
    program: str,
    qualities: Sequence[Quality],
    *,
    codec: str,
    latency_level: int,
    source: Input,
    output: Output,
) -> list[str]:
    """The whole command, for a child that reads FLV from its standard input and tells its progress on its output.

    Args:
        program: The ffmpeg to run.
        qualities: What to make; at least one.
        codec: The video encoder, by ffmpeg's name; must be one that it has.
        latency_level: 0 to 4.
        source: What comes in; at least one of both.
        output: Where it goes.
    """
    seconds = segment_seconds(latency_level)
    # `-fflags nobuffer` stays out: ffmpeg would throw away what it read to find out what comes in.
    command = [program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning", "-progress", "pipe:1"]
    if codec == "h264_vaapi" and source.has_video:
        command += ["-vaapi_device", VAAPI_DEVICE]
    command += ["-analyzeduration", str(ANALYZE_MICROSECONDS), "-probesize", str(PROBE_BYTES)]
    command += ["-f", "flv", "-i", "pipe:0"]
    maps = (["-map", "0:v:0"] if source.has_video else []) + (["-map", "0:a:0?"] if source.has_audio else [])
    command += maps * len(qualities)
    for place, quality in enumerate(qualities):
        if source.has_video:
            command += _video(place, quality, codec, latency_level)
        if source.has_audio:
            command += _audio(place, quality)
    return command + _segments(len(qualities), seconds, source, output)


def _video(place: int, quality: Quality, codec: str, latency_level: int) -> list[str]:
    if quality.video_passthrough:
        return [f"-c:v:{place}", "copy"]
    seconds = segment_seconds(latency_level)
    told = [f"-c:v:{place}", codec, f"-b:v:{place}", f"{quality.bitrate}k"]
    # Players choose by the most that a variant takes: what is over the average has to stay small.
    told += [
        f"-maxrate:v:{place}",
        f"{round(quality.bitrate * 1.1)}k",
        f"-bufsize:v:{place}",
        f"{quality.bitrate * 2}k",
    ]
    told += [f"-r:v:{place}", str(quality.frames), f"-g:v:{place}", str(quality.frames * seconds)]
    told += [f"-force_key_frames:v:{place}", f"expr:gte(t,n_forced*{seconds})"]
    filters = _scale(quality)
    match codec:
        case "libx264":
            told += [f"-preset:v:{place}", quality.preset, f"-sc_threshold:v:{place}", "0"]
            if latency_level in LOW_LATENCY_LEVELS:
                told += [f"-x264-params:v:{place}", QUICK_X264]
        case "h264_nvenc":
            told += [f"-preset:v:{place}", NVENC_PRESETS[quality.cpu_usage_level], f"-forced-idr:v:{place}", "1"]
        case "h264_videotoolbox":
            told += [f"-realtime:v:{place}", "1"]
    match codec:
        case "h264_vaapi":
            filters += ["format=nv12", "hwupload"]
        case "h264_qsv":
            filters += ["format=nv12"]
        case _:
            filters += ["format=yuv420p"]
    return [*told, f"-filter:v:{place}", ",".join(filters)]


def _scale(quality: Quality) -> list[str]:
    """One side alone keeps the aspect; encoders want both to be even."""
    width, height = (side - side % 2 for side in (quality.scaled_width, quality.scaled_height))
    if not width and not height:
        return ["scale=trunc(iw/2)*2:trunc(ih/2)*2"]
    return [f"scale={width or -2}:{height or -2}"]


def _audio(place: int, quality: Quality) -> list[str]:
    if quality.copies_audio:
        return [f"-c:a:{place}", "copy"]
    return [f"-c:a:{place}", "aac", f"-b:a:{place}", f"{quality.audio_bitrate}k", f"-ac:a:{place}", "2"]


def _segments(count: int, seconds: int, source: Input, output: Output) -> list[str]:
    streams = [kind for kind, is_there in (("v", source.has_video), ("a", source.has_audio)) if is_there]
    variants = " ".join(",".join(f"{kind}:{place}" for kind in streams) for place in range(count))
    return [
        *("-max_muxing_queue_size", "1024"),
        *("-f", "hls", "-hls_time", str(seconds), "-hls_list_size", str(LISTED)),
        *("-hls_segment_type", "mpegts", "-hls_flags", "independent_segments+program_date_time"),
        *("-start_number", "0", "-method", "PUT", "-http_persistent", "0"),
        *("-var_stream_map", variants),
        *("-hls_segment_filename", f"{output.url}/%v/stream-{output.session}-%d.ts"),
        f"{output.url}/%v/stream.m3u8",
    ]
