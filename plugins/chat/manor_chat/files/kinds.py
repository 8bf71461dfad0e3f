"""What a file is, by what is in it: what its sender says of it counts for nothing."""

from __future__ import annotations

from types import MappingProxyType

import puremagic

OCTETS = "application/octet-stream"

LOOKED_AT = 8192
"""Bytes of the beginning."""

_SURE = 0.4
"""puremagic's lower marks are for guesses by the name alone."""

_TEXTS = MappingProxyType(
    {
        "css": "text/css",
        "csv": "text/csv",
        "htm": "text/html",
        "html": "text/html",
        "ics": "text/calendar",
        "js": "text/javascript",
        "json": "application/json",
        "md": "text/markdown",
        "svg": "image/svg+xml",
        "vcf": "text/vcard",
        "xhtml": "application/xhtml+xml",
        "xml": "application/xml",
    }
)
_ZIPPED = MappingProxyType(
    {
        "apk": "application/vnd.android.package-archive",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "epub": "application/epub+zip",
        "jar": "application/java-archive",
        "odp": "application/vnd.oasis.opendocument.presentation",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "odt": "application/vnd.oasis.opendocument.text",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
_PLAINER = MappingProxyType(
    {
        "application/javascript": "text/javascript",
        "audio/wave": "audio/wav",
        "audio/x-wav": "audio/wav",
        "image/x-ms-bmp": "image/bmp",
    }
)

PICTURES = frozenset({"image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp"})
"""What small pictures are drawn of."""

SHOWN_INLINE = PICTURES | {
    "audio/mpeg",
    "audio/mp4",
    "audio/ogg",
    "audio/wav",
    "audio/flac",
    "image/avif",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
}
"""What a browser shows and never runs; all else is for saving."""

_RUN_BY_BROWSERS = frozenset(
    {
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
        "text/css",
        "text/html",
        "text/javascript",
        "text/xml",
    }
)


def kind_of(beginning: bytes, extension: str) -> str:
    """The media type of a file.

    Args:
        beginning: Its first `LOOKED_AT` bytes.
        extension: Of its name, in lower case; it says which of several kinds a text or an archive is.
    """
    if not beginning:
        return OCTETS
    if _is_text(beginning):
        kind = _TEXTS.get(extension) or _magic(beginning) or "text/plain"
        return kind if kind.startswith("text/") or kind in _TEXTS.values() else "text/plain"
    if beginning.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if beginning.startswith(b"BM") and extension == "bmp":
        return "image/bmp"
    kind = _magic(beginning) or OCTETS
    return _ZIPPED.get(extension, kind) if kind == "application/zip" or kind in _ZIPPED.values() else kind


def sent_as(kind: str) -> str:
    """The media type that a file is sent with: what a browser would run is only text."""
    return "text/plain; charset=utf-8" if kind in _RUN_BY_BROWSERS or kind == "text/plain" else kind


def _magic(beginning: bytes) -> str:
    try:
        found = puremagic.magic_string(beginning)
    except (puremagic.PureError, ValueError):
        return ""
    kind = next((each.mime_type for each in found if each.confidence >= _SURE and each.mime_type), "")
    return _PLAINER.get(kind, kind)


def _is_text(beginning: bytes) -> bool:
    if b"\0" in beginning or beginning.startswith((b"%PDF", b"{\\rtf")):
        return False
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        # A character may be cut in two where the beginning ends.
        return error.reason == "unexpected end of data" and error.start >= len(beginning) - 3
    return True
