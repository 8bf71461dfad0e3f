"""Files, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Migration, Part, Route
from manor_chat.files.imaging import Studio
from manor_chat.files.keeping import Keeping
from manor_chat.http.files import files_routes
from manor_chat.migrations.files import UPLOADS
from manor_chat.parts import Shared


class Files(Part):
    """The tags files and uploads."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._keeping = Keeping(shared, studio)

    def migrations(self) -> Sequence[Migration]:
        """Uploads under way."""
        return [UPLOADS]

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return files_routes(self._shared, self._keeping)
