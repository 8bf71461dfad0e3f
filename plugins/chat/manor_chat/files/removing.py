"""Files that nobody needs any more, and what is left of uploads that never ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

import trio

from manor import Blob, BlobsFailed, Sweep, Transaction
from manor_chat.files.keeping import REMOVE_BLOBS, RemovedBlobs, keys_of
from manor_chat.files.resuming import forget
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.store.emoji import known_emojis
from manor_chat.store.files import (
    File,
    forget_files,
    known_files,
    known_uploads,
    list_deleted,
    list_stale_uploads,
    list_unattached,
    named_in_drafts,
)
from manor_chat.times import to_milliseconds

BATCH = 200
EVERY_SECONDS = 600.0
STRAYS_AFTER_SECONDS = 3600.0
STRAYS_EVERY_SECONDS = 86_400.0

DAY = 86_400_000
UNATTACHED = DAY
"""Milliseconds from when a file is uploaded until a post or a draft has to name it."""

STALE = DAY
"""Milliseconds without another part, until an upload is given up."""

_ID = re.compile(r"[0-9a-f]{32}")

Known = Callable[[Transaction, Collection[UUID]], set[UUID]]
"""Which of these ids have rows."""

_KNOWN: dict[str, Known] = {
    "emoji/": known_emojis,
    "files/": known_files,
    "uploads/": known_uploads,
}


class Removing(Sweep):
    """Removes what is due, a little at a time: rows first, their content once that is committed."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        super().__init__(
            shared.storage,
            shared.context.log,
            (self._unattached, self._deleted, self._stale),
            batch=BATCH,
            every=EVERY_SECONDS,
            staying="old files stay for now",
        )

    async def run_for_strays(self) -> None:
        """Once a day, remove content that no row names: what a power cut left between the two."""
        await trio.sleep(STRAYS_AFTER_SECONDS)
        while True:
            try:
                await self.remove_strays()
            except BlobsFailed as failed:
                self._shared.context.log.warning("content that nobody names stays for now", reason=failed.reason)
            await trio.sleep(STRAYS_EVERY_SECONDS)

    async def remove_strays(self) -> int:
        """Remove content that no row names and that is not just being uploaded; how many keys."""
        blobs, gone = self._shared.context.blobs, 0
        for prefix, known in _KNOWN.items():
            after: str | None = ""
            while after is not None:
                page = await blobs.page(prefix, after=after)
                gone += await self._remove_unknown(page.blobs, known)
                after = page.after or None
        return gone

    async def _remove_unknown(self, found: Sequence[Blob], known: Known) -> int:
        yesterday = self._shared.context.clock.now() - timedelta(days=1)
        ids = {blob.key: _id_in(blob.key) for blob in found if blob.modified < yesterday}
        wanted = {each for each in ids.values() if each is not None}
        there = await self._shared.storage.read(lambda transaction: known(transaction, wanted))
        strays = [key for key, id_ in ids.items() if id_ is not None and id_ not in there]
        await self._shared.context.blobs.delete_many(strays)
        return len(strays)

    def _unattached(self, transaction: Transaction) -> int:
        before = to_milliseconds(transaction.now) - UNATTACHED
        gone: list[File] = []
        found = list_unattached(transaction, before=before, after=None, limit=BATCH)
        while found and len(gone) < BATCH:
            named = named_in_drafts(transaction, {each.user_id for each in found})
            gone += [each for each in found if shown_id(each.id) not in named]
            found = list_unattached(transaction, before=before, after=found[-1], limit=BATCH)
        return remove_files(transaction, gone[:BATCH])

    def _deleted(self, transaction: Transaction) -> int:
        before = to_milliseconds(transaction.now) - self._shared.config.deleted_files_days * DAY
        return remove_files(transaction, list_deleted(transaction, before=before, limit=BATCH))

    def _stale(self, transaction: Transaction) -> int:
        before = to_milliseconds(transaction.now) - STALE
        stale = list_stale_uploads(transaction, before=before, limit=BATCH)
        if stale:
            forget(transaction, stale)
        return len(stale)


def remove_files(transaction: Transaction, files: Sequence[File]) -> int:
    """Have nothing of these files; how many there were."""
    if files:
        forget_files(transaction, [each.id for each in files])
        transaction.defer(REMOVE_BLOBS, RemovedBlobs(keys_of(files)))
    return len(files)


def _id_in(key: str) -> UUID | None:
    """The id in a key: `files/ab/ID.preview`, `uploads/ID/3`, `emoji/ID`."""
    match = _ID.search(key)
    return None if match is None else UUID(match[0])
