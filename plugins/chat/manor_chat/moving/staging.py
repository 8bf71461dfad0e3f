"""Posts between the file and the tables: put in the order in which they were written, in a file of their own.

The format's order is that of ids, which says nothing, and replies stand in the posts that they answer. Channels are
numbered in the order of time.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from manor import StorageFull
from manor_chat.moving.lines import AttachmentSaid


class StagedReaction(msgspec.Struct, frozen=True, array_like=True):
    """A reaction, of somebody who is known."""

    user_id: UUID
    emoji_name: str
    create_at: int


class StagedPost(msgspec.Struct, frozen=True, array_like=True):
    """A post whose people and channel are known.

    Args:
        line: Where it stands.
        ref: Its number in the file, from 1.
        root_ref: That of the post that it answers; 0 for none.
        channel_id: Where it was written.
        user_id: Who wrote it.
        create_at: When, in milliseconds.
        edit_at: When it was edited; 0 for never.
        type: See `domain.post_types`.
        message: Markdown.
        props: Whatever clients keep with it.
        is_pinned: Whether it is pinned.
        is_following: Of a reply: whether its author follows the thread for it.
        reactions: All of them.
        flagged_by: Who saved it.
        followers: Who follows its thread, and when they last looked at it.
        files: Its attachments.
    """

    line: int
    ref: int
    root_ref: int
    channel_id: UUID
    user_id: UUID
    create_at: int
    edit_at: int
    type: str
    message: str
    props: dict[str, Any]
    is_pinned: bool
    is_following: bool
    reactions: list[StagedReaction]
    flagged_by: list[UUID]
    followers: list[tuple[UUID, int]]
    files: list[AttachmentSaid]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StagedPost).decode


class Staging:
    """Posts on their way; see `open_staging`. Its calls block."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("CREATE TABLE posts (ref INTEGER PRIMARY KEY, at INTEGER, said BLOB)")
        connection.execute("CREATE TABLE roots (ref INTEGER PRIMARY KEY, id BLOB)")
        self._last = (-1, 0)

    def add(self, posts: Iterable[tuple[int, StagedPost]]) -> None:
        """Put posts into it, each with when it stands in the order."""
        rows = [(post.ref, at, _encode(post)) for at, post in posts]
        try:
            self._connection.executemany("INSERT INTO posts VALUES (?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise StorageFull("The server's disk is too full to sort the posts of the import.") from error

    def seal(self) -> None:
        """No more come."""
        self._connection.execute("CREATE INDEX posts_at ON posts (at, ref)")

    def next(self, limit: int) -> list[StagedPost]:
        """The next posts in the order of time; none at the end."""
        query = "SELECT at, ref, said FROM posts WHERE (at, ref) > (?, ?) ORDER BY at, ref LIMIT ?"
        rows = self._connection.execute(query, (*self._last, limit)).fetchall()
        if rows:
            self._last = rows[-1][0], rows[-1][1]
        return [_decode(row[2]) for row in rows]

    def note_roots(self, roots: Sequence[tuple[int, UUID]]) -> None:
        """Remember under which ids roots are kept."""
        self._connection.executemany("INSERT INTO roots VALUES (?, ?)", [(ref, id_.bytes) for ref, id_ in roots])

    def roots(self, refs: Iterable[int]) -> dict[int, UUID]:
        """The ids of roots; those that are not kept are left out."""
        found = {}
        for ref in refs:
            row = self._connection.execute("SELECT id FROM roots WHERE ref = ?", (ref,)).fetchone()
            if row is not None:
                found[ref] = UUID(bytes=row[0])
        return found


@contextmanager
def open_staging(folder: Path) -> Iterator[Staging]:
    """Make an empty one.

    Args:
        folder: Where its file is put. It is gone at the end; `remove_copies` removes what a killed process left.
    """
    with tempfile.TemporaryDirectory(prefix="copy-", dir=folder) as place:
        connection = sqlite3.connect(Path(place) / "posts.db", isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            yield Staging(connection)
        finally:
            connection.close()
