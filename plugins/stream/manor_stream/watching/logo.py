"""The server's logo: what an administrator set, or the one that comes with the plugin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from posixpath import normpath

from manor_stream.setting_rules import Unfit, read_picture

LOGO_PATH = "/logo"

_DEFAULT = Path(__file__).parent.parent / "static" / "img" / "logo.svg"


@dataclass(frozen=True)
class Picture:
    """A picture as it is served."""

    body: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Picture:
        """With a tag made of what is in it."""
        return cls(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@cache
def default_logo() -> Picture:
    """The one that comes with the plugin."""
    return Picture.of(_DEFAULT.read_bytes(), "image/svg+xml")


@lru_cache(maxsize=2)
def logo_of(setting: str) -> Picture | str:
    """What `/logo` is: a picture, or the path on this server that it leads to.

    Args:
        setting: The setting: a web path, a `data:` URL, or "".
    """
    if setting.lower().startswith("data:"):
        try:
            content_type, body = read_picture(setting)
        except Unfit:
            return default_logo()
        return Picture.of(body, content_type)
    if not setting or _leads_back(setting):
        return default_logo()
    return setting


def logo_url(setting: str) -> str:
    """Where clients find the logo: a path that was set is told as it is, and a picture is never sent along."""
    return LOGO_PATH if isinstance(logo_of(setting), Picture) else setting


def _leads_back(path: str) -> bool:
    return normpath("/" + path.partition("?")[0].partition("#")[0].lstrip("/")) == LOGO_PATH
