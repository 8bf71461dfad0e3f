"""What messages are found by: the full-text index, and how many of them each hour brought."""

from __future__ import annotations

from sqlalchemy import Connection

from manor import Migration

_STATEMENTS = (
    # Terms alone: no texts (they stand in topics_messages), no columns, no places within a text.
    "CREATE VIRTUAL TABLE topics_search USING fts5(terms, content='', columnsize=0, detail=none, tokenize='ascii')",
    "CREATE TABLE topics_search_state (id INTEGER PRIMARY KEY CHECK (id = 1), position BIGINT NOT NULL, "
    "epoch BIGINT NOT NULL, ahead BIGINT NOT NULL, unmerged BIGINT NOT NULL, merging BIGINT NOT NULL, "
    "folding VARCHAR NOT NULL)",
    "INSERT INTO topics_search_state VALUES (1, 0, 0, 0, 0, 0, '')",
    "CREATE TABLE topics_search_places (topic_id BINARY(16) PRIMARY KEY, labels VARCHAR NOT NULL, "
    "is_changed BOOLEAN NOT NULL) WITHOUT ROWID",
    "CREATE INDEX topics_search_places_changed ON topics_search_places (topic_id) WHERE is_changed = 1",
    "CREATE TABLE topics_search_blocks (block INTEGER PRIMARY KEY, changes BIGINT NOT NULL)",
    "CREATE TABLE topics_search_times (hour INTEGER PRIMARY KEY, first BIGINT NOT NULL, last BIGINT NOT NULL)",
    "CREATE TABLE topics_search_hours (topic_id BINARY(16), start INTEGER, priority INTEGER, "
    "messages BIGINT NOT NULL, PRIMARY KEY (topic_id, start, priority)) WITHOUT ROWID",
    "CREATE TABLE topics_search_days (topic_id BINARY(16), start INTEGER, priority INTEGER, "
    "messages BIGINT NOT NULL, PRIMARY KEY (topic_id, start, priority)) WITHOUT ROWID",
    "CREATE INDEX topics_messages_deleted ON topics_messages (topic_id, position) WHERE is_deleted = 1",
    # Whoever changes a topic need not think of this index.
    "CREATE TRIGGER topics_search_topic_changed AFTER UPDATE OF owner_id, team_id, access_level ON topics_topics "
    "WHEN old.owner_id IS NOT new.owner_id OR old.team_id IS NOT new.team_id "
    "OR old.access_level IS NOT new.access_level "
    "BEGIN UPDATE topics_search_places SET is_changed = 1 WHERE topic_id = new.id; END",
    "CREATE TRIGGER topics_search_topic_deleted AFTER DELETE ON topics_topics "
    "BEGIN UPDATE topics_search_places SET is_changed = 1 WHERE topic_id = old.id; END",
)


def _run(connection: Connection) -> None:
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement)


STEP = Migration("0005_search", _run)
