"""What the first bytes of frames say, and FLV around them."""

from __future__ import annotations

import pytest

from manor_stream.media import Kind, Media, flv_header, flv_tag


@pytest.mark.parametrize(
    ("kind", "start", "codec", "is_header", "is_key_frame"),
    [
        (Kind.VIDEO, "1700", "H.264", True, False),
        (Kind.VIDEO, "1701", "H.264", False, True),
        (Kind.VIDEO, "2701", "H.264", False, False),
        (Kind.VIDEO, "1702", "H.264", False, False),
        (Kind.VIDEO, "17", "H.264", False, False),
        (Kind.VIDEO, "1c00", "H.265", True, False),
        (Kind.VIDEO, "90" + b"hvc1".hex(), "H.265", True, False),
        (Kind.VIDEO, "91" + b"hvc1".hex(), "H.265", False, True),
        (Kind.VIDEO, "92" + b"hvc1".hex(), "H.265", False, False),
        (Kind.VIDEO, "93" + b"hvc1".hex(), "H.265", False, True),
        (Kind.VIDEO, "a3" + b"hvc1".hex(), "H.265", False, False),
        (Kind.VIDEO, "90" + b"av01".hex(), "AV1", True, False),
        (Kind.VIDEO, "90" + b"vp09".hex(), "VP9", True, False),
        (Kind.VIDEO, "90" + b"what".hex(), "", True, False),
        (Kind.VIDEO, "9600", "several tracks", False, True),
        (Kind.VIDEO, "12ff", "H.263", False, True),
        (Kind.VIDEO, "1f", "", False, True),
        (Kind.VIDEO, "", "", False, False),
        (Kind.AUDIO, "af00", "AAC", True, False),
        (Kind.AUDIO, "af01", "AAC", False, False),
        (Kind.AUDIO, "2f00", "MP3", False, False),
        (Kind.AUDIO, "90" + b"Opus".hex(), "Opus", True, False),
        (Kind.AUDIO, "91" + b"mp4a".hex(), "AAC", False, False),
        (Kind.AUDIO, "95", "several tracks", False, False),
        (Kind.AUDIO, "", "", False, False),
        (Kind.DATA, "0200", "", False, False),
    ],
)
def test_the_first_bytes_say_what_it_is(
    kind: Kind, start: str, codec: str, is_header: bool, is_key_frame: bool
) -> None:
    media = Media.of(kind, 0, bytes.fromhex(start))

    assert (media.codec, media.is_header, media.is_key_frame) == (codec, is_header, is_key_frame)


@pytest.mark.parametrize(("kind", "start", "is_enhanced"), [(Kind.VIDEO, 0x90, True), (Kind.VIDEO, 0x17, False),
    (Kind.AUDIO, 0x90, True), (Kind.AUDIO, 0xAF, False), (Kind.DATA, 0x90, False)])  # fmt: skip
def test_headers_with_a_four_cc_are_known(kind: Kind, start: int, is_enhanced: bool) -> None:
    assert Media.of(kind, 0, bytes([start])).is_enhanced is is_enhanced


@pytest.mark.parametrize(("audio", "video", "flags"), [(True, True, 5), (True, False, 4), (False, True, 1)])
def test_an_flv_stream_says_what_is_in_it(audio: bool, video: bool, flags: int) -> None:
    assert flv_header(audio, video) == b"FLV\x01" + bytes([flags]) + bytes.fromhex("0000000900000000")


def test_an_flv_tag_has_its_size_and_time() -> None:
    tag = flv_tag(Media(Kind.VIDEO, 0x01020304, b"body"))

    assert tag == bytes.fromhex("09 000004 020304 01 000000") + b"body" + (15).to_bytes(4, "big")
