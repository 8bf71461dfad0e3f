"""Uploaded files, as rows, and the uploads that are under way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, delete, insert, literal, select, tuple_, update

from manor import Id, Transaction
from manor_chat.store.posts import portions
from manor_chat.tables.drafts import drafts
from manor_chat.tables.posts import files
from manor_chat.tables.uploads import secrets, uploads


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file; see the table."""

    id: UUID
    user_id: UUID
    channel_id: UUID
    post_id: UUID | None = None
    create_at: int
    update_at: int
    delete_at: int = 0
    name: str
    extension: str
    size: int
    mime_type: str
    width: int = 0
    height: int = 0
    has_preview_image: bool = False
    mini_preview: str | None = None
    blob: str


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that is under way; see the table."""

    id: UUID
    user_id: UUID
    channel_id: UUID
    create_at: int
    update_at: int
    filename: str
    file_size: int
    file_offset: int = 0
    parts: list[str] = []


def add_files(transaction: Transaction, new: Sequence[File]) -> None:
    """Have new files."""
    transaction.connection.execute(insert(files), [msgspec.structs.asdict(each) for each in new])


def find_file(transaction: Transaction, file_id: UUID) -> File | None:
    """The file with this id that is not deleted."""
    found = _read(transaction, select(files).where(files.c.id == file_id, files.c.delete_at == 0))
    return next(iter(found), None)


def list_unattached(transaction: Transaction, *, before: int, after: File | None, limit: int) -> list[File]:
    """Files that were uploaded before that moment and that no post has, the oldest first.

    Args:
        transaction: The caller's.
        before: Milliseconds.
        after: Behind this one.
        limit: How many at most.
    """
    age = tuple_(files.c.create_at, files.c.id)
    query = select(files).where(files.c.post_id.is_(None), files.c.create_at < before, files.c.delete_at == 0)
    if after is not None:
        query = query.where(age > tuple_(literal(after.create_at), literal(after.id, Id)))
    return _read(transaction, query.order_by(files.c.create_at, files.c.id).limit(limit))


def named_in_drafts(transaction: Transaction, user_ids: Collection[UUID]) -> set[str]:
    """The ids of files, as they are shown, that the drafts of these people name."""
    named: set[str] = set()
    for some in portions(user_ids):
        query = select(drafts.c.file_ids).where(drafts.c.user_id.in_(some))
        for ids in transaction.connection.execute(query).scalars():
            named.update(ids)
    return named


def list_deleted(transaction: Transaction, *, before: int, limit: int) -> list[File]:
    """Files that were deleted before that moment."""
    gone = (files.c.delete_at > 0) & (files.c.delete_at < before)
    return _read(transaction, select(files).where(gone).limit(limit))


def list_files_of(transaction: Transaction, user_id: UUID, limit: int) -> list[File]:
    """Some of the files that somebody uploaded, deleted ones too."""
    return _read(transaction, select(files).where(files.c.user_id == user_id).limit(limit))


def list_files_in(transaction: Transaction, channel_id: UUID, limit: int) -> list[File]:
    """Some of the files of a channel, deleted ones too."""
    return _read(transaction, select(files).where(files.c.channel_id == channel_id).limit(limit))


def forget_files(transaction: Transaction, ids: Collection[UUID]) -> None:
    """Have no rows of them."""
    for some in portions(ids):
        transaction.connection.execute(delete(files).where(files.c.id.in_(some)))


def known_files(transaction: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that files have, deleted ones too."""
    return known_ids(transaction, files.c.id, ids)


def known_uploads(transaction: Transaction, ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that uploads have."""
    return known_ids(transaction, uploads.c.id, ids)


def known_ids(transaction: Transaction, column: ColumnElement[Any], ids: Collection[UUID]) -> set[UUID]:
    """Those of these ids that stand in a column."""
    found: set[UUID] = set()
    for some in portions(ids):
        found.update(transaction.connection.execute(select(column).where(column.in_(some))).scalars())
    return found


def add_upload(transaction: Transaction, upload: Upload) -> None:
    """Begin an upload."""
    transaction.connection.execute(insert(uploads).values(msgspec.structs.asdict(upload)))


def find_upload(transaction: Transaction, upload_id: UUID) -> Upload | None:
    """The upload with this id."""
    return next(iter(_read_uploads(transaction, select(uploads).where(uploads.c.id == upload_id))), None)


def count_uploads(transaction: Transaction, user_id: UUID, most: int) -> int:
    """How many uploads of somebody are under way; no more than `most` are counted."""
    query = select(uploads.c.id).where(uploads.c.user_id == user_id).limit(most)
    return len(transaction.connection.execute(query).all())


def note_progress(transaction: Transaction, upload: Upload) -> None:
    """Have more of an upload."""
    changed = {name: getattr(upload, name) for name in ("file_offset", "parts", "update_at")}
    transaction.connection.execute(update(uploads).where(uploads.c.id == upload.id).values(changed))


def list_uploads_of(transaction: Transaction, user_id: UUID, limit: int) -> list[Upload]:
    """Some of somebody's uploads."""
    return _read_uploads(transaction, select(uploads).where(uploads.c.user_id == user_id).limit(limit))


def list_stale_uploads(transaction: Transaction, *, before: int, limit: int) -> list[Upload]:
    """Uploads of which nothing has come since that moment."""
    return _read_uploads(transaction, select(uploads).where(uploads.c.update_at < before).limit(limit))


def forget_uploads(transaction: Transaction, ids: Collection[UUID]) -> None:
    """Have no rows of them."""
    for some in portions(ids):
        transaction.connection.execute(delete(uploads).where(uploads.c.id.in_(some)))


def find_secret(transaction: Transaction, name: str) -> str | None:
    """A key that was made before."""
    return transaction.connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()


def keep_secret(transaction: Transaction, name: str, value: str) -> str:
    """Keep a key, unless there is one; the one that there is."""
    known = find_secret(transaction, name)
    if known is None:
        transaction.connection.execute(insert(secrets).values(name=name, value=value))
    return known or value


def _read(transaction: Transaction, query: Select[Any]) -> list[File]:
    return [File(**row) for row in transaction.connection.execute(query).mappings()]


def _read_uploads(transaction: Transaction, query: Select[Any]) -> list[Upload]:
    return [Upload(**row) for row in transaction.connection.execute(query).mappings()]
