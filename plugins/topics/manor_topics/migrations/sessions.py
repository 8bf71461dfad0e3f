"""The sessions of streams of many topics."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, MetaData, String, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    sessions = Table(
        "topics_stream_sessions",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("hash", LargeBinary, nullable=False, unique=True),
        Column("user_id", Id, nullable=False),
        Column("session_id", Id),
        Column("credential_id", Id),
        Column("heard", String, nullable=False),
        Column("position", BigInteger),
        Column("created_at", Time, nullable=False),
        Column("expires_at", Time, nullable=False),
    )
    connection.execute(CreateTable(sessions))
    for column in (sessions.c.user_id, sessions.c.expires_at):
        connection.execute(CreateIndex(Index(f"topics_stream_sessions_{column.name}", column)))


STEP = Migration("0009_sessions", _run)
