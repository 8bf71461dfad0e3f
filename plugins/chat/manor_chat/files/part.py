"""Files, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Migration, Part
from manor_chat.migrations.files import UPLOADS
from manor_chat.parts import Shared


class Files(Part):
    """The tags files and uploads."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def migrations(self) -> Sequence[Migration]:
        """Uploads under way."""
        return [UPLOADS]
