"""How playlists read (RFC 8216 section 4). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from manor_stream.hls.segments import Entry, Variant

VERSION = 3
"""Durations with decimals need it, and nothing in these playlists needs more (RFC 8216 section 7)."""

UNKNOWN_BANDWIDTH = 1_000_000
"""BANDWIDTH must be there: for a variant of which nobody knows anything yet."""


def rounded(seconds: float) -> int:
    """A duration as the target duration is compared with it: to the nearest whole second, halves up."""
    return math.floor(seconds + 0.5)


def render_media(entries: Sequence[Entry], *, target: int, is_ended: bool) -> bytes:
    """The playlist of a variant; `entries` are what it lists, at least one."""
    first = entries[0]
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-MEDIA-SEQUENCE:{first.number}",
        # Counts what rolled off; a tag before the first segment listed has not.
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuity - first.breaks}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    for entry in entries:
        lines.extend(["#EXT-X-DISCONTINUITY"] * entry.breaks)
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_time(entry.segment.at)}")
        lines.append(f"#EXTINF:{entry.segment.seconds:.3f},")
        lines.append(entry.segment.name)
    if is_ended:
        lines.append("#EXT-X-ENDLIST")
    return _file(lines)


def render_master(variants: Sequence[tuple[Variant, str]]) -> bytes:
    """The playlist of playlists: each variant with its own's URL."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for variant, url in variants:
        lines.append(f"#EXT-X-STREAM-INF:{','.join(_attributes(variant))}")
        lines.append(url)
    return _file(lines)


def _attributes(variant: Variant) -> list[str]:
    attributes = [f"BANDWIDTH={variant.bandwidth or UNKNOWN_BANDWIDTH}"]
    if variant.average_bandwidth:
        attributes.append(f"AVERAGE-BANDWIDTH={variant.average_bandwidth}")
    if variant.width and variant.height:
        attributes.append(f"RESOLUTION={variant.width}x{variant.height}")
    if variant.frame_rate:
        attributes.append(f"FRAME-RATE={variant.frame_rate:.3f}")
    if variant.codecs:
        attributes.append(f'CODECS="{variant.codecs}"')
    return attributes


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _file(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
