"""Files, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import BackgroundTask, JobHandler, Migration, Part, Route, Transaction
from manor_chat.files.imaging import Studio
from manor_chat.files.keeping import REMOVE_BLOBS, Keeping, RemovedBlobs
from manor_chat.files.removing import Removing, remove_files
from manor_chat.files.resuming import forget
from manor_chat.http.bookmarks import bookmark_routes
from manor_chat.http.files import files_routes
from manor_chat.http.uploads import uploads_routes
from manor_chat.migrations.files import UPLOADS
from manor_chat.parts import Shared
from manor_chat.store.files import list_files_of, list_uploads_of
from manor_chat.tables.posts import files
from manor_chat.wire.posts import show_file

SECTION = "chat_files"


class Files(Part):
    """The tags files, uploads and bookmarks."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._keeping = Keeping(shared, studio)
        self._removing = Removing(shared)

    def migrations(self) -> Sequence[Migration]:
        """Uploads under way."""
        return [UPLOADS]

    def routes(self) -> Sequence[Route]:
        """Operations."""
        shared, keeping = self._shared, self._keeping
        return [*files_routes(shared, keeping), *uploads_routes(shared, keeping), *bookmark_routes(shared)]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Removing the content of what has no row any more."""
        return [JobHandler(REMOVE_BLOBS, self._remove)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Removing what nobody needs."""
        return [
            BackgroundTask("old files", self._removing.run),
            BackgroundTask("stray content", self._removing.run_for_strays),
        ]

    def sections(self) -> Sequence[str]:
        """The files that they uploaded, without what is in them."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """What is known of the files that somebody uploaded."""
        theirs = files.select().where(files.c.user_id == user_id, files.c.delete_at == 0)
        async with self._shared.storage.stream(theirs) as rows:
            async for row in rows:
                yield SECTION, show_file(row)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Their files go with them, those in posts too."""
        gone = remove_files(transaction, list_files_of(transaction, user_id, limit))
        uploads = list_uploads_of(transaction, user_id, max(0, limit - gone))
        if uploads:
            forget(transaction, uploads)
        return gone + len(uploads)

    async def _remove(self, removed: RemovedBlobs) -> None:
        await self._shared.context.blobs.delete_many(removed.keys)
