"""The emoji that come with the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

EMOJI_PATH = "/img/emoji/"

_FOLDER = Path(__file__).parent.parent / "static" / "img" / "emoji"


@cache
def emoji_files() -> Mapping[str, bytes]:
    """The pictures (SVG) by file name, in the order of their names; read once."""
    return MappingProxyType({path.name: path.read_bytes() for path in sorted(_FOLDER.glob("*.svg"))})


@cache
def emoji_paths() -> Mapping[str, str]:
    """Where each emoji is served, by its name: what `:name:` in the chat stands for."""
    return MappingProxyType({name.removesuffix(".svg"): f"{EMOJI_PATH}{name}" for name in emoji_files()})
