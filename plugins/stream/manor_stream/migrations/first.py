"""Settings and broadcasts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    metadata = MetaData()
    settings = Table(
        "stream_settings",
        metadata,
        Column("name", String, primary_key=True),
        Column("value", String, nullable=False),
    )
    broadcasts = Table(
        "stream_broadcasts",
        metadata,
        Column("id", Id, primary_key=True),
        Column("started_at", Time, nullable=False),
        Column("ended_at", Time),
        Column("title", String, nullable=False),
        Column("address", String, nullable=False),
        Column("video_codec", String, nullable=False),
        Column("audio_codec", String, nullable=False),
        Column("peak_viewers", BigInteger, nullable=False),
        Column("end_reason", String, nullable=False),
    )
    connection.execute(CreateTable(settings))
    connection.execute(CreateTable(broadcasts))
    connection.execute(text("CREATE INDEX stream_broadcasts_by_start ON stream_broadcasts (started_at)"))


STEP = Migration("0001_first", _run)
