"""Messages that are accepted now and published later."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    scheduled = Table(
        "topics_scheduled",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("topic_id", Id, nullable=False),
        Column("message", String, nullable=False),
        Column("title", String),
        Column("priority", Integer, nullable=False),
        Column("tags", String, nullable=False),
        Column("extras", String),
        Column("publisher_id", Id),
        Column("due_at", Time, nullable=False),
        Column("created_at", Time, nullable=False),
        Column("publisher", String),
        Column("key", String),
        Column("fingerprint", LargeBinary),
    )
    connection.execute(CreateTable(scheduled))
    for statement in (
        "CREATE INDEX topics_scheduled_by_topic ON topics_scheduled (topic_id, due_at, id)",
        "CREATE INDEX topics_scheduled_by_publisher ON topics_scheduled (publisher_id) WHERE publisher_id IS NOT NULL",
        "CREATE INDEX topics_scheduled_by_key ON topics_scheduled (topic_id, publisher, key) WHERE key IS NOT NULL",
    ):
        connection.execute(text(statement))


STEP = Migration("0010_scheduled", _run)
