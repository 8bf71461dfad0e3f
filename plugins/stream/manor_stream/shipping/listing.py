"""What a media playlist lists. Pure."""

from __future__ import annotations

ENDED = b"#EXT-X-ENDLIST\n"
"""How one ends that nothing is added to any more."""


def names_in(playlist: bytes) -> list[str]:
    """The segments of a playlist, in its order."""
    return [line for line in playlist.decode().splitlines() if line and not line.startswith("#")]
