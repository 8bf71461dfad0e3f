"""The index of posts, and the triggers that note what changes in it."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.search import search_posts, search_state

_INDEX = (
    "CREATE VIRTUAL TABLE chat_search USING fts5(text, labels, content='', columnsize=0, "
    "tokenize='unicode61 remove_diacritics 2')"
)
_CHANGES = (
    "CREATE TABLE chat_search_changes (post_id BLOB PRIMARY KEY, channel_id BLOB NOT NULL, user_id BLOB NOT NULL, "
    "message TEXT NOT NULL, hashtags TEXT NOT NULL)"
)
_WAS_IN = "old.position <= (SELECT position FROM chat_search_state)"
# Only what a post said when it came into the index takes it out again: later texts are not noted.
_NOTE = (
    "BEGIN INSERT OR IGNORE INTO chat_search_changes (post_id, channel_id, user_id, message, hashtags) "
    "VALUES (old.id, old.channel_id, old.user_id, old.message, old.hashtags); END"
)


def _run(connection: Connection) -> None:
    making(search_posts, search_state)(connection)
    connection.execute(insert(search_state).values(id=1, position=0))
    connection.exec_driver_sql(_INDEX)
    connection.exec_driver_sql(_CHANGES)
    connection.exec_driver_sql(
        "CREATE TRIGGER chat_search_updated AFTER UPDATE OF message, hashtags, delete_at, type ON chat_posts "
        f"WHEN {_WAS_IN} AND (old.message <> new.message OR old.hashtags <> new.hashtags "
        f"OR old.delete_at <> new.delete_at OR old.type <> new.type) {_NOTE}"
    )
    connection.exec_driver_sql(f"CREATE TRIGGER chat_search_deleted AFTER DELETE ON chat_posts WHEN {_WAS_IN} {_NOTE}")
    connection.exec_driver_sql("CREATE INDEX chat_posts_by_position ON chat_posts (position)")


STEP = Migration("0046_search", _run)
