"""What each setting may be, with a sentence for whoever asks for something else. Pure: the API and the pages use it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from manor_stream.quality import LATENCY_LEVELS, Quality
from manor_stream.settings import ExternalAction, S3Settings, SocialHandle
from manor_stream.transcoding.abilities import VIDEO_CODECS

CODECS = VIDEO_CODECS
"""Encoders that may be asked for; which of them there are, the ffmpeg in use says."""

LINE = 200
SENTENCE = 1_000
TEXT = 100_000
URL = 2_048
MOST_ITEMS = 100
MOST_QUALITIES = 10
MOST_LOGO_BYTES = 1024 * 1024

NEXT_BROADCAST = "takes effect at the next broadcast"
NEXT_START = "takes effect at the next start of the server"
BIND_DECIDES = "this is only noted, for what the server listens on is decided by `[server] bind` in its configuration"

_IMAGES: Mapping[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "image/svg+xml": (b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg"),
}
"""How pictures begin that a logo may be."""

_DATA_URL = re.compile(r"data:(?P<type>[a-z+/.-]+);base64,(?P<data>[A-Za-z0-9+/=\s]*)", re.IGNORECASE)
_WEB_PATH = re.compile(r"(?!//)(?![^/]*:)[!#-;=?-\[\]_a-z~]+")
"""Without what browsers take for a slash, or what no URL holds."""
_COLOR = re.compile(r"#[0-9A-Fa-f]{3,8}|[A-Za-z]{1,30}|")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


class Unfit(ValueError):
    """A value that a setting cannot have.

    Args:
        expected: What it may be, as in `expected a port from 1 to 65535`.
        where: Which member of it is wrong, such as `[2].url`; "" for the whole.
    """

    def __init__(self, expected: str, where: str = "") -> None:
        super().__init__(f"{where}: {expected}" if where else expected)
        self.expected = expected
        self.where = where


@dataclass(frozen=True)
class Rule:
    """What one setting may be.

    Args:
        setting: Its name in `StreamSettings`.
        what: What people call it.
        shape: Its type as JSON has it.
        check: Gives the value as it is kept; raises `Unfit`.
        effect: When it takes effect; "" for at once.
    """

    setting: str
    what: str
    shape: Any
    check: Callable[[Any], Any] = lambda value: value
    effect: str = ""

    @property
    def done(self) -> str:
        """What whoever changed it is told."""
        return f"Changed {self.what}" + (f"; {self.effect}" if self.effect else "")

    def fit(self, raw: Any) -> Any:
        """The value as it is kept, of what JSON or a form holds.

        Raises:
            Unfit: It cannot be had.
        """
        return self.check(self.shaped(raw))

    def shaped(self, raw: Any) -> Any:
        """The value of the rule's shape, not checked yet, of what JSON or a form holds.

        Raises:
            Unfit: It has another shape.
        """
        try:
            return msgspec.convert(raw, self.shape)
        except msgspec.ValidationError as error:
            raise _misfit(str(error)) from error


def line(most: int = LINE, *, least: int = 0) -> Callable[[str], str]:
    """One line of text, without blanks around it."""

    def check(value: str) -> str:
        value = value.strip()
        if not least <= len(value) <= most or not value.isprintable():
            size = f"{least} to {most}" if least else f"at most {most}"
            raise Unfit(f"expected one line of {size} characters that can be seen")
        return value

    return check


def text(value: str) -> str:
    """Text of several lines."""
    if len(value) > TEXT or _CONTROL.search(value):
        raise Unfit(f"expected text of at most {TEXT} characters, without control characters")
    return value


def stream_key(value: str) -> str:
    """The stream key. Encoders put it behind a slash, and browsers into a password."""
    if not 1 <= len(value) <= LINE or value != value.strip() or not value.isprintable() or set(value) & set("/?"):
        raise Unfit(f"expected 1 to {LINE} characters that can be seen, none of them `/` or `?`, and no blank around")
    return value


def styles(value: str) -> str:
    """CSS of the watch page."""
    if "</style" in text(value).lower():
        raise Unfit("expected CSS, which holds no `</style`")
    return value


def web_address(value: str) -> str:
    """An absolute http or https URL, without a name and a password."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_plain = len(value) <= URL and value.isprintable() and not any(each in value for each in ' \\"<>`')
    if not is_plain or parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        raise Unfit("expected an address such as https://example.org/")
    if "@" in parts.netloc:
        raise Unfit("expected an address without a name and a password")
    return value


def own_address(value: str) -> str:
    """The server's own; "" for none."""
    return server_address(value) if value else value


def server_address(value: str) -> str:
    """A server's, to which paths are added."""
    parts = urlsplit(web_address(value))
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise Unfit("expected an address without `?` and `#`")
    return value.rstrip("/")


