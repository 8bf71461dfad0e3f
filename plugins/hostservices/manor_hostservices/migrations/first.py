"""Jobs, and what was told already."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Float, MetaData, String, Table, text
from sqlalchemy.schema import CreateTable

from manor import Migration, Time


def _run(connection: Connection) -> None:
    metadata = MetaData()
    jobs = Table(
        "hostservices_jobs",
        metadata,
        Column("id", String, primary_key=True),
        Column("kind", String, nullable=False),
        Column("state", String, nullable=False),
        Column("by", String, nullable=False),
        Column("dry_run", Boolean, nullable=False),
        Column("began_at", Time, nullable=False),
        Column("ended_at", Time),
        Column("progress", Float, nullable=False),
        Column("message", String, nullable=False),
        Column("bytes_done", BigInteger),
        Column("bytes_total", BigInteger),
        Column("seconds_left", Float),
        Column("snapshot", String),
        Column("position", BigInteger, nullable=False),
    )
    told = Table(
        "hostservices_told",
        metadata,
        Column("what", String, primary_key=True),
        Column("value", String, nullable=False),
    )
    for table in (jobs, told):
        connection.execute(CreateTable(table))
    connection.execute(text("CREATE INDEX hostservices_jobs_position ON hostservices_jobs (position)"))
    connection.execute(text("CREATE INDEX hostservices_jobs_by ON hostservices_jobs (by)"))


STEP = Migration("0001_jobs", _run)
