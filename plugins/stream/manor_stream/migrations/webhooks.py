"""Webhooks."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table
from sqlalchemy.schema import CreateTable

from manor import Migration, Time


def _run(connection: Connection) -> None:
    webhooks = Table(
        "stream_webhooks",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("url", String, nullable=False),
        Column("events", String, nullable=False),
        Column("secret", String, nullable=False),
        Column("created_at", Time, nullable=False),
        Column("last_used_at", Time),
        sqlite_autoincrement=True,
    )
    connection.execute(CreateTable(webhooks))


STEP = Migration("0003_webhooks", _run)