def logo(value: str) -> str:
    """A path on this server, or a picture in a `data:` URL; "" for the one that comes with the plugin."""
    if value.lower().startswith("data:"):
        read_picture(value)
        return value
    if value and (len(value) > URL or not _WEB_PATH.fullmatch(value)):
        raise Unfit("expected a path on this server such as /img/logo.png, or data:image/png;base64,...")
    return value


def read_picture(value: str) -> tuple[str, bytes]:
    """The type of a picture in a `data:` URL, and its bytes.

    Raises:
        Unfit: There is none, it is too large, or it is not of that type.
    """
    found = _DATA_URL.fullmatch(value)
    types = ", ".join(sorted(_IMAGES))
    if found is None or found["type"].lower() not in _IMAGES:
        raise Unfit(f"expected data:TYPE;base64,... with a TYPE out of {types}")
    kind = found["type"].lower()
    try:
        data = base64.b64decode("".join(found["data"].split()), validate=True)
    except binascii.Error as error:
        raise Unfit("expected a picture in base64") from error
    if len(data) > MOST_LOGO_BYTES:
        raise Unfit(f"expected a picture of at most {MOST_LOGO_BYTES} bytes")
    if not data.lstrip().startswith(_IMAGES[kind]):
        raise Unfit(f"expected a picture that is {kind}, as it says")
    return kind, data


def port_number(value: int) -> int:
    """A TCP port."""
    if not 1 <= value <= 65_535:
        raise Unfit("expected a port from 1 to 65535")
    return value


def encoders_port(value: int) -> int:
    """A TCP port; 0 for the configured one."""
    return port_number(value) if value else value


def ip_address(value: str) -> str:
    """An IP address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise Unfit("expected an IP address such as 0.0.0.0") from error


def latency_level(value: int) -> int:
    """How long segments are."""
    if value not in LATENCY_LEVELS:
        raise Unfit(f"expected a level from {min(LATENCY_LEVELS)} to {max(LATENCY_LEVELS)}")
    return value


def codec(value: str) -> str:
    """A video encoder's name. Whether this server's ffmpeg has it, ffmpeg is asked."""
    if value not in CODECS:
        raise Unfit(f"expected one of {', '.join(CODECS)}")
    return value


def program(value: str) -> str:
    """A program by its path or its name; "" for the configured one. Whether it is ffmpeg, it is asked."""
    value = line(URL)(value)
    if "/" in value and not value.startswith("/"):
        raise Unfit("expected an absolute path, such as /usr/bin/ffmpeg")
    return value


def qualities(value: list[Quality]) -> tuple[Quality, ...]:
    """What viewers may choose from."""
    if not 1 <= len(value) <= MOST_QUALITIES:
        raise Unfit(f"expected 1 to {MOST_QUALITIES} qualities")
    return tuple(
        replace(quality, name=_inside(f"[{number}].name", line(), quality.name)) for number, quality in enumerate(value)
    )


def words(value: list[str]) -> tuple[str, ...]:
    """Words or names, each once."""
    # Owncast's admin pages send what stands between the commas of a field, also of an empty one.
    told = [(number, word) for number, word in _few(value) if word.strip()]
    return tuple(dict.fromkeys(_inside(f"[{number}]", line(100, least=1), word) for number, word in told))


def social_handles(value: list[SocialHandle]) -> tuple[SocialHandle, ...]:
    """Where else the broadcaster is found."""
    return tuple(
        SocialHandle(
            _inside(f"[{number}].platform", line(100, least=1), handle.platform),
            _inside(f"[{number}].url", web_address, handle.url),
        )
        for number, handle in _few(value)
    )


def external_actions(value: list[ExternalAction]) -> tuple[ExternalAction, ...]:
    """Buttons that open other pages."""
    return tuple(_action(action, f"[{number}]") for number, action in _few(value))


def s3(value: S3Settings) -> S3Settings:
    """Where segments go; one that is switched off may be unfinished."""
    texts = ("endpoint", "serving_endpoint", "access_key", "secret", "bucket", "region", "acl")
    value = replace(value, **{name: _inside(_spelt(name), line(URL), getattr(value, name)) for name in texts})
    addresses = {
        name: _inside(_spelt(name), server_address, address)
        for name in ("endpoint", "serving_endpoint")
        if (address := getattr(value, name))
    }
    if value.enabled:
        for name in ("access_key", "secret", "endpoint", "region", "bucket"):
            if not getattr(value, name):
                raise Unfit("is wanted when S3 is enabled", _spelt(name))
    return replace(value, **addresses)


def _action(action: ExternalAction, where: str) -> ExternalAction:
    if action.icon and not _WEB_PATH.fullmatch(action.icon):
        _inside(f"{where}.icon", web_address, action.icon)
    if not _COLOR.fullmatch(action.color):
        raise Unfit("expected a colour such as #7b4dff", f"{where}.color")
    return replace(
        action,
        url=_inside(f"{where}.url", web_address, action.url),
        title=_inside(f"{where}.title", line(least=1), action.title),
        description=_inside(f"{where}.description", line(SENTENCE), action.description),
    )


def _few(value: list[Any]) -> Iterable[tuple[int, Any]]:
    if len(value) > MOST_ITEMS:
        raise Unfit(f"expected at most {MOST_ITEMS} items")
    return enumerate(value)


def _inside(where: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except Unfit as unfit:
        raise Unfit(unfit.expected, where) from unfit


def _spelt(name: str) -> str:
    """A member as the API spells it."""
    first, *others = name.split("_")
    return f".{first}{''.join(word.capitalize() for word in others)}"


def _misfit(complaint: str) -> Unfit:
    """Word msgspec's complaint: "Expected `int`, got `str` - at `$[2].framerate`"."""
    what, _, where = complaint.partition(" - at `$")
    where = where.removesuffix("`")
    if missing := _MISSING.fullmatch(what):
        return Unfit("is missing", f"{where}.{missing[1]}")
    return Unfit(what[:1].lower() + what[1:].replace("`", ""), where)


