"""What plans and people need of messages: who published one, what goes with it, and how many a day brought."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, PrimaryKeyConstraint, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration


def _run(connection: Connection) -> None:
    daily = Table(
        "topics_daily",
        MetaData(),
        Column("payer_id", Id, nullable=False),
        Column("day", Integer, nullable=False),
        Column("messages", BigInteger, nullable=False),
        PrimaryKeyConstraint("payer_id", "day"),
    )
    connection.execute(CreateTable(daily))
    for statement in (
        "ALTER TABLE topics_topics ADD COLUMN subscriber_count BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE topics_messages ADD COLUMN publisher_id BINARY(16)",
        "ALTER TABLE topics_messages ADD COLUMN extras VARCHAR",
        "CREATE INDEX topics_topics_by_owner ON topics_topics (owner_id)",
        "CREATE INDEX topics_topics_by_team ON topics_topics (team_id) WHERE team_id IS NOT NULL",
        "CREATE INDEX topics_messages_by_expiry ON topics_messages (expires_at) WHERE expires_at IS NOT NULL",
        "CREATE INDEX topics_messages_by_publisher ON topics_messages (publisher_id) WHERE publisher_id IS NOT NULL",
    ):
        connection.execute(text(statement))


STEP = Migration("0003_plans", _run)
