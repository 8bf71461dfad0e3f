"""Webhooks, and what was posted to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, MetaData, String, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    webhooks = Table(
        "topics_webhooks",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("topic_id", Id, nullable=False),
        Column("user_id", Id),
        Column("name", String, nullable=False),
        Column("url", String, nullable=False),
        Column("events", String, nullable=False),
        Column("priority_max", Integer),
        Column("tags", String, nullable=False),
        Column("secret", String, nullable=False),
        Column("old_secret", String),
        Column("old_secret_until", Time),
        Column("is_active", Boolean, nullable=False),
        Column("disabled_reason", String),
        Column("created_at", Time, nullable=False),
        Column("after_position", BigInteger, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("failing_since", Time),
        Column("last_success_at", Time),
        Column("last_error", String),
    )
    deliveries = Table(
        "topics_webhook_deliveries",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("webhook_id", Id, nullable=False),
        Column("event", String, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("message_id", Id, nullable=False),
        Column("payload", String),
        Column("state", String, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("status", Integer),
        Column("error", String),
        Column("response", String),
        Column("created_at", Time, nullable=False),
        Column("finished_at", Time),
    )
    connection.execute(CreateTable(webhooks))
    connection.execute(CreateTable(deliveries))
    for statement in (
        "CREATE INDEX topics_webhooks_by_topic ON topics_webhooks (topic_id)",
        "CREATE INDEX topics_webhooks_by_maker ON topics_webhooks (user_id) WHERE user_id IS NOT NULL",
        "CREATE UNIQUE INDEX topics_webhook_deliveries_once ON topics_webhook_deliveries (webhook_id, position, event)",
        "CREATE INDEX topics_webhook_deliveries_by_state ON topics_webhook_deliveries (webhook_id, state, id)",
    ):
        connection.execute(text(statement))


STEP = Migration("0008_webhooks", _run)