_FORBIDDEN_NAMES = Rule("forbidden_usernames", "the names that nobody in the chat has", list[str], words)

RULES: Mapping[str, Rule] = {
    "key": Rule("key", "the stream key and the password of `admin`", str, stream_key),
    "name": Rule("name", "the server's name", str, line(least=1)),
    "serversummary": Rule("summary", "what is said of the server", str, text),
    "streamtitle": Rule("stream_title", "the stream's title", str, line()),
    "pagecontent": Rule("page_content", "the text below the video", str, text),
    "customstyles": Rule("custom_styles", "the watch page's own styles", str, styles),
    "logo": Rule("logo", "the logo", str, logo),
    "tags": Rule("tags", "the tags", list[str], words),
    "nsfw": Rule("nsfw", "whether the stream is not for everybody", bool),
    "serverurl": Rule("server_url", "the server's address", str, own_address),
    "directoryenabled": Rule("is_listed", "whether a directory is told of the stream", bool),
    "socialhandles": Rule("social_handles", "the social handles", list[SocialHandle], social_handles),
    "externalactions": Rule("external_actions", "the external actions", list[ExternalAction], external_actions),
    "welcomemessage": Rule("welcome_message", "the chat's welcome", str, text),
    "offlinemessage": Rule("offline_message", "what is shown while nothing is on", str, text),
    "chat/disable": Rule("is_chat_disabled", "whether the chat is switched off", bool),
    "chat/disallowedusernames": _FORBIDDEN_NAMES,
    "chat/forbiddenusernames": _FORBIDDEN_NAMES,
    "ffmpegpath": Rule("ffmpeg_path", "the path of ffmpeg", str, program, NEXT_BROADCAST),
    "webserverport": Rule("web_server_port", "the web server's port", int, port_number, BIND_DECIDES),
    "webserverip": Rule("web_server_ip", "the web server's IP address", str, ip_address, BIND_DECIDES),
    "rtmpserverport": Rule("rtmp_server_port", "the port for encoders", int, encoders_port, NEXT_START),
    "video/streamlatencylevel": Rule("latency_level", "the latency level", int, latency_level, NEXT_BROADCAST),
    "video/streamoutputvariants": Rule("qualities", "the qualities", list[Quality], qualities, NEXT_BROADCAST),
    "video/codec": Rule("codec", "the video codec", str, codec, NEXT_BROADCAST),
    "s3": Rule("s3", "the storage for segments", S3Settings, s3),
}
"""By what stands behind `/api/admin/config/`."""
