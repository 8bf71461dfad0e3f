"""Merging the index of posts: a word that left it is in its pages until these are written anew."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPICursor

PAGES = 200
"""Pages that one step writes: some ten milliseconds."""

_STEP = "INSERT INTO chat_search (chat_search, rank) VALUES ('merge', ?)"


class Merging:
    """One merge of all of the index, in steps. Forgotten with the process, and then begun again."""

    def __init__(self) -> None:
        self._is_begun = False

    def begin(self) -> None:
        """There is more to merge than what is being merged."""
        self._is_begun = False

    def step(self, connection: Connection) -> bool:
        """Merge some more.

        Returns:
            Whether there is more to do: call it again, in a transaction of its own.
        """
        cursor = connection.connection.cursor()
        before = _changes(cursor)
        # The first, negative step puts all that is there into one merge; the others go on with that.
        cursor.execute(_STEP, (PAGES if self._is_begun else -PAGES,))
        # One change alone says that there was nothing to do (SQLite's FTS5, section 6.8).
        self._is_begun = _changes(cursor) - before >= 2
        return self._is_begun


def _changes(cursor: DBAPICursor) -> int:
    cursor.execute("SELECT total_changes()")
    ((changes,),) = cursor.fetchall()
    return int(changes)
