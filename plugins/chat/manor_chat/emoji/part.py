"""Custom emoji, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Migration, Part
from manor_chat.files.imaging import Studio
from manor_chat.migrations.files import EMOJI
from manor_chat.parts import Shared


class CustomEmoji(Part):
    """The tag emoji."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._studio = studio

    def migrations(self) -> Sequence[Migration]:
        """The emoji."""
        return [EMOJI]
