"""What it takes to lose messages: the newest timestamp stays known, and a topic may go before what is in it."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration


def _run(connection: Connection) -> None:
    clearings = Table(
        "topics_clearings",
        MetaData(),
        Column("topic_id", Id, primary_key=True),
        Column("owner_id", Id, nullable=False),
    )
    connection.execute(CreateTable(clearings))
    for statement in (
        "CREATE INDEX topics_clearings_by_owner ON topics_clearings (owner_id)",
        "ALTER TABLE topics_topics ADD COLUMN latest_at BIGINT",
        "UPDATE topics_topics SET latest_at = last_message_at",
        "CREATE INDEX topics_daily_by_day ON topics_daily (day)",
    ):
        connection.execute(text(statement))


STEP = Migration("0011_topics", _run)
